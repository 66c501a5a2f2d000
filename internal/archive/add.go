package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/memsys/docker-memsys/internal/tree"
)

// tries is how often a file that changes while it is read is read.
const tries = 3

// Outcome is what became of an entry.
type Outcome struct {
	// Entry is what was stored, with the attributes of the open file; nil where nothing was.
	Entry *tree.Entry
	// Changed tells that the file changed during every try: its last reading was stored.
	Changed bool
	// Vanished tells that the file was gone; nothing was stored.
	Vanished bool
}

// UnreadableError is a file that could not be read. Nothing of it was stored, and the Writer goes on.
type UnreadableError struct {
	Path string
	Err  error
}

func (e *UnreadableError) Error() string { return fmt.Sprintf("read %s: %v", e.Path, e.Err) }

// Unwrap returns what reading failed with.
func (e *UnreadableError) Unwrap() error { return e.Err }

var errChanged = errors.New("file changed while it was read")

// Add stores one entry under a name ("data/SOURCE/PATH"); a hard link's Link is the name in the archive of the first one. open is nil for all kinds but File:
// the attributes that it returns are stored. An *UnreadableError leaves the Writer usable; after any other error only Abort is of use.
func (w *Writer) Add(ctx context.Context, name string, e *tree.Entry, open tree.Opener) (Outcome, error) {
	if err := w.check(ctx, name, e, open); err != nil {
		return Outcome{}, err
	}
	if e.Kind == tree.File {
		return w.addFile(ctx, name, open)
	}
	stored := named(e, name)
	if err := w.startGroup(ctx); err != nil {
		return Outcome{}, err
	}
	if err := w.group.open(stored); err != nil {
		return Outcome{}, fmt.Errorf("store %s: %w", name, err)
	}
	return Outcome{Entry: stored}, w.endEntry(stored)
}

func (w *Writer) check(ctx context.Context, name string, e *tree.Entry, open tree.Opener) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if w.closed {
		return errors.New("archive writer: closed already")
	}
	if err := checkName(name); err != nil {
		return fmt.Errorf("store entry: %w", err)
	}
	if name == manifestName || (e.Kind == tree.File) != (open != nil) {
		return fmt.Errorf("store %s: a file needs an opener, nothing else has one", name)
	}
	if link := e.Kind == tree.Symlink || e.Kind == tree.Hardlink; link != (e.Link != "") {
		return fmt.Errorf("store %s: a link needs a target, nothing else has one", name)
	}
	return w.err()
}

// named returns a copy of an entry as it is stored: with its name in the archive and without what its kind does not have.
func named(e *tree.Entry, name string) *tree.Entry {
	c := *e
	c.Path = name
	if c.Kind != tree.File {
		c.Size, c.Holes = 0, nil
	}
	if c.Kind != tree.CharDevice && c.Kind != tree.BlockDevice {
		c.Major, c.Minor = 0, 0
	}
	c.Holes = longest(c.Holes)
	return &c
}

// longest keeps the holes that matter most where there are too many; the others are stored as zeros.
func longest(holes []tree.Extent) []tree.Extent {
	if len(holes) <= maxHoles {
		return holes
	}
	kept := slices.Clone(holes)
	slices.SortStableFunc(kept, func(a, b tree.Extent) int { return int(min(1, max(-1, b.Length-a.Length))) })
	kept = kept[:maxHoles]
	slices.SortFunc(kept, func(a, b tree.Extent) int { return int(min(1, max(-1, a.Offset-b.Offset))) })
	return kept
}

func (w *Writer) addFile(ctx context.Context, name string, open tree.Opener) (Outcome, error) {
	for try := 1; ; try++ {
		stored, err := w.readFile(ctx, name, open, try == tries)
		switch {
		case errors.Is(err, errChanged) && stored != nil:
			return Outcome{Entry: stored, Changed: true}, nil
		case errors.Is(err, errChanged):
			continue
		case errors.Is(err, fs.ErrNotExist):
			return Outcome{Vanished: true}, nil
		}
		return Outcome{Entry: stored}, err
	}
}

// readFile reads a file once. A file that changed meanwhile gives errChanged, and is stored only if this try is the last.
func (w *Writer) readFile(ctx context.Context, name string, open tree.Opener, last bool) (*tree.Entry, error) {
	e, r, err := open(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, &UnreadableError{Path: name, Err: err}
	}
	defer r.Close()
	if e.Kind != tree.File {
		return nil, fs.ErrNotExist
	}
	e = named(e, name)
	if e.Size > bigFile {
		return w.readBig(ctx, e, r, last)
	}
	return w.readSmall(ctx, e, r, last)
}

// readSmall appends a file to the group.
func (w *Writer) readSmall(ctx context.Context, e *tree.Entry, r tree.Reader, last bool) (*tree.Entry, error) {
	if err := w.startGroup(ctx); err != nil {
		return nil, err
	}
	g := w.group
	mark := g.mark()
	if err := g.open(e); err != nil {
		return nil, fmt.Errorf("store %s: %w", e.Path, err)
	}
	start := len(g.raw)
	g.raw = slices.Grow(g.raw, int(e.Size)+blockSize)[:start+int(e.Size)]
	changed, err := fill(g.raw[start:], r)
	if err == nil && !changed {
		changed, err = moved(r)
	}
	w.opts.OnBytes(e.Size)
	if err != nil {
		g.reset(mark)
		return nil, &UnreadableError{Path: e.Path, Err: err}
	}
	if changed && !last {
		g.reset(mark)
		return nil, errChanged
	}
	g.pad(e)
	if err := w.endEntry(e); err != nil {
		return nil, err
	}
	if changed {
		return e, errChanged
	}
	return e, nil
}

// fill reads exactly len(p) bytes; a file that ends before gives zeros and counts as changed.
func fill(p []byte, r io.Reader) (changed bool, err error) {
	n, err := io.ReadFull(r, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		clear(p[n:])
		return true, nil
	}
	return false, err
}

// moved tells whether a file that was read to its known end is longer or changed meanwhile.
func moved(r tree.Reader) (bool, error) {
	var one [1]byte
	if n, err := io.ReadFull(r, one[:]); n > 0 {
		return true, nil
	} else if !errors.Is(err, io.EOF) {
		return false, err
	}
	return r.Changed()
}

func (w *Writer) startGroup(ctx context.Context) error {
	if w.group != nil {
		return nil
	}
	j, err := w.take(ctx, jobGroup)
	w.group = j
	return err
}

// endEntry ends the group where the entry's name says so, or its size.
func (w *Writer) endEntry(e *tree.Entry) error {
	g := w.group
	size := len(g.raw)
	first := g.items[len(g.items)-1].start
	if size < groupHigh && (size < groupLow || !cuts(e.Path, size-first)) {
		return nil
	}
	return w.flushGroup()
}

// cuts tells whether a group ends behind an entry: by its name, in proportion to the bytes that it takes.
func cuts(name string, size int) bool {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return h>>11 < uint64(size)<<53/groupMean
}

func (w *Writer) flushGroup() error {
	if w.group != nil {
		g := w.group
		w.group = nil
		if len(g.items) == 0 {
			w.free <- g
			return nil
		}
		w.submit(g)
	}
	return w.err()
}

// open appends the header of an entry.
func (j *job) open(e *tree.Entry) error {
	start := len(j.raw)
	raw, err := appendHeader(j.raw, e)
	if err != nil {
		j.raw = j.raw[:start]
		return err
	}
	j.raw = raw
	j.items = append(j.items, item{entry: e, start: start, inner: int64(len(raw))})
	return nil
}

// pad fills the last block of an entry's content.
func (j *job) pad(e *tree.Entry) { j.raw = append(j.raw, make([]byte, padding(e.Size))...) }

type mark struct{ raw, items int }

func (j *job) mark() mark { return mark{len(j.raw), len(j.items)} }

func (j *job) reset(m mark) { j.raw, j.items = j.raw[:m.raw], j.items[:m.items] }

// memoryFile is a file that is in memory.
type memoryFile struct{ *bytes.Reader }

func newMemoryFile(data []byte) tree.Reader { return memoryFile{bytes.NewReader(data)} }

// Close does nothing.
func (memoryFile) Close() error { return nil }

// Changed is always false.
func (memoryFile) Changed() (bool, error) { return false, nil }
