package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
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
				if x.Entry.Kind != tree.Dir && !c.holds(name, x.Entry.Path) {
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

// compareLiveFiles compares the live files that hold no records with those of the backup, by content, where this process can read them.
func (c *comparison) compareLiveFiles(ctx context.Context, s *session) error {
	if s.way != nil && s.way.helper {
		return c.noteFiles(ctx)
	}
	x := backup.Exclusions{Patterns: s.Config.Exclude, Backups: s.Store.Path}
	var places []backup.Place
	for _, src := range s.Sources {
		at, err := s.locate(ctx, src)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			places = append(places, backup.Place{Name: src.Name, Path: at})
		}
	}
	rules, err := x.Rules(places)
	if err != nil {
		return err
	}
	defer c.tellLiveFiles()
	return withArchive(c.backups[0], func(r *archive.Reader) error {
		for _, p := range places {
			if _, read := c.counted[1][p.Name]; !read || !slices.Contains(c.sources, p.Name) {
				continue
			}
			if err := c.compareTree(ctx, r, p, x.Skip(rules, p)); err != nil {
				return err
			}
		}
		return nil
	})
}

// noteFiles says how many files of the backup are not compared, where only a helper can read the live ones.
func (c *comparison) noteFiles(ctx context.Context) error {
	n := int64(0)
	err := c.eachFile(ctx, 0, func(source string, _ tree.Expected) {
		if !c.left[source] {
			n++
		}
	})
	if err == nil && n > 0 {
		c.notes = append(c.notes, plural(n, "file that holds no records is", "files that hold no records are")+" not compared, for only a helper container can read the live data; docker memsys restore --dry-run names those that differ")
	}
	return err
}

// compareTree compares one live source with the backup.
func (c *comparison) compareTree(ctx context.Context, r *archive.Reader, p backup.Place, leftOut func(*tree.Entry) string) error {
	skip := func(e *tree.Entry) string {
		if rule := leftOut(e); rule != "" {
			return rule
		}
		if e.Kind != tree.Dir && c.holds(p.Name, e.Path) {
			return "records"
		}
		return ""
	}
	folders, n := map[string]bool{}, int64(0)
	expected := func(yield func(tree.Expected, error) bool) {
		for x, err := range within(ownEntries(ctx, r, p.Name), skip) {
			switch {
			case err != nil:
			case x.Entry.Kind == tree.Dir:
				folders[x.Entry.Path] = true
			default:
				n++
			}
			if !yield(x, err) {
				return
			}
		}
	}
	count := progress.Counter(c.app.sink(), progress.Event{Step: "compare", Object: p.Name})
	found, err := tree.Compare(ctx, p.Path, expected, tree.CompareOptions{Skip: skip, Content: true, IgnoreOwners: true, OnBytes: count})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("compare source %s with the backup: %w", p.Name, err)
	}
	c.tookFiles(p.Name, found, folders, n)
	return nil
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

// tookFiles takes what a comparison of trees has found about files.
func (c *comparison) tookFiles(source string, found []tree.Difference, folders map[string]bool, n int64) {
	all := map[string]inventory.Change{}
	for _, d := range found {
		switch {
		case d.Field == "unreadable":
			c.notes = append(c.notes, fmt.Sprintf("%s/%s of the live data: %s", source, d.Path, d.Got))
		case folders[d.Path], d.Field == "extra" && d.Got == string(tree.Dir):
		case d.Path == "." && c.holds(source, "."): // a source that is one file, which no rule leaves out
		case d.Field == "missing":
			all[d.Path] = inventory.Gone
		case d.Field == "extra":
			all[d.Path] = inventory.Came
		case slices.Contains([]string{"content", "size", "kind", "link", "device"}, d.Field):
			all[d.Path] = inventory.Changed
		}
	}
	after := n
	for path, change := range all {
		c.liveFiles = append(c.liveFiles, inventory.RecordDiff{Change: change, Source: source, ID: path})
		switch change {
		case inventory.Gone:
			after--
		case inventory.Came:
			after++
		}
	}
	c.counts[source] = [2]int64{n, after}
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
