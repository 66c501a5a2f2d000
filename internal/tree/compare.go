package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// Expected is an entry as it should be, with the digests of a file's content. Ranges without a chunk should read as zeros.
type Expected struct {
	Entry  *Entry
	Chunks []Chunk
}

// CompareOptions are what Compare looks at.
type CompareOptions struct {
	// Skip leaves entries of the live tree out, as in WalkOptions; they are not extra.
	Skip func(*Entry) string
	// Content reads every file and compares it with its chunks.
	Content bool
	// Holes compares the unallocated ranges; file systems with another block size differ.
	Holes bool
	// IgnoreOwners leaves owners out, and with them setuid and setgid bits.
	IgnoreOwners bool
	// MapOwner changes the expected owner, as in WriteOptions.
	MapOwner func(uid, gid int) (int, int)
	// OnBytes is told how much content was compared since it was told last; it is called from several goroutines.
	OnBytes func(n int64)
	// Workers is how many files are read at once; 0 is the number of processors.
	Workers int
}

// Difference is one thing that is not as expected. Field is missing, extra, unreadable, kind, mode, owner, mtime, size, link,
// device, holes, content, or "xattr NAME".
type Difference struct {
	Path  string
	Field string
	Want  string
	Got   string
}

// String is the difference as one line.
func (d Difference) String() string {
	switch d.Field {
	case "missing", "extra":
		return fmt.Sprintf("%q: %s", d.Path, d.Field)
	default:
		return fmt.Sprintf("%q: %s is %s, not %s", d.Path, d.Field, d.Got, d.Want)
	}
}

// Compare walks the tree at root beside the expected entries, which come in the order of ComparePaths, and tells what
// differs, in that order. The error is one of the context, of the root or of want.
func Compare(ctx context.Context, root string, want iter.Seq2[Expected, error], o CompareOptions) ([]Difference, error) {
	next, stop := iter.Pull2(want)
	defer stop()
	c := &comparer{o: o, next: next}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.startWorkers(ctx)
	err := c.advance()
	if err == nil {
		err = Walk(ctx, root, WalkOptions{Skip: o.Skip, OnProblem: c.problem}, c.visit)
	}
	for err == nil && c.want != nil {
		c.add(c.want.Entry.Path, "missing", string(c.want.Entry.Kind), "")
		err = c.advance()
	}
	close(c.jobs)
	c.workers.Wait()
	slices.SortStableFunc(c.found, func(a, b Difference) int { return ComparePaths(a.Path, b.Path) })
	return c.found, errors.Join(err, c.failed)
}

type comparer struct {
	o    CompareOptions
	next func() (Expected, error, bool)
	want *Expected // the next one; nil at the end
	last string    // path of the one before

	jobs    chan contentJob
	workers sync.WaitGroup

	mu     sync.Mutex
	found  []Difference
	failed error
}

func (c *comparer) add(path, field, want, got string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = append(c.found, Difference{Path: path, Field: field, Want: want, Got: got})
}

func (c *comparer) problem(p Problem) {
	if !errors.Is(p.Err, fs.ErrNotExist) { // what vanished is found missing
		c.add(p.Path, "unreadable", "readable", p.Err.Error())
	}
}

// advance takes the next expected entry and holds it to the order.
func (c *comparer) advance() error {
	want, err, ok := c.next()
	if !ok {
		c.want = nil
		return nil
	}
	if err != nil {
		return err
	}
	if c.last != "" && ComparePaths(want.Entry.Path, c.last) <= 0 {
		return fmt.Errorf("compare: expected entry %q comes after %q", want.Entry.Path, c.last)
	}
	c.want, c.last = &want, want.Entry.Path
	return nil
}

func (c *comparer) visit(ctx context.Context, got *Entry, open Opener) error {
	for c.want != nil && ComparePaths(c.want.Entry.Path, got.Path) < 0 {
		c.add(c.want.Entry.Path, "missing", string(c.want.Entry.Kind), "")
		if err := c.advance(); err != nil {
			return err
		}
	}
	if c.want == nil || c.want.Entry.Path != got.Path {
		c.add(got.Path, "extra", "", string(got.Kind))
		return nil
	}
	want := *c.want
	c.attributes(want.Entry, got)
	if err := c.content(ctx, want, got, open); err != nil {
		return err
	}
	return c.advance()
}

// attributes compares what needs no content. Second names of a file have the attributes of the first.
func (c *comparer) attributes(want, got *Entry) {
	path := want.Path
	differ := func(field, w, g string) {
		if w != g {
			c.add(path, field, w, g)
		}
	}
	differ("kind", string(want.Kind), string(got.Kind))
	if want.Kind != got.Kind {
		return
	}
	if want.Kind == Symlink || want.Kind == Hardlink {
		differ("link", strconv.Quote(want.Link), strconv.Quote(got.Link))
	}
	if want.Kind == Hardlink {
		return
	}
	differ("size", strconv.FormatInt(want.Size, 10), strconv.FormatInt(got.Size, 10))
	if want.Kind == CharDevice || want.Kind == BlockDevice {
		differ("device", fmt.Sprint(want.Major, ":", want.Minor), fmt.Sprint(got.Major, ":", got.Minor))
	}
	c.ownership(want, got, differ)
	if ownersKept || want.Kind == File {
		differ("mtime", timeText(want), timeText(got))
	}
	c.xattrs(path, want.Xattrs, got.Xattrs)
}

func timeText(e *Entry) string {
	if !ownersKept {
		return e.ModTime.UTC().Truncate(coarseTime).Format(timeFormat)
	}
	return e.ModTime.UTC().Format(timeFormat)
}

func (c *comparer) ownership(want, got *Entry, differ func(field, w, g string)) {
	if !ownersKept {
		return
	}
	uid, gid := want.UID, want.GID
	if c.o.MapOwner != nil {
		uid, gid = c.o.MapOwner(uid, gid)
	}
	mask := uint32(0o7777)
	if c.o.IgnoreOwners {
		mask &^= setIDs
	} else {
		differ("owner", fmt.Sprint(uid, ":", gid), fmt.Sprint(got.UID, ":", got.GID))
	}
	if want.Kind != Symlink {
		differ("mode", fmt.Sprintf("%04o", want.Mode&mask), fmt.Sprintf("%04o", got.Mode&mask))
	}
}

func (c *comparer) xattrs(path string, want, got map[string][]byte) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if value, ok := got[name]; !ok {
			c.add(path, "xattr "+name, fmt.Sprintf("%x", want[name]), "missing")
		} else if string(value) != string(want[name]) {
			c.add(path, "xattr "+name, fmt.Sprintf("%x", want[name]), fmt.Sprintf("%x", value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok && name != "security.selinux" { // every file of such a system has a label
			c.add(path, "xattr "+name, "missing", fmt.Sprintf("%x", got[name]))
		}
	}
}

func (c *comparer) startWorkers(ctx context.Context) {
	n := c.o.Workers
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	c.jobs = make(chan contentJob, 2*n)
	for range n {
		c.workers.Go(func() {
			buf := make([]byte, 256<<10)
			for job := range c.jobs {
				c.run(ctx, job, buf)
			}
		})
	}
}
