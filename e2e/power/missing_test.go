//go:build e2e && linux

package power

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
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
	names := slices.Sorted(maps.Keys(sites))
	tried, broken := 0, 0
	for _, i := range sample(random, len(names), 3) {
		shown, n := b.shows(t, random, all, names[i])
		tried += n
		if shown {
			broken++
		}
		if full() {
			judge(t, names[i], shown, n)
		}
	}
	if broken == 0 {
		t.Errorf("no sync that was taken away broke anything")
	}
	t.Logf("%d places that sync; %d replays", len(sites), tried)
}

// judge holds what a full campaign has found of a place: each sync is needed, but for those that are spare.
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
	for _, m := range []model{strict, mixed, short, zeros} {
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
// one soon after it and another one.
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
	var soon, late, turns []lossOf
	for _, l := range found {
		if l.soonAfter(site, l.loss.before) {
			soon = append(soon, l)
		} else {
			late = append(late, l)
		}
	}
	for i := range found {
		turns = append(append(turns, soon[min(i, len(soon)):min(i+1, len(soon))]...), late[min(i, len(late)):min(i+1, len(late))]...)
	}
	return turns
}
