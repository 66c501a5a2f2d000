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
	return map[string]string{}
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
			if o.isSync() {
				sites[o.site] = true
			}
		}
	}
	tried := 0
	for _, site := range slices.Sorted(maps.Keys(sites)) {
		if site == "" {
			t.Error("a sync was made from an unknown place")
			continue
		}
		shown, n := b.shows(t, random, all, site)
		tried += n
		switch reason := spare()[site]; {
		case !shown && reason == "":
			t.Errorf("without the sync of %s nothing is broken after %d losses of power: is it needed?", site, n)
		case shown && reason != "":
			t.Errorf("the sync of %s is needed: take it from the list of those that are not", site)
		}
	}
	t.Logf("%d syncs taken away, one at a time; %d replays", len(sites), tried)
}

// shows finds a loss of power that breaks a promise in a program without the sync of a place.
func (b *bed) shows(t *testing.T, random *rand.Rand, all []*story, site string) (shown bool, tried int) {
	most := 60
	if full() {
		most = 1000
	}
	for _, m := range []model{strict, short, zeros, mixed} {
		for _, l := range b.without(random, all, m, site) {
			if tried++; tried > most {
				return false, tried
			}
			if err := b.replay(l.story, l.loss, false); err != nil {
				t.Logf("without the sync of %s: %s: %s", site, l.String(l.loss), firstLine(err))
				return true, tried
			}
		}
	}
	return false, tried
}

type lossOf struct {
	*story
	loss loss
}

// without are the losses of a model that are others without the sync of a place, in random order.
func (b *bed) without(random *rand.Rand, all []*story, m model, site string) []lossOf {
	var found []lossOf
	for _, s := range all {
		for before := s.begin; before <= len(s.ops); before++ {
			l := loss{before: before, model: m, seed: random.Uint64(), without: site}
			if !slices.Equal(s.durable(l), s.durable(loss{before: before, model: m})) {
				found = append(found, lossOf{s, l})
			}
		}
	}
	random.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return found
}
