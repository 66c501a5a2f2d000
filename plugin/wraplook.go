package plugin

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/tree"
)

// lookVolume looks into a volume; one that does not exist holds nothing.
func (g *guardFacts) lookVolume(ctx context.Context, name string) guard.Look {
	return func() guard.Content {
		v, err := g.Engine.Volume(ctx, name)
		if errors.Is(err, engine.ErrNotFound) {
			return guard.Content{Known: true}
		}
		if err != nil {
			return guard.Content{}
		}
		place, err := v.Place()
		if err != nil || !g.Info.Local {
			return guard.Content{}
		}
		return placeContent(place)
	}
}

func (g *guardFacts) lookPath(path string) guard.Look {
	if !g.sharesPaths() {
		return nil
	}
	return func() guard.Content { return placeContent(path) }
}

// How many files of a place are counted before it is just a lot, and how many are looked at.
const (
	mostCounted = 10_000
	mostSeen    = 200_000
)

// placeContent counts what is in a folder, or a file.
func placeContent(place string) guard.Content {
	return countFiles(place, func(string) bool { return true })
}

// countFiles counts those files of a folder that count.
func countFiles(place string, counts func(path string) bool) guard.Content {
	out, seen := guard.Content{Known: true}, 0
	err := filepath.WalkDir(place, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > mostSeen || out.Files == mostCounted {
			out.More = true
			return filepath.SkipAll
		}
		if e.IsDir() {
			if e.Name() == "lost+found" && path != place {
				return filepath.SkipDir
			}
			return nil
		}
		if !counts(path) {
			return nil
		}
		out.Files++
		if info, err := e.Info(); err == nil {
			out.Bytes += info.Size()
		}
		return nil
	})
	out.More = out.More || err != nil && !errors.Is(err, fs.ErrNotExist) // what comes behind it is not known
	if out.Files == 0 && out.More {
		return guard.Content{}
	}
	out.Text = fmt.Sprintf("%s, %s", plural(out.Files, "file", "files"), size(out.Bytes))
	if out.More {
		out.Text = "at least " + out.Text
	}
	return out
}

// holdsNothing tells that a folder is empty, but for what a new file system has.
func holdsNothing(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != "lost+found" })
}

// Bounds of what is looked at in one volume through the engine.
const (
	streamTime  = 5 * time.Second
	fillingTime = time.Minute
)

// written looks for what was written into an anonymous volume since it was made: what an image brings along comes again with the next one.
func (g *guardFacts) written(ctx context.Context, c engine.Container, m engine.Mount) guard.Content {
	v, err := g.Engine.Volume(ctx, m.Name)
	if errors.Is(err, engine.ErrNotFound) {
		return guard.Content{Known: true}
	}
	if err != nil {
		return guard.Content{}
	}
	if place, err := v.Place(); err == nil && g.Info.Local {
		if out := writtenSince(place, v.CreatedAt, g.Config.Exclude); out.Known {
			return out
		}
	}
	return g.streamed(ctx, c, m, v.CreatedAt)
}

// writtenSince counts the files of a folder that no image has brought: those are older than the folder, and came while the container was made.
// What backups leave out is no data.
func writtenSince(place string, made time.Time, patterns []string) guard.Content {
	left := leftOut(place, patterns)
	return countFiles(place, func(path string) bool {
		if rel, err := filepath.Rel(place, path); err == nil && left(rel) {
			return false
		}
		e, err := tree.Lstat(path)
		return err != nil || !e.ModTime.Before(made.Truncate(time.Second)) || e.ChangeTime.After(made.Add(fillingTime))
	})
}

// streamed is the same through the engine, which tells less: it ends with the first file that was written.
func (g *guardFacts) streamed(ctx context.Context, c engine.Container, m engine.Mount, made time.Time) guard.Content {
	ctx, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	in, err := g.Engine.CopyFrom(ctx, c.ID, m.Destination+"/.")
	if err != nil {
		return guard.Content{}
	}
	defer in.Close()
	left := leftOut(m.Source, g.Config.Exclude)
	for files := tar.NewReader(in); ; {
		switch h, err := files.Next(); {
		case errors.Is(err, io.EOF):
			return guard.Content{Known: true}
		case err != nil:
			return guard.Content{}
		case left(path.Clean(h.Name)):
		case h.Typeflag != tar.TypeDir && !h.ModTime.Before(made.Truncate(time.Second)):
			return guard.Content{Known: true, Files: 1, Bytes: h.Size, More: true, Text: "data (such as " + path.Base(h.Name) + ")"}
		}
	}
}

// leftOut tells the files below a source's root that backups leave out: logs, temporary files, what the patterns name.
func leftOut(root string, patterns []string) func(rel string) bool {
	rules, err := tree.NewRules(tree.RuleOptions{Patterns: patterns, Defaults: true})
	if err != nil {
		return func(string) bool { return false }
	}
	skip := rules.Skip(root)
	return func(rel string) bool {
		rel = filepath.ToSlash(rel)
		for dir := path.Dir(rel); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if skip(&tree.Entry{Path: dir, Kind: tree.Dir}) != "" {
				return true
			}
		}
		return skip(&tree.Entry{Path: rel, Kind: tree.File}) != ""
	}
}
