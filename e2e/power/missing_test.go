//go:build e2e && linux

package power

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

// spare are syncs whose absence no loss of power shows, each with the reason why it is there all the same.
func spare() map[string]string {
	return map[string]string{
		"tree.Stage, folder": "on Linux syncfs comes before anything is moved; where there is none nothing else makes the name of the staging durable",
	}
}

// place is the site of a sync, or the name of several of which one would do.
func place(site string) string {
	switch site {
	case "backup.(*reading).complete, file", "store.(*Pending).Flush, file":
		// The first ends the time of writing; the second cleans the pages that are dropped from the cache before the archive is read back.
		return "the archive, twice"
	}
	return site
}

// Removing any one fsync from the program makes this test's other half fail: for each place that syncs there is a loss of power
// after which a promise is broken if that place did not.
func TestWithoutAnyOneSyncAPromiseIsBroken(t *testing.T) {
	b := newBed(t)
	_, random := campaign(t)
	all := b.stories()
	all = append(all, b.recoveries(random, all, 3)...)
	sites := map[string]bool{}
	for _, s := range all {
		for _, o := range s.ops {
			if o.isSync() && o.site == "" {
				t.Errorf("%s: %s, from an unknown place", s.name, brief(o.what))
			} else if o.isSync() {
				sites[place(o.site)] = true
			}
		}
	}
	if !full() {
		maps.DeleteFunc(sites, func(site string, _ bool) bool { return spare()[site] != "" }) // to show nothing takes every replay
	}
	names := slices.Sorted(maps.Keys(sites))
	assert.Assert(t, len(names) >= 20, "too few places that sync are known: %q", names)
	tried := 0
	for _, name := range names {
		shown, n := b.shows(t, random, all, name)
		tried += n
		judge(t, name, shown, n)
	}
	t.Logf("%d places that sync; %d replays", len(names), tried)
}

// judge holds what was found of a place: each sync is needed, but for those that are spare.
func judge(t *testing.T, site string, shown bool, tried int) {
	t.Helper()
	switch reason := spare()[site]; {
	case !shown && reason == "":
		t.Errorf("without the sync of %s nothing is broken after %d losses of power: is it needed?", site, tried)
	case shown && reason != "":
		t.Errorf("the sync of %s is needed: take it from the list of those that are not", site)
	}
}

// shows finds a loss of power that breaks a promise in a program without the sync of a place.
func (b *bed) shows(t *testing.T, random *rand.Rand, all []*story, site string) (shown bool, tried int) {
	most := 300
	if full() {
		most = 1000
	}
	var queues [][]lossOf
	for _, m := range []model{lacks, strict, mixed, short, zeros} {
		queues = append(queues, b.without(random, all, m, site))
	}
	for ; tried < most; tried++ {
		queue := tried % len(queues)
		if len(queues[queue]) == 0 {
			continue
		}
		l := queues[queue][0]
		queues[queue] = queues[queue][1:]
		if err := b.replay(l.story, l.loss, false); err != nil {
			t.Logf("without the sync of %s: %s: %s", site, l.String(l.loss), firstLine(err))
			return true, tried
		}
	}
	return false, tried
}

type lossOf struct {
	*story
	loss loss
}

// soonAfter tells whether a place has synced in the last few operations: what was to be durable then is still the latest.
func (s *story) soonAfter(site string, before int) bool {
	return slices.ContainsFunc(s.ops[max(s.begin, before-10):before], func(o op) bool { return place(o.site) == site })
}

// without are the losses of a model that are others without the sync of a place, in random order, by turns
// one after the command was done, one soon after the sync and another one.
func (b *bed) without(random *rand.Rand, all []*story, m model, site string) []lossOf {
	var found []lossOf
	draws := 1
	if m == mixed {
		draws = 4
	}
	for _, s := range all {
		for before := s.begin; before <= len(s.ops); before++ {
			l := loss{before: before, model: m, without: site}
			if slices.Equal(s.durable(l), s.durable(loss{before: before, model: m})) {
				continue
			}
			for range draws {
				l.seed = random.Uint64()
				found = append(found, lossOf{s, l})
			}
		}
	}
	random.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	var end, soon, late, turns []lossOf
	for _, l := range found {
		switch {
		case l.loss.before == len(l.ops):
			end = append(end, l)
		case l.soonAfter(site, l.loss.before):
			soon = append(soon, l)
		default:
			late = append(late, l)
		}
	}
	for i := range found {
		for _, queue := range [][]lossOf{end, soon, late} {
			turns = append(turns, queue[min(i, len(queue)):min(i+1, len(queue))]...)
		}
	}
	return turns
}
