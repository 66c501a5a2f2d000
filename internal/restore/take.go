package restore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/tree"
)

// take is that entries which an earlier restore has set aside become the new content of a staging.
type take struct {
	From    tree.RawPath `json:"from"` // the folder of entries set aside
	Staging tree.RawPath `json:"staging"`
}

func (k take) old() string { return filepath.Join(string(k.From), "old") }

func (k take) new() string { return filepath.Join(string(k.Staging), "new") }

// forward moves the entries into the staging.
func (k take) forward() error { return durable.Rename(k.old(), k.new()) }

// back returns them. It can be repeated; entries that are back are left alone.
func (k take) back() error {
	if returned, err := there(k.old()); returned || err != nil {
		return err
	}
	if staged, err := there(k.new()); !staged || err != nil {
		return err
	}
	return durable.Rename(k.new(), k.old())
}

// there tells whether something has the name, and fails where that cannot be seen: what would be removed then may be the last copy.
func there(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// giveBack returns entries that were taken into a staging whose swap is reverted, as they were. The swap is over first: with the staged
// entries gone, no move could be told.
func (u *undo) giveBack(s *tree.Swap) error {
	if staged, err := there(string(s.Staging)); !staged || err != nil {
		return err // they were returned before it got the name under which it is removed
	}
	if len(s.Moves) > 0 { // the moves are on record until the end of the swap
		if err := tree.RenewStaged(s); err != nil {
			return fmt.Errorf("put back what was set aside: %w", err)
		}
	}
	for _, k := range u.takes {
		if k.Staging != s.Staging {
			continue
		}
		if err := os.Remove(filepath.Join(string(s.Staging), swapFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := durable.SyncDir(string(s.Staging)); err != nil {
			return err
		}
		if err := k.back(); err != nil {
			return fmt.Errorf("put back what was set aside in %s: %w", k.From, err)
		}
	}
	return nil
}

// taken tells whether a staging holds entries that were set aside earlier.
func (u *undo) taken(s *tree.Swap) bool {
	for _, k := range u.takes {
		if k.Staging == s.Staging {
			return true
		}
	}
	return false
}

// removeTaken removes the folders whose entries are in place again.
func (u *undo) removeTaken(ctx context.Context) error {
	var errs []error
	for _, k := range u.takes {
		if exists(k.old()) || !exists(string(k.From)) {
			continue
		}
		errs = append(errs, tree.DiscardAside(ctx, string(k.From)))
	}
	return errors.Join(errs...)
}

// asideEntries are the entries that were set aside, read and summed once, under the names that an archive would give them.
func asideEntries(ctx context.Context, prefix, root string, self *tree.Attributes) (entries, error) {
	var all []tree.Expected
	err := tree.Walk(ctx, root, tree.WalkOptions{}, func(ctx context.Context, e *tree.Entry, open tree.Opener) error {
		x := tree.Expected{Entry: e}
		if open != nil {
			var err error
			if x, err = summed(ctx, e, open); err != nil {
				return err
			}
		}
		c := *x.Entry
		if c.Path == "." && self != nil && c.Kind == tree.Dir {
			own := self.Entry(".")
			c.Mode, c.UID, c.GID, c.ModTime, c.Xattrs = own.Mode, own.UID, own.GID, own.ModTime, own.Xattrs
		}
		c.Path = under(prefix, c.Path)
		if c.Kind == tree.Hardlink {
			c.Link = under(prefix, c.Link)
		}
		all = append(all, tree.Expected{Entry: &c, Chunks: x.Chunks})
		return nil
	})
	return listed(all), err
}

// emptyEntries are those of a source that holds nothing: its root as it is.
func emptyEntries(prefix, root string) (entries, error) {
	e, err := tree.Lstat(root)
	if err != nil {
		return nil, err
	}
	e.Path = prefix
	return listed([]tree.Expected{{Entry: e}}), nil
}

func under(prefix, path string) string {
	if path == "." {
		return prefix
	}
	return prefix + "/" + path
}

func listed(all []tree.Expected) entries {
	return func() iter.Seq2[tree.Expected, error] {
		return func(yield func(tree.Expected, error) bool) {
			for _, x := range all {
				if !yield(x, nil) {
					return
				}
			}
		}
	}
}

// summed reads a file, so that what is put in place can be compared with it.
func summed(ctx context.Context, e *tree.Entry, open tree.Opener) (tree.Expected, error) {
	full, r, err := open(ctx)
	if err != nil {
		return tree.Expected{}, err
	}
	defer r.Close()
	full.Path = e.Path
	x := tree.Expected{Entry: full}
	if full.Size == 0 {
		return x, nil
	}
	h := sha256.New()
	if err := copyAll(ctx, h, r); err != nil {
		return x, fmt.Errorf("read %s: %w", e.Path, err)
	}
	c := tree.Chunk{Size: full.Size}
	h.Sum(c.SHA256[:0])
	x.Chunks = []tree.Chunk{c}
	return x, nil
}

// copyAll copies until the end, or the end of the context.
func copyAll(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if _, failed := w.Write(buf[:n]); failed != nil {
			return failed
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
