// Package quiet looks at a source's files where the data is: what is in them that matters for holding their writers still (Traits), and
// whether, while the writers are frozen, anything was caught in the middle of a change (Check). It asks no engine and changes nothing.
package quiet

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
)

// DefaultRecent is how far back a change counts as one that can still be under way.
const DefaultRecent = 2 * time.Second

// Unrest is a file, or a folder of files that belong together, that was caught in the middle of a change.
type Unrest struct {
	Path string `json:"path"` // relative to the source, separated by slashes
	Why  string `json:"why"`
}

// Options of Check.
type Options struct {
	// Now is the time by the clock of the machine that has the files.
	Now time.Time
	// Recent is how far before Now a change counts; 0: DefaultRecent. It must reach back to DefaultRecent before the writers stood still.
	Recent time.Duration
	// Skip names the rule that leaves an entry out, as in tree.WalkOptions; nil: nothing is left out.
	Skip func(*tree.Entry) string
}

// errFound ends the walk: one thing that is in the middle of a change is enough.
var errFound = errors.New("found")

// Check tells what at root is in the middle of a change. It ends with the first thing that it finds; none: the files may be copied as they
// are. It is for the time in which the writers stand still, so only files that changed recently are opened, and of big ones only the ends.
//
// What it relies on: a frozen process is in no write(2); a database of SQLite is copied together with its journal and write-ahead log.
// A write-ahead log is then fit at every moment: frames without a commit are not taken in, those of a checkpoint under way are all still
// in the log. A rollback journal would be fit too, yet only for those who roll it back.
func Check(ctx context.Context, root string, o Options) ([]Unrest, error) {
	if o.Recent == 0 {
		o.Recent = DefaultRecent
	}
	c := &checker{root: filepath.Base(root), since: o.Now.Add(-o.Recent), recent: map[string]bool{}, indexes: map[string]*index{}, budget: maxRead}
	err := tree.Walk(ctx, root, tree.WalkOptions{
		Skip: o.Skip, LazyXattrs: true,
		OnProblem: func(tree.Problem) {}, // the copy tells what cannot be read
	}, c.visit)
	if err == nil {
		err = c.checkIndexes(ctx)
	}
	if err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	return c.found, nil
}

// checker is one check of one source.
type checker struct {
	root    string // name of a source that is one file
	since   time.Time
	recent  map[string]bool   // files that changed since, by path
	indexes map[string]*index // of Chroma, by folder
	budget  int64             // bytes that may still be read
	found   []Unrest
}

// unrest notes what was found.
func (c *checker) unrest(path, why string) error {
	c.found = append(c.found, Unrest{Path: path, Why: why})
	return errFound
}

func (c *checker) changed(e *tree.Entry) bool {
	return !e.ModTime.Before(c.since) || !e.ChangeTime.Before(c.since)
}

func (c *checker) visit(ctx context.Context, e *tree.Entry, open tree.Opener) error {
	if e.Kind != tree.File {
		return nil
	}
	if c.changed(e) {
		c.recent[e.Path] = true
	}
	dir, name := split(e.Path)
	if name == "." {
		name = c.root
	}
	switch {
	case slices.Contains(indexFiles(), name):
		c.index(dir).add(name, e, open)
		return nil
	case strings.HasSuffix(name, journalSuffix):
		return c.journal(ctx, e, open)
	case !c.recent[e.Path] || temporary(name) || sidecar(name):
		return nil
	}
	return c.json(ctx, e, name, open)
}

// read gives the first bytes of a file, up to n. A file that is gone has none.
func (c *checker) read(ctx context.Context, open tree.Opener, n int) ([]byte, error) {
	head, err := head(ctx, open, n)
	c.budget -= int64(len(head))
	return head, passing(err)
}

// passing drops the errors of files that are gone or cannot be read: the copy tells them.
func passing(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return ".", path
	}
	return path[:i], path[i+1:]
}
