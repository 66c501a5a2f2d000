//go:build e2e && unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// migrationSteps are the commands of docs/migration.md for one machine, in order, each with the machine's name.
func migrationSteps(t *testing.T) [][2]string {
	t.Helper()
	text, err := os.ReadFile("../docs/migration.md")
	assert.NilError(t, err)
	var steps [][2]string
	for line := range strings.Lines(string(text)) {
		if machine, command, ok := strings.Cut(strings.TrimSpace(line), "$ "); ok && (machine == "old" || machine == "new") {
			steps = append(steps, [2]string{machine, command})
		}
	}
	assert.Equal(t, len(steps), 7, "commands in docs/migration.md")
	return steps
}

// host is a machine of the migration: a project on an engine of its own, whose service runs as a user.
func host(t *testing.T, engine string, user, dimension int, volume, folder string) *Project {
	t.Helper()
	p := NewProject(t, fmt.Sprintf(`services:
  app:
    image: %s
    command: [tail, -f, /dev/null]
    stop_signal: SIGKILL
    user: "%d:%d"
    environment: {EMBEDDING_DIMENSION: "%d"}
    volumes: ["%s:/memories", "./%s:/data", "./backups:/backups"]
volumes:
  %s: {labels: {keep: "%s"}}
`, Busybox, user, user, dimension, volume, folder, volume, "of "+volume))
	if engine != "" {
		p.Setenv("DOCKER_HOST", engine)
	}
	assert.NilError(t, os.Mkdir(p.Path("backups"), 0o755))
	return p
}

// oldEngine is the engine of the old machine: of the oldest version, whatever the one under test is.
func oldEngine(t *testing.T) string {
	t.Helper()
	NeedOwnEngine(t)
	dir, _ := engineOf(t, "20.10")
	address := "unix://" + filepath.Join(dir, "docker.sock")
	image := filepath.Join(t.TempDir(), "image.tar")
	run(t, "", nil, "docker", "save", "--output", image, Busybox).Assert(t, icmd.Success)
	run(t, "", nil, "docker", "--host", address, "load", "--input", image).Assert(t, icmd.Success)
	return address
}

// The guide's migration: another folder, project name, engine, user, volume name and folder name. The commands are those of the document.
func TestAMemorySystemMovesToAnotherMachine(t *testing.T) {
	NeedImage(t, Busybox)
	from := host(t, oldEngine(t), 1000, 384, "memories", "data")
	to := host(t, "", 1001, 768, "notes", "files")
	head := fmt.Sprintf("\x93NUMPY\x01\x00v\x00%-117s\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (10, 384), }")
	from.Write("data/vectors.npy", head+strings.Repeat("\x00\x00\x80\x3f", 10*384))
	assert.NilError(t, os.Chown(from.Path("data"), 1000, 1000))
	assert.NilError(t, os.Chown(from.Path("data/vectors.npy"), 1000, 1000))
	from.Up()
	from.Output("exec", "--user", "0", from.Container("app"), "chown", "1000:1000", "/memories")
	from.Exec("app", "sh", "-c", "echo first >/memories/a.txt")

	for _, step := range migrationSteps(t) {
		machine := map[string]*Project{"old": from, "new": to}[step[0]]
		command := strings.NewReplacer("scp ", "cp ", "new:/srv/memories", to.Dir, "restore --allow", "restore --yes --allow").Replace(step[1])
		result := machine.Run("sh", "-euc", command)
		assert.Equal(t, result.ExitCode, 0, "%s: %s", command, result.Combined())
		if strings.Contains(command, "--dry-run") {
			migrationPlan(t, from, to, result.Stdout())
		}
	}
	assert.Equal(t, to.Exec("app", "cat", "/memories/a.txt"), "first")
	assert.Equal(t, to.Exec("app", "stat", "-c", "%u:%g", "/memories/a.txt", "/memories", "/data/vectors.npy"), "1001:1001\n1001:1001\n1001:1001")
	to.Exec("app", "sh", "-c", "echo more >>/memories/a.txt") // its user may
	assert.Equal(t, to.Output("volume", "inspect", "--format", "{{.Labels.keep}}", to.Name+"_notes"), "of memories")
	assert.Equal(t, len(Archives(t, to.Path("backups"))), 2)
}

// migrationPlan holds the plan of a move to all that it must name.
func migrationPlan(t *testing.T, from, to *Project, plan string) {
	t.Helper()
	for _, want := range []string{
		fmt.Sprintf("project name: the backup is of %q, here it is %q", from.Name, to.Name),
		fmt.Sprintf("working directory: the backup is of %q, here it is %q", from.Dir, to.Dir),
		"leave out memories", "--map memories=SOURCE", "leave out data", "source notes is not in the backup", "source files is not in the backup",
		"refused: the backup is of another project",
	} {
		assert.Assert(t, strings.Contains(plan, want), "it does not say %q:\n%s", want, plan)
	}
	if EngineVersion() != "20.10" { // two of that version on one machine have one id
		assert.Assert(t, strings.Contains(plan, "engine: the backup is of"), plan)
	}
	mapped := to.Run("sh", "-euc", "docker memsys restore --dry-run --map memories=notes --map data=files backups/memory_backup_*.tar.gz").Assert(t, icmd.Success)
	assert.Assert(t, strings.Contains(mapped.Stdout(), "embedding dimension of files: in the backup 384, here 768 (EMBEDDING_DIMENSION of service app)"), mapped.Stdout())
}

// The same ids on both sides, the folder there already with somebody else's files: the plan counts them and says the flag.
func TestARestoreSaysThatOwnersAreOthersHere(t *testing.T) {
	NeedRoot(t)
	for _, helper := range []string{"never", "always"} {
		t.Run("helper "+helper, func(t *testing.T) { ownersAreOthers(t, helper) })
	}
}

func ownersAreOthers(t *testing.T, helper string) {
	t.Helper()
	p := Box(t, `["./data:/data", "./backups:/backups"]`, "")
	p.Setenv("MEMSYS_HELPER", helper)
	assert.NilError(t, os.Mkdir(p.Path("backups"), 0o755))
	p.Write("data/a", "1")
	own := func(id int) {
		for _, name := range []string{"data", "data/a"} {
			assert.NilError(t, os.Chown(p.Path(name), id, id))
		}
	}
	own(1000)
	p.Backup()
	own(1001)
	Code(t, p.Memsys("restore", "--dry-run"), 0, "owner of data: in the backup 1000:1000 (2 entries), here 1001:1001 (to change them: --map-owner 1000:1001)")
	plan := p.Memsys("restore", "--dry-run", "--map-owner", "1000:1001").Assert(t, icmd.Success)
	assert.Assert(t, !strings.Contains(plan.Stdout(), "owner of data"), plan.Stdout())
	Code(t, p.Memsys("restore", "--map-owner", "1000:1001", "--map-owner", "u:1000:7"), 2, "1000 cannot become both")
	Code(t, p.Memsys("restore", "--yes", "--map-owner", "1000:1001"), 0)
	assert.Equal(t, strings.TrimSpace(p.Run("stat", "-c", "%u:%g", "data/a").Stdout()), "1001:1001")
	to := filepath.Join(t.TempDir(), "out")
	Code(t, p.Memsys("restore", "--to", to, "--map-owner", "1000:1002"), 0)
	assert.Equal(t, strings.TrimSpace(run(t, to, nil, "stat", "-c", "%u:%g", "data/a").Stdout()), "1002:1002")
}
