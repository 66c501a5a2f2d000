package tree

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
)

// maxOpenDirs is how many folders a cache keeps open beyond those in use; deeper trees are opened again on the way back.
const maxOpenDirs = 128

// dirs opens folders below a root and keeps the latest ones open. It is safe for parallel use.
type dirs struct {
	root string // path of the root on the machine
	// single is the name of the root in its folder when the root is a file; the cache's root is then that folder.
	single string
	// durable makes a new folder's name be on the disk before anything comes into it.
	durable bool

	mu     sync.Mutex
	cache  map[string]*dirRef
	idle   *list.List // of *dirRef, the longest unused first
	closed bool
}

// dirRef is a folder in use; release gives it back.
type dirRef struct {
	*folder
	owner *dirs
	path  string
	uses  int
	place *list.Element
}

func newDirs(root string) *dirs {
	return &dirs{root: root, cache: map[string]*dirRef{}, idle: list.New()}
}

func newSingle(root string) *dirs {
	d := newDirs(filepath.Dir(root))
	d.single = filepath.Base(root)
	return d
}

// at gives the open folder and the name under which a path of the tree is found. For the root folder itself name is "".
func (d *dirs) at(path string) (ref *dirRef, name string, err error) {
	if path == "." {
		ref, err = d.acquire(".")
		return ref, d.single, err
	}
	if d.single != "" {
		return nil, "", fmt.Errorf("%w: %q below a file", ErrUnsafe, path)
	}
	dir, name := splitPath(path)
	ref, err = d.acquire(dir)
	return ref, name, err
}

// acquire opens a folder of the tree, component by component from the nearest one that is open.
func (d *dirs) acquire(path string) (*dirRef, error) { return d.find(path, false) }

// ensure is acquire that makes the folders which are missing.
func (d *dirs) ensure(path string) (*dirRef, error) { return d.find(path, true) }

func (d *dirs) find(path string, create bool) (*dirRef, error) {
	if ref := d.cached(path); ref != nil {
		return ref, nil
	}
	if path == "." {
		f, err := openFolder(d.root)
		if err != nil {
			return nil, err
		}
		return d.add(path, f), nil
	}
	return d.descend(path, create)
}

// descend opens path from its nearest cached ancestor. It is a loop, since paths can have thousands of components.
func (d *dirs) descend(path string, create bool) (*dirRef, error) {
	ref, start, err := d.nearest(path)
	if err != nil {
		return nil, err
	}
	for start < len(path) {
		end := len(path)
		if i := strings.IndexByte(path[start:], '/'); i >= 0 {
			end = start + i
		}
		f, err := d.below(ref.folder, path[start:end], create)
		parent := ref
		if err == nil {
			ref = d.add(path[:end], f)
		}
		parent.release()
		if err != nil {
			return nil, err
		}
		start = end + 1
	}
	return ref, nil
}

func (d *dirs) below(dir *folder, name string, create bool) (*folder, error) {
	f, err := dir.open(name)
	if !create || !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := dir.mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if d.durable {
		if err := dir.sync(); err != nil {
			return nil, err
		}
	}
	return dir.open(name)
}

// nearest is the deepest ancestor that is open, and where in the path the rest begins.
func (d *dirs) nearest(path string) (ref *dirRef, start int, err error) {
	for dir := path; ; {
		dir, _ = splitPath(dir)
		if dir == "." {
			ref, err = d.acquire(".")
			return ref, 0, err
		}
		if ref = d.cached(dir); ref != nil {
			return ref, len(dir) + 1, nil
		}
	}
}

func (d *dirs) cached(path string) *dirRef {
	d.mu.Lock()
	defer d.mu.Unlock()
	ref := d.cache[path]
	if ref != nil {
		d.use(ref)
	}
	return ref
}

func (d *dirs) use(ref *dirRef) {
	ref.uses++
	if ref.place != nil {
		d.idle.Remove(ref.place)
		ref.place = nil
	}
}

// add takes over an opened folder; when another goroutine was quicker, its folder is used.
func (d *dirs) add(path string, f *folder) *dirRef {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ref := d.cache[path]; ref != nil {
		_ = f.Close()
		d.use(ref)
		return ref
	}
	ref := &dirRef{folder: f, owner: d, path: path, uses: 1}
	d.cache[path] = ref
	return ref
}

// release gives the folder back; it stays open while there is room.
func (r *dirRef) release() {
	d := r.owner
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.uses--; r.uses > 0 {
		return
	}
	r.place = d.idle.PushBack(r)
	d.trim()
}

func (d *dirs) trim() {
	limit := maxOpenDirs
	if d.closed {
		limit = 0
	}
	for d.idle.Len() > limit {
		d.drop(d.idle.Front().Value.(*dirRef))
	}
}

func (d *dirs) drop(ref *dirRef) {
	d.idle.Remove(ref.place)
	ref.place = nil
	delete(d.cache, ref.path)
	_ = ref.folder.Close()
}

// close closes what is not in use. The cache still works afterwards, but keeps nothing open.
func (d *dirs) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.trim()
}
