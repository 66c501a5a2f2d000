package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/tree"
)

// compareFiles compares the files of two backups that hold no records, by their contents tables alone.
func (c *comparison) compareFiles(ctx context.Context) error {
	for side, take := range []func(inventory.Record){c.files.Before, c.files.After} {
		err := c.eachFile(ctx, side, func(source string, x tree.Expected) {
			c.count(source, side)
			take(fileRecord(source, x.Entry.Path, contentOf(x)))
		})
		if err != nil {
			return err
		}
	}
	if !c.files.Again() {
		return nil
	}
	return c.eachFile(ctx, 0, func(source string, x tree.Expected) { c.files.Name(fileRecord(source, x.Entry.Path, contentOf(x))) })
}

func (c *comparison) count(source string, side int) {
	n := c.counts[source]
	n[side]++
	c.counts[source] = n
}

// fileRecord is a file as a record.
func fileRecord(source, path string, content [32]byte) inventory.Record {
	return inventory.Record{Source: source, Kind: inventory.KindFile, File: path, ID: path, Content: content}
}

// contentOf is a digest of what a file, or a link, of a backup holds.
func contentOf(x tree.Expected) (sum [32]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %q\n", x.Entry.Kind, x.Entry.Size, x.Entry.Link)
	for _, chunk := range x.Chunks {
		_ = binary.Write(h, binary.LittleEndian, chunk)
	}
	h.Sum(sum[:0])
	return sum
}

// eachFile calls f with each file and link of a backup whose records are not compared.
func (c *comparison) eachFile(ctx context.Context, side int, f func(source string, x tree.Expected)) error {
	return withArchive(c.backups[side], func(r *archive.Reader) error {
		for _, name := range c.names(side) {
			if !slices.Contains(c.sources, name) {
				continue
			}
			for x, err := range ownEntries(ctx, r, name) {
				if err != nil {
					return err
				}
				if x.Entry.Kind != tree.Dir && !c.holders[name].has(x.Entry.Path) {
					f(name, x)
				}
			}
		}
		return nil
	})
}

// ownEntries are the entries of a source in an archive, by their paths in it.
func ownEntries(ctx context.Context, r *archive.Reader, source string) iter.Seq2[tree.Expected, error] {
	return func(yield func(tree.Expected, error) bool) {
		prefix := ""
		for _, s := range r.Manifest().Sources {
			if s.Name == source {
				prefix = s.Prefix
			}
		}
		for e, err := range r.Entries(ctx) {
			if err != nil {
				yield(tree.Expected{}, err)
				return
			}
			at, ok := strings.CutPrefix(e.Path, prefix+"/")
			if e.Path == prefix {
				at, ok = ".", true
			}
			if !ok {
				continue
			}
			one := e.Entry
			one.Path = at
			if e.Kind == tree.Hardlink {
				one.Link = strings.TrimPrefix(e.Link, prefix+"/")
			}
			if !yield(tree.Expected{Entry: &one, Chunks: e.Chunks}, nil) {
				return
			}
		}
	}
}

// compareLiveFiles compares the live files that hold no records with those of the backup, by content, where the files are.
func (c *comparison) compareLiveFiles(ctx context.Context, s *session) error {
	call := compareCall{}
	call.Exclusions = s.leftOut()
	for _, src := range s.Sources {
		at, err := s.place(ctx, src)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			call.Places = append(call.Places, backup.Place{Name: src.Name, Path: at})
		}
	}
	defer c.tellLiveFiles()
	return withArchive(c.backups[0], func(r *archive.Reader) error {
		for _, p := range call.Places {
			if _, read := c.counted[1][p.Name]; !read || !slices.Contains(c.sources, p.Name) {
				continue
			}
			call.Source, call.Holders = p.Name, c.holders[p.Name].bytes()
			expected := within(ownEntries(ctx, r, p.Name), c.holders[p.Name].skip)
			found, err := s.compareFiles(ctx, call, expected)
			if err != nil {
				return fmt.Errorf("compare source %s with the backup: %w", p.Name, err)
			}
			c.tookFiles(p.Name, found)
		}
		return nil
	})
}

// within are the entries that skip does not leave out, in the order of a walk.
func within(all iter.Seq2[tree.Expected, error], skip func(*tree.Entry) string) iter.Seq2[tree.Expected, error] {
	return func(yield func(tree.Expected, error) bool) {
		left := "" // the folder that was left out last
		for x, err := range all {
			if err == nil {
				if left != "" && strings.HasPrefix(x.Entry.Path, left+"/") {
					continue
				}
				if skip(x.Entry) != "" {
					if x.Entry.Kind == tree.Dir {
						left = x.Entry.Path
					}
					continue
				}
			}
			if !yield(x, err) {
				return
			}
		}
	}
}

// tookFiles takes what a comparison of files has found.
func (c *comparison) tookFiles(source string, found filesFound) {
	if found.Absent {
		return
	}
	for _, text := range found.Unread {
		c.notes = append(c.notes, fmt.Sprintf("%s/%s", source, text))
	}
	after := found.Files
	for _, f := range found.Changes {
		c.liveFiles = append(c.liveFiles, inventory.RecordDiff{Change: f.Change, Source: source, ID: string(f.Path)})
		switch f.Change {
		case inventory.Gone:
			after--
		case inventory.Came:
			after++
		}
	}
	c.counts[source] = [2]int64{found.Files, after}
}

// tellLiveFiles tells the differences of live files as records of both sides.
func (c *comparison) tellLiveFiles() {
	tell := func(take func(inventory.Record), content byte, changes ...inventory.Change) {
		for _, f := range c.liveFiles {
			if slices.Contains(changes, f.Change) {
				take(fileRecord(f.Source, f.ID, [32]byte{content}))
			}
		}
	}
	tell(c.files.Before, 1, inventory.Gone, inventory.Changed)
	tell(c.files.After, 2, inventory.Came, inventory.Changed)
	if c.files.Again() {
		tell(c.files.Name, 1, inventory.Gone)
	}
}
