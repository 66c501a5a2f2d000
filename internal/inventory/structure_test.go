package inventory

import (
	"fmt"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// observed has an observer look at entries, "mode uid path", a folder's path ending in a slash.
func observed(o Observer, options Options, entries ...string) []string {
	for _, text := range entries {
		e := &tree.Entry{Kind: tree.File}
		_, _ = fmt.Sscanf(text, "%o %d %s", &e.Mode, &e.UID, &e.Path)
		if n := len(e.Path) - 1; e.Path[n] == '/' {
			e.Kind, e.Path = tree.Dir, e.Path[:n]
		}
		o.Observe(e)
	}
	r := NewRecorder("data", options, Calls{})
	o.After(r)
	return told(r)
}

func TestPermissions(t *testing.T) {
	for _, c := range []struct {
		name    string
		private bool
		entries []string
		want    []string
	}{
		{name: "as the guide has it", entries: []string{"750 0 ./", "755 0 memories/", "644 0 memories/a.json", "666 0 memories/b.json"}},
		{name: "a volume", private: true, entries: []string{"755 0 ./", "777 0 memories/", "666 0 memories/a.json"}},
		{name: "a sticky folder for all", entries: []string{"750 0 ./", "1777 0 tmp/"}},
		{name: "open root", entries: []string{"751 0 ./", "750 0 memories/", "644 0 memories/a.json"}, want: []string{"warning: the mode of the root is 0751, which allows more than 0750"}},
		{
			name: "readable", entries: []string{"755 0 ./", "755 0 a/", "644 0 a/1", "644 0 a/2", "640 0 a/3", "644 0 a/4", "644 0 a/5", "750 0 b/", "755 0 b/c/", "644 0 b/c/1", "644 0 d"},
			want: []string{"warning: everybody may read 5 files (a/1, a/2, a/4, …)", "warning: the mode of the root is 0755, which allows more than 0750"},
		},
		{
			name: "writable", entries: []string{"755 0 ./", "777 0 a/", "776 0 b/", "1777 0 c/", "602 0 d"},
			want: []string{"warning: everybody may write 2 entries (a, d)", "warning: the mode of the root is 0755, which allows more than 0750"},
		},
		{name: "setuid", private: true, entries: []string{"2750 0 ./", "2775 0 a/", "4755 0 a/tool", "2640 0 a/locked"}, want: []string{"warning: with its owner's or group's rights runs 1 file (a/tool)"}},
		{name: "a single file", entries: []string{"644 0 ."}, want: []string{"warning: everybody may read 1 file (.)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Private: c.private}
			assert.DeepEqual(t, observed(newPermissions(o), o, c.entries...), append([]string{}, c.want...))
		})
	}
}

func TestAMillionOpenFilesAreOneFinding(t *testing.T) {
	p := newPermissions(Options{})
	p.Observe(&tree.Entry{Path: ".", Kind: tree.Dir, Mode: 0o755})
	e := &tree.Entry{Path: "a", Kind: tree.File, Mode: 0o644}
	n := allocated(func() {
		for range 1_000_000 {
			p.Observe(e)
		}
	})
	assert.Assert(t, n < 1<<20, "%d bytes", n)
	r := NewRecorder("data", Options{}, Calls{})
	p.After(r)
	assert.DeepEqual(t, told(r)[:1], []string{"warning: everybody may read 1000000 files (a, a, a, …)"})
}

func TestOwners(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []string
		want    string
	}{
		{name: "one", entries: []string{"750 1000 ./", "644 1000 a", "644 1000 b"}},
		{name: "an engine's folder with one user's data", entries: []string{"750 0 ./", "644 1000 a", "644 1000 b"}},
		{name: "empty", entries: []string{"750 1000 ./"}},
		{name: "two", entries: []string{"750 1000 ./", "644 1000 a", "644 0 b"}, want: "warning: the root belongs to user 1000, but user 0 owns 1 entry (b)"},
		{name: "all of another", entries: []string{"750 1000 ./", "644 33 a", "644 33 b"}, want: "warning: the root belongs to user 1000, but user 33 owns 2 entries (a, b)"},
		{name: "two in an engine's folder", entries: []string{"750 0 ./", "644 5 a", "644 7 b", "644 7 c"}, want: "warning: the root belongs to user 0, but user 7 owns 2 entries (b, c); user 5 owns 1 entry (a)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := []string{}
			if c.want != "" {
				want = append(want, c.want)
			}
			assert.DeepEqual(t, observed(newOwners(), Options{}, c.entries...), want)
		})
	}
	many := []string{"750 0 ./"}
	for uid := range 100 {
		many = append(many, fmt.Sprintf("640 %d f%d", uid+1, uid))
	}
	got := observed(newOwners(), Options{}, many...)
	assert.Assert(t, len(got) == 1 && len(got[0]) < 1000, "%v", got)
}

func TestMissingFolders(t *testing.T) {
	o := Options{Layout: []string{"memories", "data/embeddings/", "indexes", "link"}}
	l := newFolderLayout(o)
	l.Observe(&tree.Entry{Path: "link", Kind: tree.Symlink})
	assert.DeepEqual(t, observed(l, o, "750 0 ./", "750 0 data/", "750 0 data/embeddings/", "640 0 indexes"),
		[]string{"warning: is no folder", "warning: the folder is missing"})
	r := NewRecorder("data", Options{}, Calls{})
	newFolderLayout(Options{}).After(r)
	assert.Equal(t, len(r.Results()), 0)
}
