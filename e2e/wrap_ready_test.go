//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// upWith is a project of one service and what stands in its file besides, for docker memsys up.
func upWith(t *testing.T, service, more string) *Project {
	t.Helper()
	NeedImage(t, Busybox)
	return NewProject(t, "services:\n  app:\n    image: "+Busybox+"\n    stop_grace_period: 0s\n"+service+more)
}

// ready runs an up that does not wait for long, and asserts its exit code and the last line on standard error.
func ready(t *testing.T, p *Project, code int, text string, args ...string) *icmd.Result {
	t.Helper()
	result := p.Memsys(append([]string{"up", "-d", "--stable", "2s", "--ready-timeout", "20s"}, args...)...)
	assert.Equal(t, result.ExitCode, code, result.Combined())
	said := strings.TrimSpace(result.Stderr())
	if line, _, hint := strings.Cut(said, "\nnext: "); hint {
		said = line
	}
	last := said[strings.LastIndex(said, "\n")+1:]
	assert.Assert(t, strings.Contains(last, text), "%q is not in the last line: %s", text, result.Combined())
	return result
}

// TestACrashLoopIsNotReady: Compose, told to wait, calls it healthy.
func TestACrashLoopIsNotReady(t *testing.T) {
	t.Parallel()
	p := upWith(t, "    restart: always\n    command: [sh, -c, 'sleep 0.3; exit 7']\n", "")
	p.Compose("up", "-d", "--wait").Assert(t, icmd.Success)
	ready(t, p, 1, "not ready: "+p.Name+"-app-1 restarted ")
	p.Compose("down").Assert(t, icmd.Success)
	result := ready(t, p, 1, "not ready: "+p.Name+"-app-1 restarted ")
	assert.Assert(t, strings.HasSuffix(result.Stderr(), "next: docker compose logs app\n"), result.Stderr())
}

// TestAOneShotIsReadyOnceItHasEndedWell: Compose, told to wait, fails.
func TestAOneShotIsReadyOnceItHasEndedWell(t *testing.T) {
	t.Parallel()
	p := upWith(t, "    command: ['true']\n", "")
	assert.Equal(t, p.Compose("up", "-d", "--wait").ExitCode, 1)
	ready(t, p, 0, "1 container has ended well")
	t.Run("and others wait for it", func(t *testing.T) {
		p := upWith(t, "    command: [sleep, '3']\n", `  web:
    image: `+Busybox+`
    command: [tail, -f, /dev/null]
    stop_grace_period: 0s
    depends_on: {app: {condition: service_completed_successfully}}
`)
		ready(t, p, 0, "ready: 1 container runs, 1 has ended well")
	})
}

// TestAOneShotThatFailsIsNotReady: plain Compose says nothing.
func TestAOneShotThatFailsIsNotReady(t *testing.T) {
	t.Parallel()
	p := upWith(t, "    command: [sh, -c, 'sleep 1; exit 3']\n", "")
	p.Compose("up", "-d").Assert(t, icmd.Success)
	ready(t, p, 1, "not ready: "+p.Name+"-app-1 ended with exit code 3")
}

// TestASlowStarterIsReadyInTheEnd: although it is unhealthy for a while, at which Compose, told to wait, gives up.
func TestASlowStarterIsReadyInTheEnd(t *testing.T) {
	t.Parallel()
	slow := "    command: [sh, -c, 'rm -f /up; sleep 4; touch /up; tail -f /dev/null']\n    healthcheck: {test: [CMD, test, -e, /up], interval: 500ms, retries: 1}\n"
	p := upWith(t, slow, "")
	assert.Equal(t, p.Compose("up", "-d", "--wait").ExitCode, 1)
	p.Compose("down").Assert(t, icmd.Success)
	ready(t, p, 0, "ready: 1 container runs after ")
	assert.Equal(t, p.Output("inspect", "--format", "{{.State.Health.Status}}", p.Container("app")), "healthy")
}

// TestAHealthyContainerWithADeadEndpointIsNotReady: its healthcheck asks something else.
func TestAHealthyContainerWithADeadEndpointIsNotReady(t *testing.T) {
	address := "127.0.0.1:" + FreePort(t)
	p := upWith(t, "    command: [tail, -f, /dev/null]\n    healthcheck: {test: [CMD, 'true'], interval: 1s}\n    ports: ['"+address+":3000']\n",
		"x-memsys: {health: {url: 'http://"+address+"/health'}}\n")
	p.Compose("up", "-d", "--wait").Assert(t, icmd.Success)
	ready(t, p, 1, "not ready: http://"+address+"/health does not answer: ", "--ready-timeout", "5s")
	began := time.Now()
	ready(t, p, 1, "not ready: http://"+address+"/health does not answer: ", "--ready-timeout", "5s")
	assert.Assert(t, time.Since(began) < 5*time.Second, "one that has had its time is not waited for")
}

// answering is a service that says at /health that it is well, with data that it never looks at.
const answering = "    command: [sh, -c, 'mkdir -p /www && echo ok >/www/health && httpd -f -p 3000 -h /www']\n    volumes: ['./data:/data']\n"

// TestAHealthyEndpointWithADamagedStoreIsDamaged: and once the data is mended, the verdict is another.
func TestAHealthyEndpointWithADamagedStoreIsDamaged(t *testing.T) {
	t.Parallel()
	address := "127.0.0.1:" + FreePort(t)
	p := upWith(t, answering+"    ports: ['"+address+":3000']\n", "x-memsys: {health: {url: 'http://"+address+"/health'}}\n")
	p.Write("data/memories.json", `[{"id": "1", "content": "a"}]`)
	ready(t, p, 0, "ready: 1 container runs after ")
	p.Write("data/memories.json", `[{"id": "1", "cont`)
	ready(t, p, 4, "the services run, but damage was found in 1 place, first: ")
	assert.Equal(t, p.State("app"), "running")
	ready(t, p, 4, "the services run, but damage was found in 1 place, first: ", "--backup", "never")
	p.Write("data/memories.json", `[{"id": "1", "content": "b"}]`)
	ready(t, p, 0, "the data is as in memory_backup_")
}

// TestThroughAHelperTheDataIsLookedAtToo: a user may not read what the service writes. Private copies lie in a volume of the helper's.
func TestThroughAHelperTheDataIsLookedAtToo(t *testing.T) {
	t.Parallel()
	p := upWith(t, answering, "")
	p.Setenv("MEMSYS_HELPER", "always")
	p.Write("data/memories.json", `[{"id": "1", "content": "a"}]`)
	ready(t, p, 0, "1 source validated (quick)", "--backup", "never")
	p.Write("data/memories.json", `[{"id": "1", "cont`)
	ready(t, p, 4, "the services run, but damage was found in 1 place, first: ")
	p.Write("data/memories.json", `[{"id": "1", "content": "b"}]`)
	ready(t, p, 0, "1 source validated (quick)")
}

// TestAnUnchangedProjectIsNeitherWaitedForNorReadAgain: its verdict comes at once, whatever the window is.
func TestAnUnchangedProjectIsNeitherWaitedForNorReadAgain(t *testing.T) {
	p := upWith(t, answering, "")
	p.Write("data/memories.json", `[{"id": "1", "content": "a"}]`)
	ready(t, p, 0, "1 source validated (quick)", "--backup", "never")
	ready(t, p, 0, "the data is as it was when it was last validated", "--backup", "never")
	time.Sleep(3 * time.Second) // longer than the window
	ready(t, p, 0, "the data is as in memory_backup_")
	id := p.Container("app")
	began := time.Now()
	result := p.Memsys("--progress", "json", "up", "-d", "--stable", "3s")
	assert.Equal(t, result.ExitCode, 0, result.Combined())
	assert.Assert(t, time.Since(began) < 3*time.Second, "it waited: %s", time.Since(began))
	assert.Equal(t, p.Container("app"), id)
	lines := strings.Split(strings.TrimSpace(result.Stderr()), "\n")
	var last struct{ Step, Status, Text string }
	assert.NilError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last), result.Stderr())
	assert.Equal(t, last.Step, "ready")
	assert.Equal(t, last.Status, "done")
	assert.Assert(t, strings.HasPrefix(last.Text, "1 container runs; the data is as in memory_backup_"), last.Text)
}

// TestARestartIsWaitedFor: its window begins anew.
func TestARestartIsWaitedFor(t *testing.T) {
	t.Parallel()
	p := upWith(t, "    command: [sh, -c, 'test ! -e /dead || exit 5; touch /dead; tail -f /dev/null']\n    restart: always\n", "")
	ready(t, p, 0, "ready: 1 container runs after ")
	result := p.Memsys("restart", "--stable", "2s", "--ready-timeout", "20s")
	assert.Equal(t, result.ExitCode, 1, result.Combined())
	assert.Assert(t, strings.Contains(result.Stderr(), "not ready: "+p.Name+"-app-1 restarted "), result.Stderr())
}

// TestAWaitCanBeInterrupted: by Ctrl-C, in a terminal; the services stay as they are.
func TestAWaitCanBeInterrupted(t *testing.T) {
	t.Parallel()
	p := upWith(t, "    command: [tail, -f, /dev/null]\n    healthcheck: {test: [CMD, 'false'], interval: 1s}\n", "")
	run := p.RunTTY("docker", "memsys", "--progress", "plain", "up", "-d")
	run.WaitFor("its healthcheck")
	run.Interrupt()
	assert.Equal(t, run.Wait(), 130, run.Output())
	assert.Assert(t, strings.Contains(run.Output(), "interrupted while the services were waited for; they stay as they are"), run.Output())
	assert.Equal(t, p.State("app"), "running")
	p.Memsys("backup").Assert(t, icmd.Expected{ExitCode: 1}) // there is nothing to back up, and no lock in the way
}

// TestAnAttachedUpSaysWhatIsWrong: at once where it writes to no terminal, and at the end.
func TestAnAttachedUpSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	loop := "    restart: always\n    command: [sh, -c, 'sleep 0.3; exit 7']\n"
	wrong := func(p *Project) string { return "not ready: " + p.Name + "-app-1 restarted " }
	t.Run("in a log", func(t *testing.T) {
		p := upWith(t, loop, "")
		run := p.Start("docker", "memsys", "up", "--stable", "2s")
		run.WaitFor(wrong(p))
		assert.Assert(t, strings.Contains(run.Output(), "\nfailed: up: "+wrong(p)), run.Output())
	})
	t.Run("in a terminal", func(t *testing.T) {
		p := upWith(t, loop, "")
		run := p.RunTTY("docker", "memsys", "up", "--stable", "2s")
		run.WaitFor("exited with code 7")
		time.Sleep(6 * time.Second) // it is known by now
		assert.Assert(t, !strings.Contains(run.Output(), wrong(p)), run.Output())
		run.Interrupt()
		assert.Assert(t, run.Wait() != 0, run.Output())
		assert.Assert(t, strings.Contains(run.Output(), wrong(p)), run.Output())
	})
	t.Run("not of what somebody has stopped", func(t *testing.T) {
		for _, policy := range []string{"no", "always"} {
			p := upWith(t, "    restart: '"+policy+"'\n    command: [sh, -c, 'echo begun; tail -f /dev/null']\n", "")
			var codes []int
			for _, name := range []string{"compose", "memsys"} {
				run := p.RunTTY("docker", name, "up")
				run.WaitFor("begun")
				run.Interrupt()
				codes = append(codes, run.Wait())
				assert.Assert(t, !strings.Contains(run.Output(), "not ready"), run.Output())
			}
			assert.Equal(t, codes[0], codes[1])
		}
	})
	t.Run("of services that have ended", func(t *testing.T) {
		for code, want := range map[int]string{0: "ready: 1 container has ended well", 3: "-app-1 ended with exit code 3"} {
			p := upWith(t, fmt.Sprintf("    command: [sh, -c, 'exit %d']\n", code), "")
			result := p.Memsys("up")
			assert.Equal(t, result.ExitCode, min(code, 1), result.Combined())
			assert.Assert(t, strings.Contains(result.Stderr(), want), result.Combined())
		}
	})
	t.Run("of data that is damaged", func(t *testing.T) {
		p := upWith(t, answering, "")
		p.Write("data/memories.json", `[{"id": "1", "cont`)
		run := p.Start("docker", "memsys", "up", "--stable", "1s")
		run.WaitFor("the services run, but damage was found in 1 place, first: ")
		p.Memsys("backup").Assert(t, icmd.Expected{ExitCode: 4}) // no lock is in the way
	})
}

// TestAChromaServerMustAnswer: a port that promises one, and no server behind it.
func TestAChromaServerMustAnswer(t *testing.T) {
	t.Parallel()
	address := "127.0.0.1:" + FreePort(t)
	p := upWith(t, "    command: [sh, -c, 'mkdir -p /www/api/v2 && echo nothing >/www/api/v2/heartbeat && httpd -f -p 8000 -h /www']\n    ports: ['"+address+":8000']\n",
		"x-memsys: {chroma: {url: 'http://"+address+"'}}\n")
	ready(t, p, 1, "not ready: http://"+address+" is no Chroma server: ", "--ready-timeout", "5s")
	p.Exec("app", "sh", "-c", `echo '{"nanosecond heartbeat": 12}' >/www/api/v2/heartbeat`)
	ready(t, p, 0, "ready: 1 container runs")
}
