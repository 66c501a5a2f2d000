//go:build e2e && unix

package e2e

import (
	"database/sql"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// judged lays memories and a database into the data of a project that its user cannot read: healthy data ends with 0, what is planted with 4, under its own
// name, which is no UTF-8, and comes back from the backup.
func judged(t *testing.T, p *Project) {
	t.Helper()
	const odd = `"/data/memories/$(printf '\377').json"`
	p.Exec("app", "sh", "-c", `mkdir -m 700 /data/memories && echo '{"id":"a"}' >/data/memories/a.json && echo '{"id":"b"}' >`+odd)
	p.Docker("cp", notes(t), p.Container("app")+":/data/memories/notes.db")
	p.Backup()
	Code(t, p.Memsys("validate"), 0, "the live data: ", "memories that the last good backup has: ")
	p.nothingOfHelpersIsLeft()

	p.Exec("app", "sh", "-c", `printf '{"id":' >`+odd)
	p.Exec("app", "dd", "if=/dev/zero", "of=/data/memories/notes.db", "bs=4096", "seek=1", "count=2", "conv=notrunc")
	Code(t, p.Memsys("validate"), 4, `data/memories/\xff.json:1:7: `, "data/memories/notes.db", "docker memsys validate --repair")
	assert.Equal(t, p.State("app"), "running")
	p.nothingOfHelpersIsLeft()

	Code(t, p.Memsys("validate", "--repair", "--yes"), 0, `data/memories/\xff.json`, "restored memory_backup_")
	assert.Equal(t, p.Exec("app", "sh", "-c", "cat "+odd), `{"id":"b"}`)
	assert.Equal(t, p.State("app"), "running")
	p.nothingOfHelpersIsLeft()
}

// notes is a small database.
func notes(t *testing.T) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "notes.db")
	db, err := sql.Open("sqlite", at)
	assert.NilError(t, err)
	defer db.Close()
	for _, statement := range []string{
		"CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200) INSERT INTO notes SELECT i, hex(randomblob(100)) FROM n",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		assert.NilError(t, err)
	}
	return at
}

// newHidden is a project of a user's whose data is root's, on the engine at host, empty for that of the tests.
func newHidden(t *testing.T, host string) *Project {
	t.Helper()
	p := Box(t, `["./data:/data", "vol:/vol"]`, "volumes: {vol: {}}\n")
	if host != "" {
		p.Setenv("DOCKER_HOST", host)
	}
	reachable(t, p.Dir)
	p.Up()
	p.Exec("app", "sh", "-c", "echo kept >/vol/kept && chmod 700 /data /vol")
	return p
}

func TestAUserOfGroupDockerValidatesWhatIsNotTheirs(t *testing.T) {
	u := NewUser(t, "docker")
	p := newHidden(t, "")
	p.As(u)
	judged(t, p)
}

func TestOverSSHDataIsJudgedAlike(t *testing.T) {
	u := NewUser(t, "docker")
	p := newHidden(t, "")
	p.As(u)
	p.OverSSH(u, socket(t))
	judged(t, p)
}

func TestOverTCPDataIsJudgedAlike(t *testing.T) {
	u := NewUser(t)
	port := FreePort(t)
	host, engine := engineWith(t, "tcp="+port)
	p := newHidden(t, host)
	p.As(u)
	p.Within(engine)
	p.Setenv("DOCKER_HOST", "tcp://127.0.0.1:"+port)
	judged(t, p)
}

func TestOnARootlessEngineDataIsJudgedAlike(t *testing.T) {
	p, _, _, _ := rootless(t)
	judged(t, p)
}
