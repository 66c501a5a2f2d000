//go:build e2e && unix

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
)

// Times that the plugin promises, and times in which this machine must get there however busy it is.
const (
	resumeLimit = 2 * time.Second
	eventLimit  = time.Minute
)

// victim is a project with a service in each state that runs of the plugin must leave as it is: writer runs, still was
// paused by its user, off is stopped.
type victim struct {
	*Project
	engine *engine.Client
	ids    map[string]string
}

// newVictim brings the three services up, after prepare has made what they mount.
func newVictim(t testing.TB, composeFile string, prepare func(*Project)) *victim {
	t.Helper()
	NeedRoot(t)
	NeedImage(t, Busybox)
	client, err := engine.Dial(engine.Endpoint{Host: os.Getenv("DOCKER_HOST")})
	assert.NilError(t, err)
	v := &victim{Project: NewProject(t, composeFile), engine: client, ids: map[string]string{}}
	t.Cleanup(func() { assert.Check(t, client.Close()) })
	t.Cleanup(func() {
		for _, name := range v.locks() {
			assert.Check(t, client.RemoveVolume(context.Background(), name))
		}
	})
	prepare(v.Project)
	v.Up()
	for _, service := range []string{"writer", "still", "off"} {
		v.ids[service] = v.Container(service)
	}
	v.Docker("pause", v.ids["still"]).Assert(t, icmd.Success)
	v.Docker("stop", v.ids["off"]).Assert(t, icmd.Success)
	v.asBefore(0)
	return v
}

// state is what the engine says of a service.
func (v *victim) state(service string) engine.State {
	v.t.Helper()
	c, err := v.engine.Container(v.t.Context(), v.ids[service])
	assert.NilError(v.t, err)
	return c.State
}

// asBefore waits until every service is in its state again, until the limit is over.
func (v *victim) asBefore(limit time.Duration) {
	v.t.Helper()
	want := map[string]engine.State{"writer": engine.Running, "still": engine.Paused, "off": engine.Exited}
	end := time.Now().Add(limit)
	poll.WaitOn(v.t, func(poll.LogT) poll.Result {
		late := time.Now().After(end)
		for service, state := range want {
			if is := v.state(service); is != state && late {
				return poll.Error(fmt.Errorf("%s is %s, not %s, after %s", service, is, state, limit))
			} else if is != state {
				return poll.Continue("%s is %s", service, is)
			}
		}
		return poll.Success()
	}, poll.WithTimeout(limit+eventLimit), poll.WithDelay(5*time.Millisecond))
}

// waitState waits for a state that a run of the plugin brings about.
func (v *victim) waitState(service string, state engine.State, p *Process) {
	v.t.Helper()
	poll.WaitOn(v.t, func(poll.LogT) poll.Result {
		select {
		case <-p.done:
			return poll.Error(fmt.Errorf("%s was never %s: %s", service, state, p.Output()))
		default:
		}
		if is := v.state(service); is != state {
			return poll.Continue("%s is %s", service, is)
		}
		return poll.Success()
	}, poll.WithTimeout(eventLimit), poll.WithDelay(2*time.Millisecond))
}

// volume is where the volume of the project lies.
func (v *victim) volume() string {
	v.t.Helper()
	return v.Output("volume", "inspect", "--format", "{{.Mountpoint}}", v.Name+"_store")
}

// noise writes bytes that do not compress.
func noise(t testing.TB, random *rand.Rand, path string, size int) {
	t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	assert.NilError(t, os.WriteFile(path, data, 0o640))
}

// memories writes small JSON files.
func memories(t testing.TB, random *rand.Rand, dir string, count int) {
	t.Helper()
	assert.NilError(t, os.MkdirAll(dir, 0o755))
	for i := range count {
		text := fmt.Sprintf(`{"id":%d,"n":%d,"text":%q}`, i, random.Uint64(), strings.Repeat("memory ", random.IntN(100)))
		assert.NilError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("memory-%04d.json", i)), []byte(text), 0o644))
	}
}

// locks are the lock objects of the project that the engine has.
func (v *victim) locks() []string {
	result := v.Docker("volume", "ls", "--quiet", "--filter", "label=io.memsys.lock", "--filter", "name="+v.Name)
	assert.Check(v.t, result.ExitCode == 0, result.Combined())
	return strings.Fields(result.Stdout())
}

// pending is the operation that the journal of the project has as interrupted.
func (v *victim) pending() *journal.Interrupted {
	v.t.Helper()
	state := journal.View(v.getenv("MEMSYS_STATE_DIR"), v.Name+" in "+v.Dir)
	p, err := state.Pending()
	assert.NilError(v.t, err)
	return p
}

// getenv is what the project's commands have in a variable.
func (p *Project) getenv(name string) string {
	for i := len(p.env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(p.env[i], name+"="); ok {
			return value
		}
	}
	return os.Getenv(name)
}

// lastStep is the last thing that an interrupted operation put on record.
func lastStep(p *journal.Interrupted) string {
	if p == nil {
		return "nothing on record"
	}
	if len(p.Steps) == 0 {
		return p.Op + " begun"
	}
	return p.Steps[len(p.Steps)-1].Name
}

// plugins are the process ids of the test bed's plugin that run with a word among their arguments, below one parent; 0: of any.
func plugins(t testing.TB, word string, parent int) []int {
	t.Helper()
	program, err := os.Stat(PluginPath())
	assert.NilError(t, err)
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	assert.NilError(t, err)
	var found []int
	for _, link := range links {
		is, err := os.Stat(link)
		if err != nil || !os.SameFile(program, is) {
			continue
		}
		dir := filepath.Dir(link)
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if strings.Contains(string(command), "\x00"+word+"\x00") && (parent == 0 || parentOf(dir) == parent) {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			found = append(found, pid)
		}
	}
	return found
}

// parentOf is the parent of the process whose folder below /proc this is.
func parentOf(dir string) int {
	status, _ := os.ReadFile(filepath.Join(dir, "status"))
	_, rest, _ := strings.Cut(string(status), "\nPPid:\t")
	line, _, _ := strings.Cut(rest, "\n")
	pid, _ := strconv.Atoi(line)
	return pid
}

// noProcess waits until no process of the plugin with this argument is left: a guardian, or a run that lost its parent.
func noProcess(t testing.TB, word string) {
	t.Helper()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if left := plugins(t, word, 0); len(left) > 0 {
			return poll.Continue("%s still runs: %v", word, left)
		}
		return poll.Success()
	}, poll.WithTimeout(eventLimit), poll.WithDelay(20*time.Millisecond))
}
