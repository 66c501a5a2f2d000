package compose

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// project writes files into a new folder and loads the project there. Names that end in / are folders.
func project(t *testing.T, files map[string]string, change ...func(*LoadOptions)) *Project {
	t.Helper()
	p, err := tryProject(t, t.TempDir(), files, change...)
	assert.NilError(t, err)
	return p
}

func tryProject(t *testing.T, dir string, files map[string]string, change ...func(*LoadOptions)) (*Project, error) {
	t.Helper()
	write(t, dir, files)
	o := LoadOptions{WorkingDir: dir}
	for _, c := range change {
		c(&o)
	}
	return Load(t.Context(), o)
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			assert.NilError(t, os.MkdirAll(path, 0o755))
			continue
		}
		assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		assert.NilError(t, os.WriteFile(path, []byte(content), 0o644))
	}
}

// table is the sources as "name kind path-or-volume: service:target… [excluded]", paths relative to the project's folder.
func table(p *Project, live []Live, c Config) []string {
	var rows []string
	for _, s := range p.Sources(live, c) {
		row := s.Name + " " + string(s.Kind)
		if s.Volume != nil {
			row += " " + s.Volume.Name
		}
		if s.Path != "" {
			path := s.Path
			if rel, err := filepath.Rel(p.WorkingDir, s.Path); err == nil && filepath.IsLocal(rel) {
				path = "./" + filepath.ToSlash(rel)
			}
			row += " " + path
		}
		row += ":"
		for _, m := range s.Mounts {
			row += " " + m.Service + ":" + m.Target
			if m.Subpath != "" {
				row += "#" + m.Subpath
			}
			if m.ReadOnly {
				row += ":ro"
			}
		}
		if s.Excluded != "" {
			row += " [" + s.Excluded + "]"
		}
		rows = append(rows, row)
	}
	return rows
}

func config(t *testing.T, p *Project) Config {
	t.Helper()
	c, err := p.Config(nil, Overrides{})
	assert.NilError(t, err)
	return c
}

const guide = `
name: memory
services:
  memory-system:
    image: memory
    ports: ["3000:3000"]
    healthcheck: {test: ["CMD", "curl", "-f", "http://localhost:3000/health"]}
    environment: {CHROMA_HOST: 192.0.2.10, CHROMA_PORT: "8001"}
    volumes:
      - ./data:/app/data
      - ./logs:/app/logs
      - ./backups:/app/backups
      - ./ssl:/app/ssl:ro
`

func TestTheGuidesLayout(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": guide, "data/": "", "logs/": "", "backups/": "", "ssl/": ""})
	c := config(t, p)
	assert.Equal(t, c.Backups, filepath.Join(p.WorkingDir, "backups"))
	assert.Equal(t, c.Health.URL, "http://localhost:3000/health")
	assert.Equal(t, c.Chroma, "http://192.0.2.10:8001")
	assert.Equal(t, c.Retention, Retention{Daily: 7, Weekly: 4, Monthly: 12, Last: 1})
	assert.DeepEqual(t, table(p, nil, c), []string{
		"backups bind ./backups: memory-system:/app/backups [the backups directory]",
		"data bind ./data: memory-system:/app/data",
		"logs bind ./logs: memory-system:/app/logs [logs (--include-logs brings them in)]",
		"ssl bind ./ssl: memory-system:/app/ssl:ro",
	})
}

func TestEverySourceIsFoundOnce(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": `
name: all
services:
  app:
    image: a
    volumes: [./data:/data, "./data/:/again", named:/n, ext:/e, bound:/b, /anon, "/var/run/docker.sock:/var/run/docker.sock"]
    tmpfs: /scratch
    secrets: [token]
    pre_start:
      - image: init
        command: [x]
        volumes: ["./init:/init"]
  off:
    image: b
    profiles: [debug]
    volumes:
      - ./link:/linked
      - off:/off
      - {type: volume, source: named, target: /sub, volume: {subpath: part}}
      - {type: image, source: busybox, target: /img}
  taker:
    image: c
    volumes_from: [app:ro]
  db-data:
    image: d
    volumes: [./other/data:/var/lib/db]
jobs:
  nightly:
    image: j
    triggers: {manual: true}
    volumes: ["./jobs:/jobs", "named:/n"]
secrets:
  token: {file: ./token.txt}
volumes:
  named:
  off:
  unused:
  ext: {external: true, name: outside}
  bound: {driver: local, driver_opts: {type: none, o: bind, device: ./bound}}
`, "data/": "", "token.txt": "s"})
	assert.NilError(t, os.Symlink(filepath.Join(p.WorkingDir, "data"), filepath.Join(p.WorkingDir, "link")))
	live := []Live{{Service: "app", Number: 1, Mounts: []LiveMount{
		{Type: "volume", Name: strings.Repeat("a", 64), Destination: "/anon", Driver: "local"},
		{Type: "volume", Name: strings.Repeat("b", 64), Destination: "/from/image", Driver: "local"},
		{Type: "volume", Name: "all_named", Destination: "/n"},
	}}}
	anonymous, image := strings.Repeat("a", 64), strings.Repeat("b", 64)
	assert.DeepEqual(t, table(p, live, config(t, p)), []string{
		"app-anon volume " + anonymous + ": app:/anon taker:/anon:ro",
		"app-from-image volume " + image + ": app:/from/image",
		"app-scratch tmpfs: app:/scratch [tmpfs: lives in memory only]",
		"bound volume all_bound ./bound: app:/b taker:/b:ro",
		"data bind ./data: app:/again app:/data off:/linked taker:/again:ro taker:/data:ro",
		"docker.sock bind /var/run/docker.sock: app:/var/run/docker.sock taker:/var/run/docker.sock:ro [socket of the engine]",
		"ext volume outside: app:/e taker:/e:ro",
		"init bind ./init: app:/init",
		"jobs bind ./jobs: nightly:/jobs",
		"named volume all_named: app:/n nightly:/n off:/sub#part taker:/n:ro",
		"off volume all_off: off:/off",
		"off-img image: off:/img [image mount: its data is the image's]",
		"other-data bind ./other/data: db-data:/var/lib/db",
	})
	var files []string
	for _, f := range p.Files() {
		files = append(files, string(f.Kind)+" "+filepath.Base(f.Path))
	}
	assert.DeepEqual(t, files, []string{"compose compose.yaml", "secret token.txt"})
}

func TestTheNameOfASourceDoesNotDependOnTheOrder(t *testing.T) {
	one := project(t, map[string]string{"compose.yaml": "services: {a: {image: x, volumes: ['./x/data:/x', './y/data:/y', './data:/z']}}"})
	other := project(t, map[string]string{"compose.yaml": "services: {z: {image: x, volumes: ['./y/data:/y']}, b: {image: x, volumes: ['./data:/z', './x/data:/x']}}"})
	names := func(p *Project) (all []string) {
		for _, s := range p.Sources(nil, Config{}) {
			rel, err := filepath.Rel(p.WorkingDir, s.Path)
			assert.NilError(t, err)
			all = append(all, s.Name+" "+filepath.ToSlash(rel))
		}
		return all
	}
	assert.DeepEqual(t, names(one), []string{"data data", "x-data x/data", "y-data y/data"})
	assert.DeepEqual(t, names(other), names(one))
}

func TestNamesAreSafeInAPath(t *testing.T) {
	for text, want := range map[string]string{
		"data": "data", "..": "source", ".hidden": "hidden", "a/b": "a-b", "a b": "a-b", "-rf": "rf", "": "source", "ü": "source", "a\x00b": "a-b", "_x": "_x",
		strings.Repeat("x", 300): strings.Repeat("x", 100),
	} {
		assert.Check(t, slug(text) == want, "%q is %q", text, slug(text))
	}
}

// TestTheDefaultBackupsDirectory plants folders named backups with different contents.
func TestTheDefaultBackupsDirectory(t *testing.T) {
	const file = "services: {a: {image: x, volumes: ['./store/backups:/b', './data:/data']}}"
	for name, c := range map[string]struct {
		files   map[string]string
		backups string
		why     string
	}{
		"not made yet":               {nil, "store/backups", "the backups directory"},
		"empty":                      {map[string]string{"store/backups/": ""}, "store/backups", "the backups directory"},
		"with archives":              {map[string]string{"store/backups/memory_backup_20240101_120000.tar.gz": "", "store/backups/latest_backup.txt": ""}, "store/backups", "the backups directory"},
		"with something else":        {map[string]string{"store/backups/game.sav": ""}, "backups", ""},
		"a folder named as archives": {map[string]string{"store/backups/memory_backup_1.tar.gz/": ""}, "backups", ""},
		"another one is configured":  {map[string]string{"compose.override.yaml": "x-memsys: {backups: kept}"}, "kept", "holds backups"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"compose.yaml": file}
			for k, v := range c.files {
				files[k] = v
			}
			p := project(t, files)
			got := config(t, p)
			assert.Equal(t, got.Backups, filepath.Join(p.WorkingDir, filepath.FromSlash(c.backups)))
			for _, s := range p.Sources(nil, got) {
				if s.Name == "backups" {
					assert.Equal(t, s.Excluded, c.why)
				}
			}
		})
	}
}

func TestAmongSeveralBackupsFoldersTheOneWithArchivesCounts(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": "services: {a: {image: x, volumes: ['./a/backups:/a', './b/backups:/b']}}", "b/backups/memory_backup_20240101_120000.tar.gz": ""})
	assert.Equal(t, config(t, p).Backups, filepath.Join(p.WorkingDir, "b", "backups"))
}

// TestTheConfiguredBackupsDirectoryIsNoSource writes it in another spelling than the mount.
func TestTheConfiguredBackupsDirectoryIsNoSource(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": "services: {a: {image: x, volumes: ['./kept/:/k']}}\nx-memsys: {backups: ./link/../link}", "kept/full": "x"})
	assert.NilError(t, os.Symlink("kept", filepath.Join(p.WorkingDir, "link")))
	assert.DeepEqual(t, table(p, nil, config(t, p)), []string{"kept bind ./kept: a:/k [the backups directory]"})
}

func TestLogsComeInWhenAsked(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": `services: {a: {image: x, volumes: ['./logs:/x', './out:/var/logs', './mixed:/logs', 'journal:/logs']}, b: {image: x, volumes: ['./mixed:/data']}}
volumes: {journal: {}}`})
	excluded := func(c Config) (names []string) {
		for _, s := range p.Sources(nil, c) {
			if s.Excluded != "" {
				names = append(names, s.Name)
			}
		}
		return names
	}
	assert.DeepEqual(t, excluded(Config{}), []string{"journal", "logs", "out"})
	assert.DeepEqual(t, excluded(Config{IncludeLogs: true}), []string(nil))
}

func TestABindMountOfAVolumesFolderIsTheVolume(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": `services: {a: {image: x, volumes: ['./store/:/direct', 'vol:/vol']}}
volumes: {vol: {driver: local, driver_opts: {type: none, o: bind, device: ./store}, labels: {tier: gold}}}`})
	sources := p.Sources(nil, Config{})
	assert.Equal(t, len(sources), 1)
	assert.Equal(t, sources[0].Kind, Volume)
	assert.Equal(t, sources[0].Path, filepath.Join(p.WorkingDir, "store"))
	assert.Equal(t, sources[0].Volume.Labels["tier"], "gold")
	assert.Equal(t, sources[0].Volume.Options["o"], "bind")
	assert.Equal(t, len(sources[0].Mounts), 2)
}

func TestAnonymousVolumesWithAndWithoutAnEngine(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": "services: {a: {image: x, volumes: [/anon], scale: 2}}"})
	assert.DeepEqual(t, table(p, nil, Config{}), []string{"a-anon volume : a:/anon"})
	assert.DeepEqual(t, table(p, []Live{}, Config{}), []string{"a-anon volume : a:/anon [anonymous volume: no container of the project has one yet]"})
	first, second := strings.Repeat("f", 64), strings.Repeat("0", 64)
	live := []Live{
		{Service: "a", Number: 2, Mounts: []LiveMount{{Type: "volume", Name: second, Destination: "/anon"}}},
		{Service: "a", Number: 1, Mounts: []LiveMount{{Type: "volume", Name: first, Destination: "/anon"}}},
	}
	assert.DeepEqual(t, table(p, live, Config{}), []string{"a-anon volume " + first + ": a:/anon", "a-anon-2 volume " + second + ": a:/anon"})
}

// TestWhatContainersStillUseIsASource mounts other places in the containers than the compose file says.
func TestWhatContainersStillUseIsASource(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": `name: new
services: {a: {image: x, volumes: ['./data:/data', 'vol:/v'], secrets: [s]}, b: {image: x, volumes_from: ['container:other']}}
volumes: {vol: {}}
secrets: {s: {file: ./s}}`, "old/": "", "s": ""})
	at := func(name string) string { return filepath.Join(p.WorkingDir, name) }
	live := []Live{{Service: "a", Mounts: []LiveMount{
		{Type: "bind", Source: at("old"), Destination: "/data"},
		{Type: "bind", Source: "/host_mnt" + filepath.ToSlash(at("data")), Destination: "/data"},
		{Type: "bind", Source: at("s"), Destination: "/run/secrets/s"},
		{Type: "bind", Source: "/var/run/docker.sock", Destination: "/var/run/docker.sock"},
		{Type: "volume", Name: "old_v", Destination: "/v"},
	}}, {Service: "b", Mounts: []LiveMount{{Type: "bind", Source: "/srv/elsewhere", Destination: "/x"}}}}
	assert.DeepEqual(t, table(p, live, Config{}), []string{
		"data bind ./data: a:/data", "elsewhere bind /srv/elsewhere: b:/x", "old bind ./old: a:/data", "old_v volume old_v: a:/v", "vol volume new_vol: a:/v",
	})
	assert.DeepEqual(t, p.Drift(live), []string{
		"service a: its container has " + at("old") + " at /data, the compose file has " + at("data"),
		"service a: its container has volume old_v at /v, the compose file has volume new_vol",
	})
	assert.Equal(t, len(p.Drift([]Live{{Service: "a", Mounts: []LiveMount{{Type: "bind", Source: at("data"), Destination: "/data"}, {Type: "volume", Name: "new_vol", Destination: "/v"}}}})), 0)
}

func TestSystemPlacesAreNoSources(t *testing.T) {
	for path, excluded := range map[string]bool{
		"/": true, "/proc": true, "/proc/1": true, "/sys/fs": true, "/dev": true, "/run/x": true, "/var/run/docker.sock": true, "/home/me/.docker/run/docker.sock": true, "/etc/localtime": true,
		"/etc": true, "/etc/nginx/nginx.conf": false, "/var/lib/app": false, "/home/me/data": false, "/srv": false, "/run/media/me/disk": false, "/procession": false, "/opt/memory-system": false,
	} {
		assert.Check(t, (systemPath(path) != "") == excluded, path)
	}
}

func TestASocketIsNoSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Skip("no unix sockets here")
	}
	defer l.Close()
	assert.Equal(t, systemPath(path), "socket, pipe or device: holds no data")
}
