package plugin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// entryBatch is how many entries of a backup cross the line to a helper at once.
const entryBatch = 1000

type (
	// compareCall asks for a comparison of the files of one of the places that hold no records with those of a backup, which are asked for.
	compareCall struct {
		surveyCall
		Source string `json:"source"`
		// Holders are the keys of the files that hold records, one behind the other.
		Holders []byte `json:"holders,omitempty"`
	}
	// filesFound is what the comparison came to.
	filesFound struct {
		// Absent tells that there is no such place.
		Absent bool `json:"absent,omitempty"`
		// Files is how many the backup has.
		Files   int64        `json:"files"`
		Changes []fileChange `json:"changes,omitempty"`
		// Unread are files that could not be read, and why.
		Unread []string `json:"unread,omitempty"`
	}
	fileChange struct {
		Path   tree.RawPath     `json:"path"`
		Change inventory.Change `json:"change"`
	}
	// expectedReply are the next entries of the backup; none are left where it has none.
	expectedReply struct {
		Entries []expectedEntry `json:"entries,omitempty"`
	}
	// expectedEntry is a tree.Expected whose names may be no UTF-8.
	expectedEntry struct {
		tree.Entry
		Path   tree.RawPath
		Link   tree.RawPath
		Chunks []tree.Chunk
	}
)

// holders are files of a source that hold records, so that they are not compared as files.
type holders map[[16]byte]bool

func pathKey(path string) (key [16]byte) {
	sum := sha256.Sum256([]byte(path))
	copy(key[:], sum[:])
	return key
}

// has tells whether a file's records are compared, so that it is not itself.
func (h holders) has(path string) bool {
	if _, ok := inventory.StoreDir(path); ok {
		return true
	}
	if h[pathKey(path)] {
		return true
	}
	base := inventory.BesideDatabase(path)
	return base != "" && h[pathKey(base)]
}

// skip leaves them out of a walk.
func (h holders) skip(e *tree.Entry) string {
	if e.Kind != tree.Dir && h.has(e.Path) {
		return "records"
	}
	return ""
}

func (h holders) bytes() []byte {
	out := make([]byte, 0, len(h)*16)
	for key := range h {
		out = append(out, key[:]...)
	}
	return out
}

func holdersOf(b []byte) holders {
	h := holders{}
	for key := range slices.Chunk(b, 16) {
		h[[16]byte(key)] = true
	}
	return h
}

// compareFiles compares in this process, or in the session's helper.
func (s *session) compareFiles(ctx context.Context, c compareCall, expected iter.Seq2[tree.Expected, error]) (filesFound, error) {
	if s.far != nil {
		return s.far.compareFiles(ctx, c, expected)
	}
	return compareHere(ctx, c, expected, s.app.sink())
}

// compareHere compares in this process.
func compareHere(ctx context.Context, c compareCall, expected iter.Seq2[tree.Expected, error], sink progress.Sink) (filesFound, error) {
	place := slices.IndexFunc(c.Places, func(p backup.Place) bool { return p.Name == c.Source })
	if place < 0 {
		return filesFound{}, errors.New("it has no place")
	}
	for i, p := range c.Places {
		if root, err := backup.Reach(p.Path); err == nil {
			c.Places[i].Path = root
		}
	}
	rules, err := c.Exclusions.Rules(c.Places)
	if err != nil {
		return filesFound{}, err
	}
	p := c.Places[place]
	leftOut, held := c.Exclusions.Skip(rules, p), holdersOf(c.Holders)
	skip := func(e *tree.Entry) string {
		if rule := leftOut(e); rule != "" {
			return rule
		}
		return held.skip(e)
	}
	x := &fileComparison{folders: map[string]bool{}, held: held}
	count := progress.Counter(sink, progress.Event{Step: "compare", Object: c.Source})
	o := tree.CompareOptions{Skip: skip, Content: true, IgnoreOwners: true, OnBytes: count}
	all, err := tree.Compare(ctx, p.Path, x.noting(within(expected, skip)), o)
	if errors.Is(err, fs.ErrNotExist) {
		return filesFound{Absent: true}, nil
	}
	return x.found(all), err
}

// fileComparison notes what a backup has while it is compared.
type fileComparison struct {
	folders map[string]bool
	files   int64
	held    holders
}

func (x *fileComparison) noting(all iter.Seq2[tree.Expected, error]) iter.Seq2[tree.Expected, error] {
	return func(yield func(tree.Expected, error) bool) {
		for one, err := range all {
			switch {
			case err != nil:
			case one.Entry.Kind == tree.Dir:
				x.folders[one.Entry.Path] = true
			default:
				x.files++
			}
			if !yield(one, err) {
				return
			}
		}
	}
}

// found is what the differences of two trees say of their files.
func (x *fileComparison) found(all []tree.Difference) filesFound {
	out := filesFound{Files: x.files}
	changes := map[string]inventory.Change{}
	for _, d := range all {
		switch {
		case d.Field == "unreadable":
			out.Unread = append(out.Unread, fmt.Sprintf("%s of the live data: %s", d.Path, d.Got))
		case x.folders[d.Path], d.Field == "extra" && d.Got == string(tree.Dir):
		case d.Path == "." && x.held.has("."): // a source that is one file, which no rule leaves out
		case d.Field == "missing":
			changes[d.Path] = inventory.Gone
		case d.Field == "extra":
			changes[d.Path] = inventory.Came
		case slices.Contains([]string{"content", "size", "kind", "link", "device"}, d.Field):
			changes[d.Path] = inventory.Changed
		}
	}
	for path, change := range changes {
		out.Changes = append(out.Changes, fileChange{tree.RawPath(path), change})
	}
	return out
}

// compareFiles has the helper compare, and hands it the entries of the backup as it asks for them.
func (f *far) compareFiles(ctx context.Context, c compareCall, expected iter.Seq2[tree.Expected, error]) (out filesFound, err error) {
	next, stop := iter.Pull2(expected)
	defer stop()
	f.mu.Lock()
	f.expected, f.sink = next, f.session.app.sink()
	f.mu.Unlock()
	defer func() {
		f.mu.Lock() // a late question finds nothing
		f.expected = nil
		f.mu.Unlock()
	}()
	return out, f.Call(ctx, callCompare, c, &out)
}

// nextExpected tells the next entries.
func (f *far) nextExpected(context.Context, nothing) (reply expectedReply, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.expected != nil && len(reply.Entries) < entryBatch {
		one, err, more := f.expected()
		if !more {
			break
		}
		if err != nil {
			return reply, err
		}
		e := expectedEntry{Entry: *one.Entry, Path: tree.RawPath(one.Entry.Path), Link: tree.RawPath(one.Entry.Link), Chunks: one.Chunks}
		reply.Entries = append(reply.Entries, e)
	}
	return reply, nil
}

// compare compares where the files are.
func (f *fileServer) compare(ctx context.Context, c compareCall) (filesFound, error) {
	return compareHere(ctx, c, func(yield func(tree.Expected, error) bool) {
		for {
			var reply expectedReply
			if err := f.line.Call(ctx, askExpected, nothing{}, &reply); err != nil {
				yield(tree.Expected{}, err)
				return
			}
			for _, e := range reply.Entries {
				e.Entry.Path, e.Entry.Link = string(e.Path), string(e.Link)
				if !yield(tree.Expected{Entry: &e.Entry, Chunks: e.Chunks}, nil) {
					return
				}
			}
			if len(reply.Entries) == 0 {
				return
			}
		}
	}, f.sink)
}
