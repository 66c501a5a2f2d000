package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/tree"
)

// asideFile is what swapFile becomes once the former entries are to stay: the swap is over, and what lies beside it in "old" is the
// whole former tree but for what had stayed in place.
const asideFile = "aside.json"

// AsideTime is how long entries that were set aside stay at least, whatever backups are made meanwhile.
const AsideTime = 7 * 24 * time.Hour

// Place is a source for FindAside, and where it lies.
type Place struct {
	Source string `json:"source"`
	Root   string `json:"root"`
}

// Aside is a folder of entries that a restore has replaced and that no safety backup has. It is plain data.
type Aside struct {
	// ID is that of the restore, empty where nothing tells it.
	ID     string `json:"id"`
	Source string `json:"source"`
	Root   string `json:"root"`
	// Path is the folder.
	Path string `json:"path"`
	// Backup is what was restored then.
	Backup  string    `json:"backup,omitempty"`
	Time    time.Time `json:"time"`
	Why     string    `json:"why,omitempty"`
	Entries int64     `json:"entries"`
	Bytes   int64     `json:"bytes"`
	// Unknown tells that the folder has no record: it goes only when somebody says so.
	Unknown bool `json:"unknown,omitempty"`
}

// Remains tells that its removal was interrupted: it is not what was set aside any more.
func (a Aside) Remains() bool { return tree.Remains(filepath.Base(a.Path)) }

// remainsTime is how long remains stay: somebody may be removing them.
const remainsTime = time.Hour

// Due tells whether the entries may go: they are old enough, and a good backup was made after them. good is the time of the newest one,
// zero for none.
func (a Aside) Due(now, good time.Time) bool {
	if a.Remains() {
		return !now.Before(a.Time.Add(remainsTime))
	}
	return !a.Unknown && !now.Before(a.Time.Add(AsideTime)) && good.After(a.Time)
}

// keepAside ends a swap whose former entries stay. It can be repeated.
func (u *undo) keepAside(ctx context.Context, s *tree.Swap) error {
	staging := string(s.Staging)
	if staged, err := there(staging); !staged || err != nil {
		return err // somebody has removed it, or has begun to
	}
	begun, err := there(filepath.Join(staging, swapFile))
	if begun { // else it is over, and services may have used the source since
		err = u.endAside(ctx, s)
	}
	if err == nil {
		err = tree.RemoveAll(ctx, filepath.Join(staging, "new"))
	}
	if err != nil {
		return fmt.Errorf("keep former entries in %s: %w", staging, err)
	}
	return nil
}

// endAside makes the former entries whole, and makes the record of the swap theirs.
func (u *undo) endAside(ctx context.Context, s *tree.Swap) error {
	whole, err := loadSwap(s)
	if err == nil && u.interrupted && !whole.File {
		_, err = tree.Finish(ctx, whole)
	}
	if err == nil {
		err = tree.CompleteOld(whole)
	}
	if err == nil {
		err = durable.Rename(filepath.Join(string(s.Staging), swapFile), filepath.Join(string(s.Staging), asideFile))
	}
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// FindAside finds what restores have set aside in the places, the newest first, and what removals of it have left. A folder that cannot be read is left out.
func FindAside(ctx context.Context, places []Place) ([]Aside, error) {
	var all []Aside
	seen := map[string]bool{}
	for _, place := range places {
		found, err := asideAt(ctx, place)
		if err != nil {
			return nil, fmt.Errorf("look for entries set aside in source %s: %w", place.Source, err)
		}
		for _, a := range found {
			if !seen[a.Path] {
				seen[a.Path] = true
				all = append(all, a)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Aside) int { return b.Time.Compare(a.Time) })
	return all, nil
}

// asideAt looks in the root of a source, or beside one that is a single file.
func asideAt(ctx context.Context, place Place) ([]Aside, error) {
	root := tree.Resolve(place.Root)
	info, err := os.Stat(root)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	dir := root
	if !info.IsDir() {
		dir = filepath.Dir(root)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil //nolint:nilerr // what cannot be listed by this user was not set aside by this user
	}
	var all []Aside
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.IsDir() || !strings.HasPrefix(e.Name(), tree.StagingName("")) || exists(filepath.Join(path, swapFile)) {
			continue
		}
		if tree.Remains(e.Name()) {
			if info, err := e.Info(); err == nil {
				all = append(all, Aside{Source: place.Source, Root: root, Path: path, Time: info.ModTime()})
			}
			continue
		}
		if !exists(filepath.Join(path, "old")) {
			continue
		}
		a, n, err := readAside(path)
		if err != nil {
			return nil, err
		}
		if n != nil && !n.of(dir, root) {
			continue
		}
		a.Root = root
		if a.Source == "" {
			a.Source = place.Source
		}
		if a.Entries, a.Bytes, err = weigh(ctx, filepath.Join(path, "old")); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// readAside reads the record of a folder of entries set aside, without weighing them.
func readAside(path string) (Aside, *noted, error) {
	a := Aside{Path: path}
	data, err := os.ReadFile(filepath.Join(path, asideFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return a, nil, err
	}
	n := new(noted)
	if err == nil && json.Unmarshal(data, n) == nil && n.Swap != nil {
		a.ID, a.Source, a.Backup, a.Time, a.Why, a.Root = n.Note.ID, n.Note.Source, n.Note.Backup, n.Note.Time, n.Note.Why, string(n.Root)
		return a, n, nil
	}
	a.Why = "it has no record"
	if err == nil {
		a.Why = "its record is not what a restore writes"
	}
	info, err := os.Stat(path)
	if err != nil {
		return a, nil, err
	}
	a.Unknown, a.Time = true, info.ModTime()
	return a, nil, nil
}

// of tells whether the entries were set aside of the source at root, whose staging folders lie in dir: both may have moved since.
func (n *noted) of(dir, root string) bool {
	now, err := filepath.Rel(dir, root)
	if err != nil {
		return false
	}
	then, err := filepath.Rel(filepath.Dir(string(n.Staging)), string(n.Root))
	return err == nil && then == now
}

// weigh counts what lies in a tree.
func weigh(ctx context.Context, root string) (entries, bytes int64, err error) {
	o := tree.WalkOptions{LazyXattrs: true, OnProblem: func(tree.Problem) {}} // it is shown, no more
	err = tree.Walk(ctx, root, o, func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
		if e.Path != "." || e.Kind == tree.File {
			entries++
		}
		bytes += e.Size
		return nil
	})
	return entries, bytes, err
}

// RemoveAside removes a folder that FindAside has found, and with it the last copy of what is in it.
func RemoveAside(ctx context.Context, a Aside) error {
	if !strings.HasPrefix(filepath.Base(a.Path), tree.StagingName("")) || exists(filepath.Join(a.Path, swapFile)) {
		return fmt.Errorf("remove %s: it holds no entries that were set aside", a.Path)
	}
	if err := tree.DiscardAside(ctx, a.Path); err != nil {
		return fmt.Errorf("remove what was set aside of source %s: %w", a.Source, err)
	}
	return nil
}
