//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// filled is a project whose store a real server has written: memories, whose index was written twice, and some of whose operations wait;
// sessions, below the threshold; twins, like the memories; fresh, that never had a record. before is its store in the middle of it all.
func filled(t *testing.T) (p *chromaProject, before chromaStore) {
	t.Helper()
	p = newChroma(t, "")
	p.start()
	memories, sessions := p.create("memories", 16, 0, "cosine"), p.create("sessions", 8, 0, "l2")
	twins := p.create("twins", 16, 50, "cosine")
	p.create("fresh", 4, 0, "cosine")
	memories.send("add", 0, 1200)
	sessions.send("add", 0, 30)
	twins.send("add", 0, 100)
	p.stop()
	before = p.keep()
	p.start()
	memories.send("update", 100, 60)
	memories.send("delete", 300, 45)
	memories.send("add", 1200, 1000)
	memories.send("upsert", 2190, 20)
	sessions.send("update", 5, 10)
	sessions.send("delete", 20, 4)
	sessions.send("add", 30, 3)
	assert.Equal(t, memories.count(), 2165)
	assert.Equal(t, sessions.count(), 29)
	p.stop()
	return p, before
}

// named asserts that the report names a thing as it should.
func (d chromaDamage) named(t *testing.T, l looks, at string) {
	t.Helper()
	for _, r := range l.Results {
		for _, f := range r.Findings {
			if f.Status == "damaged" && f.Path == at && r.Check.ID == d.check && (d.object == "" || f.Object == d.object) && strings.Contains(f.Text, d.text) {
				return
			}
		}
	}
	t.Errorf("not named: %s\n%s", at, l.said())
}

// TestDamageOfARealChromaStoreIsFoundAndNamed: in the live store, by the proof of a backup, and in the archive, which is never latest.
func TestDamageOfARealChromaStoreIsFoundAndNamed(t *testing.T) {
	if !haveChroma(t) {
		return
	}
	p, before := filled(t)
	assert.Equal(t, validateData(t, p.Project, 0).said(), "")
	good := p.Backup("--validate", "full")
	assert.Equal(t, validateData(t, p.Project, 0, good).said(), "")
	pristine := p.keep()
	damages := chromaDamages()
	archived, random := Campaign(t, len(damages), 4)
	inArchive := map[int]bool{}
	for _, i := range random.Perm(len(damages))[:archived] {
		inArchive[i] = true
	}
	for i, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			p.lay(pristine)
			at := p.store().place(d.at)
			d.plant(p.store(), before)
			d.named(t, validateData(t, p.Project, 4), at)
			if !inArchive[i] {
				return
			}
			depth := "quick"
			if d.full {
				depth = "full"
			}
			result := Code(t, p.Memsys("backup", "--accept-shrink", "--validate", depth, "--format", "json"), 4, "damaged")
			archive := p.made(result)
			d.named(t, validateData(t, p.Project, 4, archive), at)
			assert.Equal(t, p.latest(), filepath.Base(good))
		})
	}
	t.Logf("%d damages live, %d of them in archives", len(damages), archived)
	p.lay(pristine)
	assert.Equal(t, validateData(t, p.Project, 0).said(), "")
}

// said are all findings, each in a line.
func (l looks) said() string {
	var all []string
	for _, r := range l.Results {
		for _, f := range r.Findings {
			all = append(all, strings.Join([]string{f.Status, r.Check.ID, f.Path, "[" + f.Object + "]", f.Text}, " "))
		}
	}
	return strings.Join(all, "\n")
}

// TestHealthyChromaStoresRaiseNoAlarm: live, by the proof of a backup, and in the archive.
func TestHealthyChromaStoresRaiseNoAlarm(t *testing.T) {
	if !haveChroma(t) {
		return
	}
	p := newChroma(t, "")
	for _, state := range healthyStates(p) {
		t.Run(state.name, func(t *testing.T) {
			p.lay(state.store)
			assert.NilError(t, os.RemoveAll(p.Path("backups")))
			live := validateData(t, p.Project, 0)
			archive := p.Backup("--validate", "full")
			kept := validateData(t, p.Project, 0, archive)
			for _, l := range []looks{live, kept} {
				assert.Assert(t, l.checked("databases.chroma") == 1, l.said())
				if state.warns == "" {
					assert.Equal(t, l.said(), "")
				} else {
					assert.Assert(t, strings.Contains(l.said(), state.warns), l.said())
				}
			}
			assert.Equal(t, p.latest(), filepath.Base(archive))
		})
	}
}

// healthyState is a store that is sound, and what is said of it all the same.
type healthyState struct {
	name  string
	store chromaStore
	warns string
}

func healthyStates(p *chromaProject) (all []healthyState) {
	p.t.Helper()
	take := func(name, warns string) {
		p.stop()
		all = append(all, healthyState{name, p.keep(), warns})
	}
	p.start()
	take("fresh", "")
	p.start()
	sessions := p.create("sessions", 8, 0, "l2")
	take("a collection without records", "")
	p.start()
	sessions.send("add", 0, 30)
	take("below the threshold", "")
	p.start()
	memories := p.create("memories", 16, 50, "cosine")
	memories.send("add", 0, 120)
	take("above the threshold", "")
	all = append(all, healthyState{"a hot journal", p.hot(), ""})
	p.start()
	memories.send("delete", 0, 120)
	take("all deleted", "")
	p.start()
	assert.NilError(p.t, p.request("DELETE", chromaPath+"/memories", nil, nil))
	take("an orphan folder", "belongs to no collection")
	for _, name := range []string{"chroma-1.0.0", "chroma-0.4", "chroma-1.5.9-unpurged"} {
		warns := map[string]string{"chroma-1.5.9-unpurged": "belongs to no collection"}[name]
		all = append(all, healthyState{name, goldenChroma(p.t.(*testing.T), name), warns})
	}
	return all
}

// hot is a copy of the store in the middle of a transaction, with its journal.
func (p *chromaProject) hot() chromaStore {
	p.t.Helper()
	var copied chromaStore
	p.store().within(hotChange, func() { copied = p.keep() })
	assert.Assert(p.t, len(copied.read("chroma.sqlite3-journal")) > 512)
	return copied
}

// TestAChromaThatIsWrittenToIsLookedInto: two collections that a writer adds to, changes and deletes from all the time.
func TestAChromaThatIsWrittenToIsLookedInto(t *testing.T) {
	if !haveChroma(t) {
		return
	}
	p, _ := filled(t)
	at := p.store().place("twins/data_level0.bin")
	p.start()
	p.Up("writer")
	rounds, _ := Campaign(t, 50, 4)
	for range rounds {
		for _, l := range []looks{validateData(t, p.Project, 0), validateData(t, p.Project, 0, p.Backup())} {
			assert.Assert(t, !strings.Contains(l.said(), "damaged"), l.said())
			assert.Assert(t, l.checked("vectors.chroma-ids") == 4, l.said())
		}
		assert.Equal(t, p.State("writer"), "running")
	}
	good := p.latest()

	// The writer knows nothing of the index that is damaged, nor does the server say anything.
	d := chromaDamage{check: "vectors.chroma-index", object: "twins", text: "vectors are lost"}
	p.store().edit(at, cut(5))
	live := validateData(t, p.Project, 4)
	d.named(t, live, at)
	assert.Equal(t, strings.Count(live.said(), "damaged "), 1, live.said())
	archive := p.made(Code(t, p.Memsys("backup", "--format", "json"), 4, "the data in it is damaged"))
	d.named(t, validateData(t, p.Project, 4, archive), at)
	assert.Equal(t, p.latest(), good)
	assert.Equal(t, p.State("chroma"), "running")
	assert.Equal(t, p.State("writer"), "running")
	p.Memsys("verify", archive).Assert(t, icmd.Success) // its bytes are those that were there
}
