//go:build e2e && unix

package e2e

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"
)

// All services of this project write into what is backed up, so that none is left alone for that reason.
const writersProject = `
x-memsys: {backups: ./backups}
x-service: &service
  image: memsystest/busybox:latest
  command: [sh, -c, "while :; do date >/data/.$$HOSTNAME; mv /data/.$$HOSTNAME /data/$$HOSTNAME; usleep 20000; done"]
  volumes: ["./data:/data", "store:/store"]
  network_mode: none
  stop_signal: SIGKILL
services:
  writer: *service
  still: *service
  off: *service
volumes:
  store: {}
`

// newWriters is a project that writes all the time and has some megabytes.
func newWriters(t testing.TB, megabytes int) *victim {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	v := newVictim(t, writersProject, func(p *Project) {
		memories(t, random, p.Path("data", "memories"), 150)
		noise(t, random, p.Path("data", "embeddings.bin"), megabytes<<19)
	})
	noise(t, random, v.volume()+"/vectors.bin", megabytes<<19)
	return v
}

// A weapon is a way to start the plugin and to kill it.
type weapon struct {
	name string
	// viaDocker starts docker memsys, else docker-memsys.
	viaDocker bool
	// docker is killed rather than the plugin that it started: the plugin hears of it and puts everything back itself.
	killDocker bool
}

// weapons returns the ways, one for each round.
func weapons(round int) weapon {
	return []weapon{
		{name: "plugin"}, {name: "plugin of docker", viaDocker: true}, {name: "plugin"}, {name: "docker", viaDocker: true, killDocker: true},
	}[round%4]
}

// start starts a command of the plugin.
func (w weapon) start(p *Project, args ...string) *Process {
	if w.viaDocker {
		return p.Start("docker", append([]string{"memsys"}, args...)...)
	}
	return p.Start(PluginPath(), args...)
}

// strike kills after a time and tells when, and whether there was still something to kill. It returns once the plugin has ended.
func (w weapon) strike(t testing.TB, p *Process, verb string, after time.Duration) (at time.Time, killed bool) {
	t.Helper()
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-p.done:
		return time.Now(), false
	case <-timer.C:
	}
	pid := p.Pid()
	if w.viaDocker && !w.killDocker {
		pid = pluginOf(t, p, verb)
	}
	at = time.Now()
	killed = pid != 0 && syscall.Kill(pid, syscall.SIGKILL) == nil
	if w.killDocker {
		noProcess(t, verb)
	}
	return at, p.Wait() != 0 && killed
}

// pluginOf waits for the plugin that docker starts and returns its process id, 0 when docker ended.
func pluginOf(t testing.TB, docker *Process, verb string) (pid int) {
	t.Helper()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		select {
		case <-docker.done:
			return poll.Success()
		default:
		}
		if found := plugins(t, verb, docker.Pid()); len(found) > 0 {
			pid = found[0]
			return poll.Success()
		}
		return poll.Continue("docker has not started the plugin")
	}, poll.WithTimeout(eventLimit), poll.WithDelay(time.Millisecond))
	return pid
}

// Issue 2, "What it must show" 3: kill -9 at random moments of a backup.
func TestBackupKilledAtAnyMoment(t *testing.T) {
	inEach(t, []mode{direct, helped, remote}, backupKilledAtAnyMoment)
}

func backupKilledAtAnyMoment(t *testing.T, m mode) {
	v := newWriters(t, 24)
	rounds, random := Campaign(t, 200, m.some(4))
	usual := v.backUp(false)
	hits := map[string]int{}
	longest := time.Duration(0)
	for round, moment := range moments(rounds, random) {
		w := weapons(round)
		p := w.start(v.Project, "backup", "--progress", "plain")
		at, killed := w.strike(t, p, "backup", time.Duration(moment*float64(usual)))
		if killed && !w.killDocker {
			v.asBefore(resumeLimit - time.Since(at))
			longest = max(longest, time.Since(at))
		}
		if round%3 == 0 { // in the other rounds the next run comes before the guardian has gone
			noProcess(t, "__guardian")
			v.asBefore(0)
		}
		v.backupsAreWhole()
		was := v.pending()
		if killed {
			hits[lastStep(was)]++
		}
		t.Logf("round %d: %s killed (%v) at %.2f of %s: %s", round, w.name, killed, moment, usual.Round(time.Millisecond), lastStep(was))
		usual = v.backUp(was != nil)
		v.discard(v.archives()[:max(0, len(v.archives())-2)]...)
	}
	t.Logf("all services ran again after %s at the latest", longest)
	enough(t, rounds, hits)
}

// moments are rounds moments of a whole, one in each part of it, in an order of chance.
func moments(rounds int, random *rand.Rand) []float64 {
	all := make([]float64, rounds)
	for i, part := range random.Perm(rounds) {
		all[i] = (float64(part) + random.Float64()) / float64(rounds)
	}
	return all
}

// enough fails a campaign that killed too little to have shown anything.
func enough(t testing.TB, rounds int, hits map[string]int) {
	t.Helper()
	total := 0
	for _, n := range hits {
		total += n
	}
	t.Logf("killed %d of %d, at: %v", total, rounds, hits)
	assert.Assert(t, total*2 >= rounds, "only %d of %d rounds killed anything", total, rounds)
	if rounds >= 8 { // a few may well find the same long step
		assert.Assert(t, len(hits) > 1, "all kills at the same step: %v", hits)
	}
}

// backUp makes a backup that nothing disturbs, after one that was interrupted or not, and returns how long it took. The
// unfinished archive, if there was one, is gone after it; everything in the backups directory is verified.
func (v *victim) backUp(interrupted bool) time.Duration {
	v.t.Helper()
	unfinished := v.unfinished()
	start := time.Now()
	result := v.Standalone("backup", "--progress", "plain")
	took := time.Since(start)
	result.Assert(v.t, icmd.Success)
	assert.Equal(v.t, tellsInterrupted(result), interrupted, result.Combined())
	for _, name := range unfinished {
		// The private copies beside an archive go with it, without a word.
		if strings.Contains(name, ".tar.gz.tmp-") && !strings.HasSuffix(name, ".scratch") {
			assert.Assert(v.t, strings.Contains(result.Combined(), "removed the unfinished archive "+v.Path("backups", name)), result.Combined())
		}
	}
	v.asBefore(0)
	v.nothingIsLeft()
	v.asBefore(0)
	v.backupsAreWhole()
	v.Standalone("verify", "--all", "--progress", "quiet").Assert(v.t, icmd.Success)
	newest := v.archives()[len(v.archives())-1]
	assert.Equal(v.t, strings.TrimSpace(v.Read("backups/latest_backup.txt")), v.Path("backups", newest))
	return took
}

// tellsInterrupted tells whether a command says that one before it was interrupted.
func tellsInterrupted(result *icmd.Result) bool {
	return regexp.MustCompile(`the (backup|restore|undo) of .* was interrupted`).MatchString(result.Combined())
}
