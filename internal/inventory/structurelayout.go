package inventory

import (
	"path"
	"slices"

	"github.com/memsys/docker-memsys/internal/tree"
)

// folderLayout finds folders missing that the source must have: Options.Layout.
type folderLayout struct {
	wanted []string
	seen   map[string]tree.Kind
}

func newFolderLayout(o Options) *folderLayout {
	l := &folderLayout{seen: map[string]tree.Kind{}}
	for _, dir := range o.Layout {
		l.wanted = append(l.wanted, path.Clean(dir))
	}
	return l
}

func (*folderLayout) check() Check { return Check{ID: "structure.layout", Title: "folders"} }

// Checks tells what it looks at.
func (l *folderLayout) Checks() []Check { return []Check{l.check()} }

// Observe keeps in mind which of them are there.
func (l *folderLayout) Observe(e *tree.Entry) {
	if slices.Contains(l.wanted, e.Path) {
		l.seen[e.Path] = e.Kind
	}
}

// After names those that are not. A symbolic link may lead to a folder.
func (l *folderLayout) After(r *Recorder) {
	if len(l.wanted) == 0 {
		return
	}
	r.Checked(l.check(), int64(len(l.wanted)))
	for _, dir := range l.wanted {
		switch l.seen[dir] {
		case tree.Dir, tree.Symlink:
		case "":
			r.Find(l.check(), Finding{Status: Warning, Path: dir, Text: "the folder is missing"})
		default:
			r.Find(l.check(), Finding{Status: Warning, Path: dir, Text: "is no folder"})
		}
	}
}
