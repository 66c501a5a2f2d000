package archive

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Sink takes what is unpacked. It is used by several goroutines.
type Sink interface {
	// Create makes an entry that has no content.
	Create(ctx context.Context, e *tree.Entry) error
	// File begins a regular file.
	File(e *tree.Entry) (tree.Content, error)
}

// Pick says what is unpacked and under which name: nil leaves the entry out, else it returns the entry with its path, and of a hard link also its Link, below the sink's
// root. For a hard link whose first name is left out it may return an entry of kind File: the content is then written there. It is called once for each entry: for
// folders, files and special files in the order of the archive, then for links.
type Pick func(*Entry) *tree.Entry

// ExtractOptions says how to unpack; the zero value is fine.
type ExtractOptions struct {
	Workers int             // goroutines that unpack; 0: one for each processor
	OnBytes func(raw int64) // is told of the bytes of files' content as they are written
}

// Extract unpacks what pick picks into sink. Every chunk's SHA-256 is checked before its bytes are handed on. Folders come before what is in them, links after all
// files. After an error files that are not complete are aborted; others are there.
func (r *Reader) Extract(ctx context.Context, pick Pick, sink Sink, o ExtractOptions) error {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.OnBytes == nil {
		o.OnBytes = func(int64) {}
	}
	x := &extraction{r: r, sink: sink, opts: o, wanted: map[string]*tree.Entry{}}
	if err := x.pass(ctx, func(e *Entry) *tree.Entry { return x.first(e, pick) }); err != nil {
		return err
	}
	if x.links {
		if err := x.makeLinks(ctx, pick); err != nil {
			return err
		}
	}
	if len(x.wanted) == 0 {
		return nil
	}
	if err := x.pass(ctx, x.second); err != nil {
		return err
	}
	for _, e := range x.more {
		if err := sink.Create(ctx, e); err != nil {
			return fmt.Errorf("create %s: %w", e.Path, err)
		}
	}
	return nil
}

// extraction is one run of Extract.
type extraction struct {
	r    *Reader
	sink Sink
	opts ExtractOptions

	links  bool                   // there are some
	wanted map[string]*tree.Entry // files that only a hard link was picked for, by their name in the archive
	more   []*tree.Entry          // further links to those
}

func isLink(e *Entry) bool { return e.Kind == tree.Symlink || e.Kind == tree.Hardlink }

// first picks what the first pass makes: everything but links.
func (x *extraction) first(e *Entry, pick Pick) *tree.Entry {
	if isLink(e) {
		x.links = true
		return nil
	}
	return pick(e)
}

// second picks the files whose content only a hard link asked for.
func (x *extraction) second(e *Entry) *tree.Entry {
	want := x.wanted[e.Path]
	if want == nil {
		return nil
	}
	c := e.Entry
	c.Path = want.Path
	return &c
}

func (x *extraction) makeLinks(ctx context.Context, pick Pick) error {
	return x.r.eachUnit(ctx, func(u *unit) error {
		for _, e := range u.entries {
			if !isLink(e) {
				continue
			}
			if picked := pick(e); picked != nil {
				if err := x.makeLink(ctx, e, picked); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (x *extraction) makeLink(ctx context.Context, e *Entry, picked *tree.Entry) error {
	if picked.Kind != tree.File {
		if err := x.sink.Create(ctx, picked); err != nil {
			return fmt.Errorf("create %s: %w", picked.Path, err)
		}
		return nil
	}
	if e.Kind != tree.Hardlink {
		return fmt.Errorf("create %s: a symbolic link cannot become a file", picked.Path)
	}
	if first := x.wanted[e.Link]; first != nil {
		c := *picked
		c.Kind, c.Link = tree.Hardlink, first.Path
		x.more = append(x.more, &c)
		return nil
	}
	x.wanted[e.Link] = picked
	return nil
}

// pass goes through the archive once: one goroutine reads the contents table, workers read and unpack.
func (x *extraction) pass(ctx context.Context, pick func(*Entry) *tree.Entry) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tasks := make(chan *task, x.opts.Workers)
	var wg sync.WaitGroup
	for range x.opts.Workers {
		wg.Go(func() {
			w := &extractor{x: x, ctx: ctx}
			for t := range tasks {
				if err := w.run(t); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := x.r.eachUnit(ctx, func(u *unit) error { return x.dispatch(ctx, u, pick, tasks) })
	close(tasks)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
