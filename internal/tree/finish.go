package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// Finish makes links, then sets the attributes of folders, the deepest first, and flushes to the disk if wanted. It
// returns what could not be set as it should be; an error means that entries are missing. The Writer is closed by it.
func (w *Writer) Finish(ctx context.Context) ([]Problem, error) {
	if !w.started {
		return nil, nil
	}
	defer w.dirs.close()
	if err := w.finishLinks(ctx); err != nil {
		return w.problems, err
	}
	paths := slices.SortedFunc(maps.Keys(w.folders), ComparePaths)
	for _, path := range slices.Backward(paths) {
		if err := ctx.Err(); err != nil {
			return w.problems, err
		}
		if err := w.finishFolder(path); err != nil {
			return w.problems, err
		}
	}
	err := w.flush()
	slices.SortStableFunc(w.problems, func(a, b Problem) int { return ComparePaths(a.Path, b.Path) })
	return w.problems, err
}

// finishLinks makes hard links to what exists, then symbolic links, then hard links to those.
func (w *Writer) finishLinks(ctx context.Context) error {
	pending := map[string]bool{}
	for _, e := range w.symlinks {
		pending[e.Path] = true
	}
	var late []*Entry
	for _, e := range w.links {
		if pending[e.Link] {
			late = append(late, e)
			continue
		}
		if err := step(ctx, "link", e, w.hardlink); err != nil {
			return err
		}
	}
	for _, e := range w.symlinks {
		if err := step(ctx, "link", e, w.symlink); err != nil {
			return err
		}
	}
	for _, e := range late {
		if err := step(ctx, "link", e, w.hardlink); err != nil {
			return err
		}
	}
	return nil
}

func step(ctx context.Context, op string, e *Entry, f func(*Entry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return pathError(op, e.Path, f(e))
}

func (w *Writer) hardlink(e *Entry) error {
	ref, name, err := w.place(e.Path)
	if err != nil {
		return err
	}
	defer ref.release()
	from, old, err := w.dirs.at(e.Link)
	if errors.Is(err, fs.ErrNotExist) || notDirError(err) {
		return fmt.Errorf("%w: hard link to %q, which is missing: %w", ErrUnsafe, e.Link, err)
	}
	if err != nil {
		return err
	}
	defer from.release()
	target, err := from.lstat(old)
	if err != nil || target.Kind == Dir {
		return errors.Join(fmt.Errorf("%w: hard link to %q, which is missing or a folder", ErrUnsafe, e.Link), err)
	}
	return ref.link(from.folder, old, name)
}

func notDirError(err error) bool { return err != nil && (errors.Is(err, ErrUnsafe) || notDir(err)) }

func (w *Writer) symlink(e *Entry) error {
	ref, name, err := w.place(e.Path)
	if err != nil {
		return err
	}
	defer ref.release()
	if err := ref.symlink(e.Link, name); err != nil {
		return err
	}
	w.apply(ref.node(name, Symlink), e)
	return nil
}

func (w *Writer) finishFolder(path string) error {
	ref, err := w.dirs.acquire(path)
	if err != nil {
		return pathError("open", path, err)
	}
	defer ref.release()
	if w.o.Sync && !syncsAll {
		if err := ref.sync(); err != nil {
			return pathError("sync", path, err)
		}
	}
	w.apply(ref.folder, w.folders[path])
	return nil
}

func (w *Writer) flush() error {
	if !w.o.Sync {
		return nil
	}
	ref, err := w.dirs.acquire(".")
	if err != nil {
		return pathError("open", w.root, err)
	}
	defer ref.release()
	return pathError("sync", w.root, ref.syncAll())
}
