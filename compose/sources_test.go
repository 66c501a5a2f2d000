package compose

import (
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
	for _, row := range table(p, live, config(t, p)) {
		t.Log(row)
	}
}
