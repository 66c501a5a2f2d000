//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// listedSource is what sources --format json says of one.
type listedSource struct {
	Name, Kind, Path, Volume string
	Services                 []string
	Size                     *int64
	InBackup                 bool
	Why                      string
}

// TestSourcesAreWhatTheEngineHasMounted compares with the mounts of the running containers.
func TestSourcesAreWhatTheEngineHasMounted(t *testing.T) {
	NeedImage(t, Busybox)
	p := NewProject(t, "")
	outside := p.Name + "-outside"
	p.Write("compose.yaml", boxFile(`["outside:/outside", "./data:/data", "./logs:/logs", "/var/run/docker.sock:/var/run/docker.sock:ro"]`, fmt.Sprintf(everything, outside)))
	p.Write("data/file", "twelve bytes")
	p.Write("logs/file", "x")
	p.Output("volume", "create", "--label", "com.docker.compose.project="+p.Name, outside)
	p.Compose("--profile", "jobs", "up", "--detach").Assert(t, icmd.Success)
	all := lines[listedSource](t, p.Memsys("sources", "--format", "json"))
	known := map[string]listedSource{}
	for _, s := range all {
		known[s.Name] = s
	}
	for _, service := range []string{"app", "giver", "taker", "job", "once"} {
		for _, mounted := range p.mounts(service) {
			found := slices.ContainsFunc(all, func(s listedSource) bool {
				return slices.Contains(s.Services, service) && (s.Volume != "" && s.Volume == mounted.Name || s.Volume == "" && s.Path == mounted.Source)
			})
			assert.Assert(t, found, "%s of %s is in no source: %+v", mounted, service, all)
		}
	}
	data := known["data"]
	assert.Assert(t, data.InBackup && data.Path == p.Path("data") && data.Size != nil && *data.Size == 12, "%+v", data)
	assert.Assert(t, !known["logs"].InBackup && strings.Contains(known["logs"].Why, "--include-logs"), "%+v", known["logs"])
	assert.Assert(t, !known["docker.sock"].InBackup, "%+v", known["docker.sock"])
	assert.DeepEqual(t, known["given"].Services, []string{"giver", "taker"})
	Code(t, p.Memsys("sources"), 0, "SOURCE", "data", "docker.sock", outside)
	assert.Assert(t, slices.Contains(strings.Fields(p.Memsys("sources", "-q").Stdout()), "off"))
}

// mounted is a mount of a container, as the engine has it.
type mounted struct{ Type, Name, Source, Destination string }

func (p *Project) mounts(service string) []mounted {
	p.t.Helper()
	var all []mounted
	assert.NilError(p.t, json.Unmarshal([]byte(p.Output("inspect", "--format", "{{json .Mounts}}", p.Container(service))), &all))
	return all
}

func TestConfigSaysWhereEachSettingIsFrom(t *testing.T) {
	p := NewProject(t, boxFile(`["./data:/data"]`, "x-memsys:\n  exclude: ['*.bak']\n  retention: {daily: 3}\n"))
	p.Setenv("MEMSYS_QUIESCE", "stop")
	result := p.Memsys("config", "--format", "json").Assert(t, icmd.Success)
	var settings map[string]struct{ Value, Origin string }
	assert.NilError(t, json.Unmarshal([]byte(result.Stdout()), &settings))
	assert.Equal(t, settings["exclude"].Value, "*.bak")
	assert.Assert(t, strings.Contains(settings["exclude"].Origin, "compose.yaml"), "%+v", settings["exclude"])
	assert.Equal(t, settings["quiesce"].Value, "stop")
	assert.Assert(t, strings.Contains(settings["quiesce"].Origin, "MEMSYS_QUIESCE"), "%+v", settings["quiesce"])
	assert.Equal(t, settings["backups"].Origin, "default")
	p.Write("compose.yaml", boxFile(`["./data:/data"]`, "x-memsys:\n  exclud: ['*.bak']\n"))
	result = p.Memsys("config")
	assert.Assert(t, result.ExitCode != 0 && contains(result.Combined(), "compose.yaml") && contains(result.Combined(), "exclude"), result.Combined())
}

// formerArchive makes what the former script made: data, in a plain tar.gz, and a latest_backup.txt.
func formerArchive(t *testing.T, p *Project, name string) string {
	t.Helper()
	path := filepath.Join(p.Path("backups"), name)
	assert.NilError(t, os.MkdirAll(p.Path("backups"), 0o755))
	run(t, p.Dir, nil, "tar", "czf", path, "data").Assert(t, icmd.Success)
	p.Write("backups/latest_backup.txt", path+"\n")
	return path
}

func TestArchivesOfTheFormerScriptAreListedVerifiedAndRestored(t *testing.T) {
	p := Box(t, `["./data:/data", "./backups:/backups"]`, "")
	p.Write("data/file", "former")
	former := formerArchive(t, p, "memory_backup_20240101_120000.tar.gz")
	p.Up()
	p.Write("data/file", "first")
	ours := p.Backup()
	assert.Equal(t, filepath.Dir(ours), p.Path("backups")) // found by the mount, whose archives are the former script's
	all := lines[struct {
		Name, State string
		Former      bool
	}](t, p.Memsys("list", "--format", "json"))
	assert.Equal(t, len(all), 2)
	assert.Equal(t, all[1].Name, filepath.Base(former))
	assert.Assert(t, all[1].Former && !all[0].Former)
	Code(t, p.Memsys("list"), 0, "former script", "Retention: ")
	Code(t, p.Memsys("verify", filepath.Base(former)), 0, "sound", "made by the former script")
	Code(t, p.Memsys("inspect", filepath.Base(former)), 0)
	assert.Equal(t, p.Read("backups/latest_backup.txt"), ours+"\n")
	Code(t, p.Memsys("restore", filepath.Base(former), "--yes"), 0, "take data as bind data")
	assert.Equal(t, p.Read("data/file"), "former")

	whole, err := os.ReadFile(former)
	assert.NilError(t, err)
	assert.NilError(t, os.WriteFile(former, whole[:len(whole)-9], 0o600))
	Code(t, p.Memsys("verify", filepath.Base(former)), 4, "damaged")
	Code(t, p.Memsys("list"), 0, "damaged")
}

func TestBackupsAreFoundByEveryNameThatTheyHave(t *testing.T) {
	p := Box(t, `["./data:/data"]`, "")
	p.Write("data/file", "first")
	p.Up()
	first := p.Backup("--note", "before the move")
	second := p.Backup()
	var seen struct {
		ID, Note string
		Manifest struct {
			Project  struct{ Name string }
			Services []struct{ Name, State string }
			Sources  []struct{ Name, Prefix string }
		}
	}
	result := p.Memsys("inspect", "--format", "json", filepath.Base(first)).Assert(t, icmd.Success)
	assert.NilError(t, json.Unmarshal([]byte(result.Stdout()), &seen))
	assert.Equal(t, seen.Note, "before the move")
	assert.Equal(t, seen.Manifest.Project.Name, p.Name)
	assert.Equal(t, seen.Manifest.Services[0].State, "running")
	assert.Equal(t, seen.Manifest.Sources[0].Prefix, "data/data")
	for arg, want := range map[string]string{
		"latest": second, "latest_backup.txt": second, p.Path("backups", "latest_backup.txt"): second, first: first,
		filepath.Base(first): first, strings.TrimSuffix(filepath.Base(first), ".tar.gz"): first, seen.ID: first, "backups/" + filepath.Base(first): first,
	} {
		assert.Equal(t, strings.TrimSpace(p.Memsys("inspect", "--format", "{{.Path}}", arg).Assert(t, icmd.Success).Stdout()), want, arg)
	}
	Code(t, p.Memsys("inspect", "yesterday"), 8, "docker memsys list")
	Code(t, p.Memsys("inspect"), 2)
	Code(t, p.Memsys("restore", "--dry-run", first, second), 0, filepath.Base(second)) // an expanded pattern: the newest good one
}

// TestCompletionThroughDocker asks as the shells' completion of docker does.
func TestCompletionThroughDocker(t *testing.T) {
	p := Box(t, `["./data:/data", "vol:/vol"]`, "volumes: {vol: {}}\n")
	p.Write("data/file", "first")
	p.Up()
	archive := filepath.Base(p.Backup())
	for _, c := range []struct {
		words []string
		want  []string
	}{
		{[]string{"restore", ""}, []string{"latest", archive}},
		{[]string{"restore", "--source", ""}, []string{"data", "vol"}},
		{[]string{"restore", "--service", ""}, []string{"app"}},
		{[]string{"backup", ""}, []string{"app"}},
		{[]string{"inspect", "memory"}, []string{archive}},
		{[]string{"res"}, []string{"restore"}},
	} {
		result := p.Docker(append([]string{"__complete", "memsys"}, c.words...)...).Assert(t, icmd.Success)
		var offered []string
		for line := range strings.Lines(result.Stdout()) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			offered = append(offered, word)
		}
		for _, want := range c.want {
			assert.Assert(t, slices.Contains(offered, want), "%q: no %s in %q", c.words, want, offered)
		}
	}
}
