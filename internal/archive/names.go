package archive

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// names watches over the names of an archive as they come: each once, folders before what is in them, nothing below what is no folder.
// It keeps a hash for each name, not the name.
type names struct {
	seed   maphash.Seed
	seen   map[uint64]nameKind
	parent string // of the last entry: known to be a folder
}

type nameKind byte

const (
	namedFile nameKind = iota + 1
	namedFolder
	impliedFolder
	namedOther // a symbolic link, FIFO or device
	namedLink  // a hard link
)

func newNames() *names { return &names{seed: maphash.MakeSeed(), seen: map[uint64]nameKind{}} }

// add checks one more entry.
func (n *names) add(e *Entry) error {
	if err := checkName(e.Path); err != nil {
		return err
	}
	if err := n.checkParent(e.Path); err != nil {
		return err
	}
	key := maphash.String(n.seed, e.Path)
	if n.seen[key] != 0 {
		return fmt.Errorf("unsafe name %q: occurs twice or after what is in it", e.Path)
	}
	if first := n.seen[maphash.String(n.seed, e.Link)]; e.Kind == tree.Hardlink && first != namedFile && first != namedOther {
		return fmt.Errorf("unsafe name %q: a hard link to %q, which is no earlier entry of the archive, or a folder or hard link", e.Path, e.Link)
	}
	n.seen[key] = kindOfName(e.Kind)
	return nil
}

func kindOfName(k tree.Kind) nameKind {
	switch k {
	case tree.Dir:
		return namedFolder
	case tree.File:
		return namedFile
	case tree.Hardlink:
		return namedLink
	}
	return namedOther
}

var errParent = errors.New("lies in nothing that is a folder")

func (n *names) checkParent(name string) error {
	last := strings.LastIndexByte(name, '/')
	if last < 0 || name[:last] == n.parent {
		return nil
	}
	parent := name[:last]
	implied := parent == "data" || parent == "project" || strings.HasPrefix(parent, "project/")
	key := maphash.String(n.seed, parent)
	switch kind := n.seen[key]; {
	case kind == namedFolder, kind == impliedFolder:
	case kind == 0 && implied:
		if err := n.checkParent(parent); err != nil {
			return err
		}
		n.seen[key] = impliedFolder
	default:
		return fmt.Errorf("unsafe name %q: %w", name, errParent)
	}
	n.parent = parent
	return nil
}
