package guard

import (
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

var (
	full   = Look(func() Content { return Content{Known: true, Files: 2, Bytes: 10, Text: "2 files, 10B"} })
	empty  = Look(func() Content { return Content{Known: true} })
	hidden = Look(func() Content { return Content{} })
)

// judged are the findings as "GUARD loses|notes: TEXT -> NEXT".
func judged(f Facts) []string {
	var all []string
	for _, found := range Check(f) {
		word := "notes"
		if found.Loses {
			word = "loses"
		}
		all = append(all, string(found.Guard)+" "+word+": "+found.Text+" -> "+found.Next)
	}
	return all
}

// says asserts that there is one finding with each of the words, and no other; without words that there is none.
func says(t *testing.T, f Facts, words ...string) {
	t.Helper()
	all := judged(f)
	if len(words) == 0 {
		assert.DeepEqual(t, all, []string(nil))
		return
	}
	assert.Equal(t, len(all), 1, "%q", all)
	for _, word := range words {
		assert.Assert(t, strings.Contains(all[0], word), "no %q in %q", word, all[0])
	}
}

func TestEveryGuardHasAName(t *testing.T) {
	names := Names()
	assert.Assert(t, slices.Contains(names, "volume-config"))
	assert.Equal(t, len(slices.Compact(slices.Sorted(slices.Values(names)))), len(names))
}

func TestNothingIsFoundWhereNothingIsKnown(t *testing.T) {
	for _, verb := range []string{"up", "down", "pull", "stop", "restart"} {
		says(t, Facts{Command: Command{Verb: verb}})
	}
}

func TestAVolumeThatComposeWouldDelete(t *testing.T) {
	volume := func(mark string, look Look) Facts {
		return Facts{Command: Command{Verb: "up"}, Volumes: []Volume{{
			Key: "data", Name: "notes_data", Mark: mark, Wanted: "new", Look: look,
			Made:    VolumeSpec{Driver: "local", Options: map[string]string{"o": "secret"}, Labels: map[string]string{"a": "1", "same": "1"}},
			Planned: VolumeSpec{Options: map[string]string{"o": "other"}, Labels: map[string]string{"b": "1", "same": "1"}},
		}}}
	}
	says(t, volume("new", full))
	says(t, volume("", full)) // docker compose leaves it alone
	says(t, volume("old", full), "volume-config loses", "notes_data", "would offer to delete it", "2 files, 10B", "option o is another", "label a is no longer there", "label b is new")
	says(t, volume("old", hidden), "volume-config loses", "whatever is in it")
	says(t, volume("old", nil), "volume-config loses")
	says(t, volume("old", empty), "volume-config notes", "is empty")
	yes := volume("old", full)
	yes.Command.Yes = true
	says(t, yes, "would delete it with 2 files")
	down := volume("old", full)
	down.Command.Verb = "down"
	says(t, down)
	for _, found := range judged(volume("old", full)) {
		assert.Assert(t, !strings.Contains(found, "secret"), "options may hold passwords: %s", found)
	}
}

func TestAMountThatIsAnotherPlaceNow(t *testing.T) {
	mount := func(was, now Look, other string) Facts {
		return Facts{Command: Command{Verb: "up"}, Mounts: []Mount{{
			Service: "app", Target: "/data", Was: "/old/data", Now: "/new/data", OtherDir: other, LookWas: was, LookNow: now,
		}}}
	}
	says(t, mount(full, empty, ""), "drift loses", "service app has /old/data at /data, with 2 files", "/new/data")
	says(t, mount(hidden, empty, ""), "drift loses", "whatever is in it")
	says(t, mount(full, empty, "/old"), "made from /old", "run it in /old")
	says(t, mount(full, full, "")) // the data was moved
	says(t, mount(empty, empty, ""))
	says(t, mount(full, hidden, ""))
}

func TestAProjectWithAnotherName(t *testing.T) {
	former := Facts{Project: "new", Command: Command{Verb: "up"}, Former: []Former{{
		Project: "old", Why: "the name of its folder", Was: "old_data", Now: "new_data", LookWas: full, LookNow: empty,
	}}}
	says(t, former, "drift loses", "called new now, and was old (the name of its folder)", "new_data", "old_data behind with 2 files", "docker memsys -p old up")
	former.Former[0].LookWas = empty
	says(t, former)
}

func TestAVolumeWithAnotherName(t *testing.T) {
	says(t, Facts{Project: "notes", Command: Command{Verb: "up"}, Former: []Former{{
		Project: "notes", Key: "data", Was: "notes_data", Now: "memories", LookWas: full, LookNow: empty,
	}}}, "drift loses", "volume data of the compose file has another name now: up would make volume memories, empty, and leave volume notes_data behind with 2 files", "name: notes_data of volume data")
}

func TestAVolumeWhoseFilesLieElsewhere(t *testing.T) {
	volume := func(was, now Look, same bool) Facts {
		return Facts{Command: Command{Verb: "up", Yes: true}, Volumes: []Volume{{
			Key: "data", Name: "notes_data", Mark: "old", Wanted: "new", Look: was, LookNow: now, Device: "/srv/data", Same: same,
		}}}
	}
	says(t, volume(full, full, true), "volume-config notes", "the files in /srv/data stay")
	says(t, volume(full, empty, false), "volume-config loses", "would delete it and make it anew at an empty place; 2 files, 10B stays behind in /srv/data")
	says(t, volume(full, full, false), "volume-config notes") // they were moved
	says(t, volume(empty, empty, false), "volume-config notes")
}

func TestAFolderThatIsNotThere(t *testing.T) {
	bind := func(b Bind) Facts {
		b.Service, b.Target, b.Path = "app", "/data", "/srv/data"
		return Facts{Command: Command{Verb: "up"}, Binds: []Bind{b}}
	}
	had := func() string { return "a backup has it" }
	nothing := func() string { return "" }
	says(t, bind(Bind{}))
	says(t, bind(Bind{Missing: true, Had: nothing}), "missing-bind notes", "/srv/data is not there", "owned by root")
	says(t, bind(Bind{Missing: true}), "missing-bind notes")
	says(t, bind(Bind{Missing: true, Had: had}), "missing-bind loses", "/srv/data is not there, and a backup has it", "docker memsys restore")
	says(t, bind(Bind{Empty: true, Had: had}), "missing-bind loses", "/srv/data is empty, and a backup has it")
	says(t, bind(Bind{Empty: true, Had: nothing}))
	down := bind(Bind{Missing: true, Had: had})
	down.Command.Verb = "down"
	says(t, down)
}
