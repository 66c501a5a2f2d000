//go:build e2e && unix

package e2e

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

func TestWithoutAnEngineBindMountsAreBackedUpAndRestored(t *testing.T) {
	p := NewProject(t, boxFile(`["./data:/data"]`, ""))
	p.Setenv("DOCKER_HOST", "unix://"+p.Path("none.sock"))
	p.Write("data/file", "first")
	Code(t, p.Memsys("backup"), 0, "no engine answers at unix://"+p.Path("none.sock"), "what runs cannot be seen")
	p.Write("data/file", "second")
	Code(t, p.Memsys("restore", "--yes"), 0, "no engine answers")
	assert.Equal(t, p.Read("data/file"), "first")
	for _, args := range [][]string{{"list"}, {"inspect", "latest"}, {"verify"}, {"config"}, {"restore", "--to", p.Path("to")}} {
		result := Code(t, p.Memsys(args...), 0)
		assert.Assert(t, !strings.Contains(result.Stderr(), "engine"), "%s asked an engine: %s", args[0], result.Combined())
	}
	Code(t, p.Memsys("sources"), 0, "data")
}

func TestWithoutAnEngineAVolumeIsNamedAsMissing(t *testing.T) {
	p := Box(t, `["./data:/data", "vol:/vol"]`, "volumes: {vol: {}}\n")
	p.Write("data/file", "first")
	p.Up()
	p.Exec("app", "sh", "-c", "echo first >/vol/file")
	good := p.Backup()
	engine := os.Getenv("DOCKER_HOST")
	p.Setenv("DOCKER_HOST", "unix://"+p.Path("none.sock"))
	Code(t, p.Memsys("backup"), 3, "incomplete", "source vol", "only the engine knows where volume "+p.Name+"_vol lies")
	assert.Equal(t, p.Read("backups/latest_backup.txt"), good+"\n")
	p.Write("data/file", "second")
	Code(t, p.Memsys("restore", "--yes"), 3, "vol", "only the engine knows")
	assert.Equal(t, p.Read("data/file"), "first")
	p.Setenv("DOCKER_HOST", engine)
	assert.Equal(t, p.Exec("app", "cat", "/vol/file"), "first")
	assert.Equal(t, p.State("app"), "running")
}

// forward listens at an address and passes everything on to the engine under the tests.
func forward(t testing.TB, network, address string) net.Listener {
	t.Helper()
	socket, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if !ok {
		SkipOrFail(t, "the engine is not reached by a socket")
	}
	listener, err := net.Listen(network, address)
	assert.NilError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // closed: the test has ended
			}
			to, err := net.Dial("unix", socket)
			if err != nil {
				_ = from.Close()
				continue
			}
			go pass(from.(half), to.(half))
			go pass(to.(half), from.(half))
		}
	}()
	return listener
}

// half is a connection whose sending side can be closed alone.
type half interface {
	net.Conn
	CloseWrite() error
}

func pass(from, to half) {
	_, _ = io.Copy(to, from)
	_ = to.CloseWrite()
}

// TestPathsOfAnEngineElsewhereAreNotTakenForOurs: an engine behind TCP is another machine's, whatever its address. A helper container would
// reach them there; this process by itself never takes the paths for its own.
func TestPathsOfAnEngineElsewhereAreNotTakenForOurs(t *testing.T) {
	p := Box(t, `["./data:/data", "vol:/vol"]`, "volumes: {vol: {}}\n")
	p.Setenv("MEMSYS_HELPER", "never")
	p.Write("data/file", "first")
	p.Up()
	good := p.Backup()
	p.Write("data/file", "second")
	local := os.Getenv("DOCKER_HOST")
	for name, remote := range map[string]func(){
		"DOCKER_HOST": func() { p.Setenv("DOCKER_HOST", "tcp://"+forward(t, "tcp", "127.0.0.1:0").Addr().String()) },
		"context": func() {
			config := filepath.Join(t.TempDir(), "config")
			run(t, "", nil, "cp", "--archive", os.Getenv("DOCKER_CONFIG"), config).Assert(t, icmd.Success)
			p.Setenv("DOCKER_CONFIG", config)
			p.Setenv("DOCKER_HOST", "")
			p.Docker("context", "create", "far", "--docker", "host=tcp://"+forward(t, "tcp", "127.0.0.1:0").Addr().String()).Assert(t, icmd.Success)
			p.Docker("context", "use", "far").Assert(t, icmd.Success)
		},
		"nobody answers": func() { p.Setenv("DOCKER_HOST", "tcp://127.0.0.1:"+FreePort(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			remote()
			defer func() {
				p.Setenv("DOCKER_HOST", local)
				p.Setenv("DOCKER_CONFIG", os.Getenv("DOCKER_CONFIG"))
			}()
			Code(t, p.Memsys("backup"), 1, "nothing to back up", "source data: it lies ", "source vol: it lies ")
			result := p.Memsys("restore", good, "--yes", "--allow-other-project")
			assert.Assert(t, result.ExitCode == 1 || result.ExitCode == 3, result.Combined())
			assert.Equal(t, p.Read("data/file"), "second")
			assert.DeepEqual(t, Archives(t, p.Path("backups")), []string{good})
		})
	}
	assert.Equal(t, p.State("app"), "running")
}

// user makes a folder in which a user without rights can work on a project: its own files, a plugin, the engine's socket.
func user(t *testing.T, p *Project) func(args ...string) *icmd.Result {
	t.Helper()
	NeedRoot(t)
	NeedTool(t, "setpriv")
	const id = 65533
	home := filepath.Join(p.Dir, "home")
	assert.NilError(t, os.Mkdir(home, 0o755))
	run(t, "", nil, "cp", PluginPath(), filepath.Join(home, "docker-memsys")).Assert(t, icmd.Success)
	socket := filepath.Join(home, "s")
	forward(t, "unix", socket)
	assert.NilError(t, os.Chmod(socket, 0o666)) // as for a member of the group docker
	for _, path := range []string{p.Dir, home} {
		assert.NilError(t, os.Chown(path, id, id))
	}
	assert.NilError(t, os.Chmod(filepath.Dir(p.Dir), 0o755))
	for _, pair := range [][2]string{{"HOME", home}, {"DOCKER_CONFIG", home}, {"MEMSYS_STATE_DIR", filepath.Join(home, "state")}, {"DOCKER_HOST", "unix://" + socket}} {
		p.Setenv(pair[0], pair[1])
	}
	return func(args ...string) *icmd.Result {
		t.Helper()
		all := []string{"--reuid=65533", "--regid=65533", "--clear-groups", "--", filepath.Join(home, "docker-memsys")}
		return p.Run("setpriv", append(all, args...)...)
	}
}

func TestWhatAUserCannotReadIsNamed(t *testing.T) {
	p := Box(t, `["./data:/data", "vol:/vol"]`, "volumes: {vol: {}}\n")
	p.Setenv("MEMSYS_HELPER", "never")
	p.Write("data/open", "first")
	p.Write("data/closed", "secret")
	p.Write("data/shut/inside", "secret")
	p.Up()
	memsys := user(t, p)
	run(t, "", nil, "chown", "--recursive", "65533:65533", p.Path("data")).Assert(t, icmd.Success)
	for _, name := range []string{"closed", "shut"} {
		assert.NilError(t, os.Chown(p.Path("data", name), 0, 0))
		assert.NilError(t, os.Chmod(p.Path("data", name), 0o700))
	}
	Code(t, memsys("backup"), 3, "incomplete", "data/closed: unreadable", "data/shut: unreadable", "source vol: ")
	name, state := p.newest()
	assert.Equal(t, state, "incomplete")
	Code(t, memsys("restore", "latest", "--yes"), 8)
	Code(t, memsys("verify", name), 0)
	assert.Equal(t, p.State("app"), "running")

	p.Write("data/open", "second")
	unchanged := Keep(t, p.Path("data"))
	Code(t, memsys("restore", name, "--source", "data", "--yes"), 1, "everything was put back", "permission denied")
	unchanged()
	Code(t, p.Standalone("restore", name, "--source", "data", "--yes"), 3, "the backup is incomplete") // as root
	assert.Equal(t, p.Read("data/open"), "first")
	assert.Equal(t, p.Read("data/closed"), "secret") // what the backup has not is not taken away
	assert.Equal(t, p.Read("data/shut/inside"), "secret")
	Tidy(t, p.Path("data"), p.Path("backups"))
}
