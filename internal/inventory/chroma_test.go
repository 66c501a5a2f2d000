package inventory

import (
	"fmt"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestHealthyChromaStoresRaiseNothing(t *testing.T) {
	for _, name := range goldenStores {
		for _, depth := range []Depth{Quick, Full} {
			t.Run(name+" "+string(depth), func(t *testing.T) {
				report := goldenStore(t, name).inspect(depth)
				found := said(report)
				if name == "chroma-1.5.9-unpurged" { // a collection of it was deleted
					assert.Assert(t, strings.Count(found, "\n") == 0 && strings.Contains(found, "belongs to no collection"), found)
					assert.Equal(t, Worst(report.Results), Warning)
					return
				}
				assert.Equal(t, found, "")
				checked := map[string]int64{}
				for _, r := range report.Results {
					checked[r.Check.ID] = r.Checked
				}
				assert.Equal(t, checked["vectors.chroma-index"], int64(6))
				assert.Equal(t, checked["vectors.chroma-ids"], int64(6))
				assert.Equal(t, checked["databases.chroma-documents"] == 6, depth == Full)
			})
		}
	}
}

func TestInventoryOfAChromaStore(t *testing.T) {
	want := []string{
		"chroma .#emptied 0 4", "chroma .#fresh 0 0", "chroma .#notes 112 8", "chroma .#small 5 4", "chroma .#team/archive/notes 3 4", "chroma .#words 60 4",
	}
	var first []Collection
	for _, name := range []string{"chroma-1.5.9", "chroma-1.0.0", "chroma-0.4"} {
		quick, full := goldenStore(t, name).inspect(Quick).Inventory.Collections, goldenStore(t, name).inspect(Full).Inventory.Collections
		var got []string
		for _, c := range quick {
			if c.Kind == KindChroma {
				got = append(got, fmt.Sprintln(c.Kind, c.Name, c.Records, c.Dimension))
			}
		}
		assert.Equal(t, strings.Join(got, ""), strings.Join(want, "\n")+"\n", name)
		assert.DeepEqual(t, quick, full)
		if first == nil {
			first = quick
		}
		// The same records were put into each: whatever the version, ids and contents are the same.
		for i := range quick {
			if quick[i].Kind == KindChroma {
				assert.DeepEqual(t, quick[i], first[i])
			}
		}
	}
}

func TestContentOfAChromaRecordIsItsDocumentAndMetadata(t *testing.T) {
	g := goldenStore(t, "chroma-1.5.9")
	notes := func() Collection {
		for _, c := range g.inspect(Quick).Inventory.Collections {
			if c.Name == ".#notes" {
				return c
			}
		}
		return Collection{}
	}
	before := notes()
	g.exec("UPDATE embedding_metadata SET float_value = float_value + 1 WHERE key = 'weight' AND id = (SELECT max(id) FROM embeddings WHERE segment_id = '" + g.segment("notes") + "')")
	after := notes()
	assert.Equal(t, before.IDs, after.IDs)
	assert.Assert(t, before.Content != after.Content)
	id := g.ask("SELECT max(id) FROM embeddings WHERE segment_id = '" + g.segment("notes") + "'")
	g.exec("INSERT INTO embedding_metadata_array (id, key, string_value) VALUES (" + id + ", 'tags', 'a')")
	assert.Assert(t, after.Content != notes().Content)
}

func TestWhatLiesBesideAChromaStoreIsNotItsOwn(t *testing.T) {
	s := newChromaStore()
	for path, want := range map[string]string{
		"chroma.sqlite3":                                             ".",
		"data/chroma.sqlite3-journal":                                "data",
		"data/5517cb3f-481b-4e22-936f-c13110a247f9/header.bin":       "data",
		"5517cb3f-481b-4e22-936f-c13110a247f9/index_metadata.pickle": ".",
		"data/5517cb3f-481b-4e22-936f-c13110a247f9/notes.json":       "",
		"data/memories/header.bin":                                   "",
		"data/chroma.sqlite3.bak":                                    "",
		"data/memories/2026.json":                                    "",
	} {
		dir, ok := s.Belongs(path)
		assert.Equal(t, ok, want != "", path)
		if ok {
			assert.Equal(t, dir, want, path)
		}
	}
}
