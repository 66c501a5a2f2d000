//go:build e2e && linux

package power

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// stories are the commands that are recorded, each on the disk that the one before has left.
func (b *bed) stories() []*story {
	b.t.Helper()
	undo := memory(b.t, b.below)
	defer undo()
	b.begin()
	var all []*story
	add := func(name string, args ...string) {
		b.t.Helper()
		s := b.record(name, args...)
		assert.Equal(b.t, s.code, 0, "%s: %s", name, s.output)
		all = append(all, s)
	}
	add("first backup", "backup")
	b.write(2)
	add("second backup", "backup")
	b.write(3)
	add("restore", "restore", "latest", "--yes")
	add("undo", "restore", "--undo", "--yes")
	b.write(4)
	assert.NilError(b.t, os.RemoveAll(filepath.Join(b.below, "box", "state"))) // a first run on this machine
	add("restore without safety backup", "restore", "latest", "--yes", "--no-safety-backup")
	return all
}

// losses are all ways in which the power fails during a story; the seeds of the mixed model are drawn.
func (s *story) losses(random *rand.Rand, mixes int) []loss {
	var all []loss
	for before := s.begin; before <= len(s.ops); before++ {
		for _, m := range []model{strict, short, zeros, whole} {
			all = append(all, loss{before: before, model: m})
		}
		for range mixes {
			all = append(all, loss{before: before, model: mixed, seed: random.Uint64()})
		}
	}
	return all
}

func (s *story) String(l loss) string {
	next := "the end"
	if l.before < len(s.ops) {
		next = brief(s.ops[l.before].what)
	}
	return fmt.Sprintf("%s: power lost before operation %d of %d (%s), on the disk: %s, seed %d", s.name, l.before, len(s.ops), next, l.model, l.seed)
}

// brief is a text without what all paths have in common.
func brief(text string) string {
	return regexp.MustCompile(`/[^ ]*/(below|disk)/box/(state/projects/[^/ ]*)?`).ReplaceAllString(text, "")
}

func TestAfterPowerLossRecoverLeadsToTheOldOrTheNewState(t *testing.T) {
	b := newBed(t)
	_, random := campaign(t)
	ops, replays := 0, 0
	for _, s := range b.stories() {
		all := s.losses(random, 3)
		ops += len(s.ops)
		for i, n := range sample(random, len(all), 15) {
			if err := b.replay(s, all[n], i%10 == 0); err != nil {
				t.Errorf("%s: %v", s.String(all[n]), err)
			}
			replays++
		}
	}
	t.Logf("%d operations, %d replays", ops, replays)
}

// sample draws some of n numbers, all of them where the campaign is run in full.
func sample(random *rand.Rand, n, some int) []int {
	all := random.Perm(n)
	if full() {
		return all
	}
	return all[:min(n, some)]
}

func full() bool { return os.Getenv("MEMSYS_E2E_FULL") == "1" }

// campaign is the randomness of the recorded seed.
func campaign(t testing.TB) (uint64, *rand.Rand) {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("MEMSYS_E2E_SEED"), 10, 64)
	if err != nil {
		seed = 1
	}
	t.Logf("seed %d (again with: make e2e SEED=%d RUN=%s)", seed, seed, t.Name())
	return seed, rand.New(rand.NewPCG(seed, 7))
}

// recoveries are recordings of recover after losses of power that left something to do, some for each story.
func (b *bed) recoveries(random *rand.Rand, stories []*story, some int) []*story {
	b.t.Helper()
	var all []*story
	for _, s := range stories {
		losses := s.losses(random, 1)
		found := 0
		if l, ok := s.untimed(); ok {
			if r := b.recovery(s, l); r != nil {
				all = append(all, r)
			}
		}
		for _, n := range random.Perm(len(losses)) {
			if found == some {
				break
			}
			if r := b.recovery(s, losses[n]); r != nil {
				all = append(all, r)
				found++
			}
		}
	}
	return all
}

// untimed is the loss right after a staging was removed, before the folder around it has its time again.
func (s *story) untimed() (loss, bool) {
	for i, o := range s.ops {
		if strings.HasPrefix(o.what, "rmdir ") && strings.HasSuffix(o.what, ".finished") {
			return loss{before: i + 1, model: whole}, true
		}
	}
	return loss{}, false
}

// recovery is a recording of recover after a loss of power; nil where nothing was interrupted.
func (b *bed) recovery(s *story, l loss) *story {
	b.t.Helper()
	defer memory(b.t, b.below)()
	assert.NilError(b.t, layOut(s.after(l), b.below))
	r := b.record("recover after "+s.String(l), "recover")
	if strings.Contains(r.output, "nothing was interrupted") {
		return nil
	}
	assert.Equal(b.t, r.code, 0, "%s: %s", r.name, r.output)
	r.old = r.new // what the first recovery decides the second one must do
	r.whole = s.end
	return r
}

func TestPowerLossDuringRecoverChangesNothing(t *testing.T) {
	b := newBed(t)
	_, random := campaign(t)
	some := 2
	if full() {
		some = 6
	}
	ops, replays := 0, 0
	recoveries := b.recoveries(random, b.stories(), some)
	for _, s := range recoveries {
		all := s.losses(random, 2)
		ops += len(s.ops)
		for _, n := range sample(random, len(all), 3) {
			if err := b.replay(s, all[n], false); err != nil {
				t.Errorf("%s: %v", s.String(all[n]), err)
			}
			replays++
		}
	}
	t.Logf("%d recoveries of %d operations, %d replays", len(recoveries), ops, replays)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(brief(err.Error()), "\n")
	return line
}
