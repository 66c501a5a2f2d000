//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// disasterSteps are the commands of docs/disaster-recovery.md, by the word before the prompt.
func disasterSteps(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/disaster-recovery.md")
	assert.NilError(t, err)
	steps, count := map[string][]string{}, 0
	for line := range strings.Lines(string(text)) {
		if when, command, ok := strings.Cut(strings.TrimSpace(line), "$ "); ok && !strings.Contains(when, " ") {
			steps[when] = append(steps[when], command)
			count++
		}
	}
	assert.Equal(t, count, 20, "commands in docs/disaster-recovery.md")
	return steps
}

// follow types the commands of one case; questions are answered with yes. It returns what they said.
func follow(t *testing.T, p *Project, commands []string) string {
	t.Helper()
	assert.Assert(t, len(commands) > 0)
	var said strings.Builder
	for _, command := range commands {
		if (strings.Contains(command, "memsys restore ") || strings.Contains(command, "--repair")) && !strings.Contains(command, "--dry-run") {
			command += " --yes"
		}
		r := p.Run("sh", "-euc", command)
		assert.Equal(t, r.ExitCode, 0, "%s: %s", command, r.Combined())
		said.WriteString(r.Combined())
	}
	return said.String()
}

// boxFileOfDisaster is a project with a folder and a volume that hold data.
func boxFileOfDisaster(t *testing.T) string {
	t.Helper()
	NeedRoot(t)
	NeedImage(t, Busybox)
	return boxFile(`["./data:/data", "notes:/notes", "./backups:/backups"]`, "volumes: {notes: {}}\n")
}

// What the document says to type when data is damaged, a restore was a mistake, a container is gone: it works.
func TestTheCommandsForADisasterMendIt(t *testing.T) {
	p := NewProject(t, boxFileOfDisaster(t))
	assert.NilError(t, os.Mkdir(p.Path("backups"), 0o755))
	p.Write("data/memories/1.json", `{"id":1}`)
	p.Up()
	p.Exec("app", "sh", "-c", "echo kept >/notes/a")
	p.Backup()
	steps := disasterSteps(t)

	p.Write("data/memories/1.json", "damaged")
	p.Exec("app", "rm", "/notes/a")
	said := follow(t, p, steps["look"])
	assert.Assert(t, strings.Contains(said, "memories/1.json") && strings.Contains(said, "nothing was interrupted"), said)
	follow(t, p, steps["damaged"])
	assert.Equal(t, p.Read("data/memories/1.json"), `{"id":1}`)
	assert.Equal(t, p.Exec("app", "cat", "/notes/a"), "kept")
	follow(t, p, steps["undo"])
	assert.Equal(t, p.Read("data/memories/1.json"), "damaged")
	follow(t, p, steps["undo"])
	assert.Equal(t, p.Read("data/memories/1.json"), `{"id":1}`)
	p.Write("data/memories/1.json", `{"id":`)
	follow(t, p, steps["repair"])
	assert.Equal(t, p.Read("data/memories/1.json"), `{"id":1}`)
	p.Write("data/memories/1.json", "damaged again")
	p.Write("data/other", "stays")
	follow(t, p, steps["file"])
	assert.Equal(t, p.Read("data/memories/1.json")+p.Read("data/other"), `{"id":1}stays`)
	assert.NilError(t, os.Remove(p.Path("data/other")))
	follow(t, p, steps["container"])
	assert.Equal(t, p.Exec("app", "cat", "/notes/a"), "kept")
	said = follow(t, p, steps["archives"])
	assert.Assert(t, strings.Contains(said, "sound: "), said)
	said = follow(t, p, steps["after"])
	assert.Assert(t, strings.Contains(said, "nothing differs from the backup"), said)
}

// The folder, the containers and the volumes are gone; one archive is left, and a new folder of another name.
func TestOneArchiveBringsALostProjectBack(t *testing.T) {
	old := NewProject(t, boxFileOfDisaster(t))
	assert.NilError(t, os.Mkdir(old.Path("backups"), 0o755))
	old.Write("data/memories/1.json", `{"id":1}`)
	old.Up()
	old.Exec("app", "sh", "-c", "echo kept >/notes/a")
	archive := old.Backup()
	content, err := os.ReadFile(archive)
	assert.NilError(t, err)
	old.Output("compose", "down", "--volumes", "--timeout", "0")
	for _, name := range []string{"data", "backups", "compose.yaml"} {
		assert.NilError(t, os.RemoveAll(old.Path(name)))
	}

	p := BareProject(t, t.TempDir())
	p.Write(filepath.Join("backups", filepath.Base(archive)), string(content))
	follow(t, p, disasterSteps(t)["lost"])
	assert.Equal(t, p.Read("data/memories/1.json"), `{"id":1}`)
	assert.Equal(t, p.Exec("app", "cat", "/notes/a"), "kept")
	p.Memsys("audit", "--verify").Assert(t, icmd.Success)
}
