package guard

import "testing"

func TestDataInAVolumeWithoutAName(t *testing.T) {
	left := ""
	facts := func(verb string, change func(*Facts)) Facts {
		f := Facts{Command: Command{Verb: verb}, Nameless: []Nameless{{Container: "notes-app-1", Name: "app:/data", Target: "/data", Left: func() string { return left }, Look: full}}}
		if change != nil {
			change(&f)
		}
		return f
	}
	says(t, facts("down", nil), "anonymous loses", "2 files, 10B lies in a volume without a name at /data of notes-app-1", "the next up makes an empty one", "docker memsys rescue app:/data")
	says(t, facts("down", func(f *Facts) { f.Command.Volumes = true }), "anonymous notes")
	says(t, facts("down", func(f *Facts) { f.Nameless[0].Look = empty }))
	says(t, facts("down", func(f *Facts) { f.Nameless[0].Look = hidden }), "anonymous loses", "whatever is in it")
	says(t, facts("up", nil)) // the next container gets it
	says(t, facts("stop", nil))
	named := func(rescued bool) func(*Facts) {
		return func(f *Facts) { f.Nameless[0].Named, f.Nameless[0].Rescued = true, func() bool { return rescued } }
	}
	says(t, facts("up", named(false)))
	says(t, facts("down", named(false)), "anonymous loses")
	left = "docker compose up puts volume notes_data there"
	says(t, facts("up", nil), "anonymous loses", left, "give it a name in the compose file, then docker memsys rescue app:/data")
	says(t, facts("up", func(f *Facts) { f.Nameless[0].Look = empty }))
	says(t, facts("up", named(false)), "anonymous loses", left, "-> docker memsys rescue app:/data")
	says(t, facts("up", named(true)))
	says(t, facts("down", named(true)))
	says(t, facts("restart", named(false)))
}

func TestDataInAContainersOwnLayer(t *testing.T) {
	layer := func(verb, removed, unseen string, all ...Heap) Facts {
		return Facts{Command: Command{Verb: verb}, Layers: []Container{{
			Name: "notes-app-1", Rescue: "app", Data: func() ([]Heap, string) { return all, unseen }, Removed: func() string { return removed },
		}}}
	}
	facts := func(verb, removed string, h Heap) Facts {
		h.Folder, h.Size = "/data", "3 files, 1MB"
		return layer(verb, removed, "", h)
	}
	says(t, facts("down", "down removes it", Heap{}), "layer loses", "data (3 files, 1MB)", "at /data of notes-app-1", "down removes it", "mount a volume or folder at /data in the compose file, then docker memsys rescue app:/data")
	says(t, facts("up", "", Heap{}))
	says(t, facts("restart", "never asked", Heap{}))
	says(t, facts("up", "it is made anew", Heap{Chroma: true, Misplaced: "It is mounted elsewhere"}), "layer loses", "a Chroma database", "It is mounted elsewhere")
	says(t, facts("down", "down removes it", Heap{Chroma: true, Fresh: true}), "layer notes", "still without collections")
	says(t, facts("down", "down removes it", Heap{Mounted: true, Rescued: func() bool { return false }}), "layer loses", "-> docker memsys rescue app:/data")
	says(t, facts("down", "down removes it", Heap{Mounted: true, Rescued: func() bool { return true }}))
	says(t, layer("down", "down removes it", ""))
	says(t, layer("down", "down removes it", "not supported"), "layer loses", "not known (not supported), and down removes it", "docker diff notes-app-1")
	says(t, layer("up", "", "not supported"))
}

func TestASourceThatSeveralWrite(t *testing.T) {
	facts := func(store string, external bool, writers ...Writer) Facts {
		return Facts{Command: Command{Verb: "up"}, Sources: []Source{{Name: "data", External: external, Store: func() string { return store }, Writers: writers}}}
	}
	app, other := Writer{Name: "service app", Will: 1}, Writer{Name: "service other", Will: 1}
	stranger := Writer{Name: "container x of project y", Foreign: true, Runs: 1, Will: 1}
	running := func(w Writer) Writer { w.Runs = w.Will; return w }
	says(t, facts("memory files", false, app))
	says(t, facts("memory files", false, app, other), "shared loses", "service app, service other", "memory files")
	says(t, facts("memory files", false, running(app), running(other))) // nothing is added
	says(t, facts("memory files", false, running(app), other), "shared loses")
	says(t, facts("", false, app, other), "shared notes")
	says(t, facts("", false, app, stranger), "shared loses", "container x of project y")
	says(t, facts("", true, app, stranger), "shared notes")
	says(t, facts("", false, running(app), stranger))
	says(t, facts("memory files", false, Writer{Name: "service app", Runs: 1, Will: 2}), "shared loses", "(2 containers)")
	down := facts("memory files", false, app, other)
	down.Command.Verb = "down"
	says(t, down)
}

func TestADiskThatIsFull(t *testing.T) {
	disk := func(free, total int64, pulled bool) Facts {
		return Facts{Command: Command{Verb: "up"}, Disks: []Disk{{Path: "/srv", Use: "source data", Free: free, Total: total, Pulled: pulled}}}
	}
	says(t, disk(10<<20, 1<<40, false), "space loses", "10.5MB are free at /srv, where source data lies", "free some room")
	says(t, disk(101<<20, 1<<40, false))
	says(t, disk(101<<20, 1<<40, true), "space loses")
	says(t, disk(1<<20, 8<<20, false)) // a small file system may be small
	says(t, disk(0, 8<<20, false), "space loses")
	says(t, disk(0, 0, false)) // it does not tell
}

func TestABackupThatIsTooOld(t *testing.T) {
	says(t, Facts{Backup: Backup{Age: "9 days", Old: true}})
	says(t, Facts{Backup: Backup{Limit: "7d", Age: "9 days", Old: true}}, "max-age loses", "9 days old", "max-age is 7d", "docker memsys backup")
	says(t, Facts{Backup: Backup{Limit: "7d", Age: "1 day"}})
	says(t, Facts{Backup: Backup{Limit: "7d"}}, "max-age loses", "no good backup")
}
