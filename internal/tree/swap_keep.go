package tree

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// CompleteOld makes the whole former tree of what a finished swap has set aside in "old": the folders that had stayed in place are made
// in it too, with their former attributes as far as this process may set them. Only the root's mode lets its owner in whatever it was; it
// stands in the swap. It can be repeated.
func CompleteOld(s *Swap) error {
	if s.File {
		return nil
	}
	staging := string(s.Staging)
	if err := makeFolder(staging, "old"); err != nil {
		return err
	}
	d := newDirs(filepath.Join(staging, "old"))
	defer d.close()
	for _, change := range s.Folders {
		ref, err := d.ensure(string(change.Path))
		if err != nil {
			return pathError("create", string(change.Path), err)
		}
		ref.release()
	}
	for i := len(s.Folders) - 1; i >= 0; i-- {
		if err := keptFolder(d, s.Folders[i].Old.Entry(string(s.Folders[i].Path))); err != nil {
			return err
		}
	}
	return nil
}

// RenewStaged gives the staged folders whose content a reverted swap has moved out and in again their attributes back, for a staging that
// is not thrown away. It can be repeated.
func RenewStaged(s *Swap) error {
	if s.File {
		return nil
	}
	d := newDirs(filepath.Join(string(s.Staging), "new"))
	defer d.close()
	for i := len(s.Folders) - 1; i >= 0; i-- {
		err := keptFolder(d, s.Folders[i].New.Entry(string(s.Folders[i].Path)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// keptFolder gives a folder of a staging that stays its attributes.
func keptFolder(d *dirs, want *Entry) error {
	if want.Path == "." {
		want.Mode |= 0o700
	}
	ref, err := d.acquire(want.Path)
	if err != nil {
		return pathError("open", want.Path, err)
	}
	defer ref.release()
	now, err := readEntry(ref.folder, want.Path)
	if err != nil {
		return pathError("read", want.Path, err)
	}
	_ = replaceAttributes(ref.folder, now, want) // what may not be set is told when it is put in place
	return pathError("sync", want.Path, ref.sync())
}

// Remains tells whether a folder of that name is what a removal has left that did not come to its end.
func Remains(name string) bool {
	return strings.HasPrefix(name, stagingPrefix) && strings.HasSuffix(name, finishedSuffix)
}

// DiscardAside removes a staging folder in which entries were set aside. The time of the folder around it stays as it is.
func DiscardAside(ctx context.Context, staging string) error {
	dir, name := filepath.Dir(staging), filepath.Base(staging)
	parent, err := openFolder(dir)
	if err != nil {
		return pathError("open", dir, err)
	}
	defer parent.Close()
	before, err := parent.stat()
	if err != nil {
		return err
	}
	// Under the other name nobody takes what is left of it for entries that were set aside.
	if err := parent.rename(name, parent, name+finishedSuffix); err != nil {
		return pathError("rename", staging, err)
	}
	if err := parent.sync(); err != nil { // the name is on the disk before anything goes
		return pathError("sync", dir, err)
	}
	if err := RemoveAll(ctx, staging+finishedSuffix); err != nil {
		return err
	}
	return errors.Join(putTime(parent, before.ModTime), parent.sync())
}

// Stamp is the time now as the change times of the file system have it that holds root: its mode is set to what it is. It is zero where
// that cannot be told.
func Stamp(root string) time.Time {
	ref, name, err := newSingle(root).at(".")
	if err != nil {
		return time.Time{}
	}
	defer ref.owner.close()
	defer ref.release()
	e, err := ref.lstat(name)
	if err != nil || e.Mode&setIDs != 0 || e.Kind != Dir && e.Kind != File { // the system may drop such bits
		return time.Time{}
	}
	if e.Kind == Dir {
		err = ref.chmodFolder(name, e.Mode)
	} else {
		err = ref.node(name, File).chmod(e.Mode)
	}
	if err != nil {
		return time.Time{}
	}
	if e, err = ref.lstat(name); err != nil {
		return time.Time{}
	}
	return e.ChangeTime
}
