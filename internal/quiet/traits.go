package quiet

import (
	"context"
	"slices"

	"github.com/memsys/docker-memsys/internal/tree"
)

// maxNamed is how many databases and folders of a source are named; to know that there are some is enough.
const maxNamed = 100

// Traits are what in a source matters for holding its writers still.
type Traits struct {
	// SQLite are databases, told by their first bytes whatever their name.
	SQLite []string `json:"sqlite,omitempty"`
	// Chroma are folders that a Chroma server keeps its data in.
	Chroma []string `json:"chroma,omitempty"`
	// JSON counts files whose name says JSON or JSON lines, in a source that is a folder.
	JSON int64 `json:"json,omitempty"`
	// Lone tells that the source is one file and that a database: its journal and write-ahead log lie elsewhere, in its container.
	Lone bool `json:"lone,omitempty"`
}

// Finder gathers the traits of one source from a walk over it.
type Finder struct{ traits Traits }

// Look walks the tree at root for its traits.
func Look(ctx context.Context, root string, skip func(*tree.Entry) string) (Traits, error) {
	var f Finder
	o := tree.WalkOptions{Skip: skip, LazyXattrs: true, OnProblem: func(tree.Problem) {}}
	err := tree.Walk(ctx, root, o, f.Visit)
	return f.Traits(), err
}

// Visit takes an entry; it is a function for tree.Walk. Files are opened only where their size is one that a database can have.
func (f *Finder) Visit(ctx context.Context, e *tree.Entry, open tree.Opener) error {
	if e.Kind != tree.File {
		return nil
	}
	dir, name := split(e.Path)
	if named, _ := jsonName(name); named {
		f.traits.JSON++
	}
	const leastPage = 512
	if e.Size == 0 || e.Size%leastPage != 0 || sidecar(name) || open == nil {
		return nil
	}
	head, err := head(ctx, open, len(databaseMagic))
	if err != nil || !isDatabase(head) {
		return passing(err)
	}
	if e.Path == "." {
		f.traits.Lone = true
	}
	f.traits.SQLite = add(f.traits.SQLite, e.Path)
	if name == "chroma.sqlite3" {
		f.traits.Chroma = add(f.traits.Chroma, dir)
	}
	return nil
}

// Traits returns what was found so far.
func (f *Finder) Traits() Traits { return f.traits }

func add(list []string, item string) []string {
	if len(list) < maxNamed && !slices.Contains(list, item) {
		list = append(list, item)
	}
	return list
}
