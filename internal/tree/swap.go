package tree

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrMountPoint says that a mount lies in what a swap would have to move.
var ErrMountPoint = errors.New("mount point in the way")

// ErrKept says that something that stays in place stands where the new tree has no folder.
var ErrKept = errors.New("kept entry in the way")

// ErrTorn says that neither the old nor the new state of an entry is where a swap left it: a person has to look.
var ErrTorn = errors.New("neither old nor new state")

// Swap is the replacement of a source's content by what is staged, decided as a whole before anything happens. It is plain
// data for the crash journal. Every function on it looks at what is on the disk and can be repeated from any state.
type Swap struct {
	// Root is the source, a folder or a single file.
	Root RawPath `json:"root"`
	// Inode is that of the root, by which it is known again after a crash; 0 where the system has none.
	Inode uint64 `json:"inode,omitempty"`
	// Staging holds "new", and "old" with what was there before.
	Staging RawPath `json:"staging"`
	// File tells that the source is a single file, which is rewritten in place.
	File bool `json:"file,omitempty"`
	// Moves are the entries that change place, in order.
	Moves []Move `json:"moves,omitempty"`
	// Folders stay where they are and get new attributes: the root, and those with something in them that is kept.
	Folders []FolderChange `json:"folders,omitempty"`
	// LeftOut are staged folders that are not put in place, since what stands there is kept.
	LeftOut []RawPath `json:"leftOut,omitempty"`
}

// Move is one name: the old entry goes aside, the new one comes in its place; one of the two can be missing.
type Move struct {
	Path RawPath `json:"path"`
	Old  bool    `json:"old,omitempty"`
	New  bool    `json:"new,omitempty"`
	// OldMode and NewMode are modes of folders that cannot be moved by their owner as they are.
	OldMode uint32 `json:"oldMode,omitempty"`
	NewMode uint32 `json:"newMode,omitempty"`
}

// FolderChange is a folder that stays, with its attributes before and after.
type FolderChange struct {
	Path RawPath    `json:"path"`
	Old  Attributes `json:"old"`
	New  Attributes `json:"new"`
}

// Attributes are those of an entry as the journal keeps them.
type Attributes struct {
	Mode    uint32  `json:"mode"`
	UID     int     `json:"uid"`
	GID     int     `json:"gid"`
	Seconds int64   `json:"seconds"`
	Nanos   int64   `json:"nanos"`
	Xattrs  []Xattr `json:"xattrs,omitempty"`
}

// Xattr is one extended attribute.
type Xattr struct {
	Name  RawPath `json:"name"`
	Value []byte  `json:"value"`
}

// RawPath is a name of any bytes. In JSON it stands as it is, or as "base64:…" where it is not UTF-8.
type RawPath string

const base64Prefix = "base64:"

// MarshalText implements encoding.TextMarshaler.
func (p RawPath) MarshalText() ([]byte, error) {
	if utf8.ValidString(string(p)) && !strings.HasPrefix(string(p), base64Prefix) {
		return []byte(p), nil
	}
	return []byte(base64Prefix + base64.StdEncoding.EncodeToString([]byte(p))), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *RawPath) UnmarshalText(text []byte) error {
	coded, ok := strings.CutPrefix(string(text), base64Prefix)
	if !ok {
		*p = RawPath(text)
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(coded)
	*p = RawPath(raw)
	return err
}

// StagingName is the folder's name for a restore.
func StagingName(id string) string { return stagingPrefix + id }

const stagingPrefix = ".memsys-"

// StagingPath is where the staging of a restore lies: inside a source that is a folder, beside one that is a single file.
func StagingPath(root, id string) (string, error) {
	if err := CheckPath(StagingName(id)); err != nil || strings.Contains(id, "/") {
		return "", fmt.Errorf("%w: staging id %q", ErrUnsafe, id)
	}
	e, err := Lstat(root)
	if err != nil {
		return "", err
	}
	switch e.Kind {
	case Dir:
		return filepath.Join(root, StagingName(id)), nil
	case File:
		return filepath.Join(filepath.Dir(root), StagingName(id)), nil
	default:
		return "", pathError("stage", root, fmt.Errorf("%w: root is a %s", ErrUnsafe, e.Kind))
	}
}

// Stage makes the empty staging folder of a restore and returns the path for NewWriter. The time of the folder around it
// stays as it was.
func Stage(root, id string) (newRoot string, err error) {
	staging, err := StagingPath(root, id)
	if err != nil {
		return "", err
	}
	parent, name := filepath.Split(staging)
	dir, err := openFolder(filepath.Clean(parent))
	if err != nil {
		return "", pathError("open", parent, err)
	}
	defer dir.Close()
	before, err := dir.stat()
	if err != nil {
		return "", err
	}
	if err := dir.mkdir(name); err != nil {
		return "", pathError("create", staging, err)
	}
	made, err := dir.open(name)
	if err != nil {
		return "", pathError("open", staging, err)
	}
	defer made.Close()
	dropInherited(made)
	err = errors.Join(made.chmod(0o700), dir.setModTime(before.ModTime), dir.sync())
	return filepath.Join(staging, "new"), err
}

// SwapFile is the file in a staging folder that holds the swap with all its moves, from before the first.
const SwapFile = "swap.json"

// Swapping tells whether a folder, by its name and content, is the staging of a swap that was neither finished nor reverted: what is
// around it may be between two states.
func Swapping(folder string) (bool, error) {
	name := filepath.Base(folder)
	if !strings.HasPrefix(name, stagingPrefix) || strings.HasSuffix(name, finishedSuffix) || strings.HasSuffix(name, revertedSuffix) {
		return false, nil
	}
	_, err := os.Lstat(filepath.Join(folder, SwapFile))
	if errors.Is(err, fs.ErrNotExist) || notDir(err) {
		return false, nil
	}
	return err == nil, err
}

func attributesOf(e *Entry) Attributes {
	a := Attributes{Mode: e.Mode, UID: e.UID, GID: e.GID, Seconds: e.ModTime.Unix(), Nanos: int64(e.ModTime.Nanosecond())}
	for _, name := range slices.Sorted(maps.Keys(e.Xattrs)) {
		a.Xattrs = append(a.Xattrs, Xattr{RawPath(name), e.Xattrs[name]})
	}
	return a
}

// Entry is a folder that has the attributes.
func (a Attributes) Entry(path string) *Entry {
	e := &Entry{Path: path, Kind: Dir, Mode: a.Mode, UID: a.UID, GID: a.GID, ModTime: time.Unix(a.Seconds, a.Nanos)}
	for _, x := range a.Xattrs {
		if e.Xattrs == nil {
			e.Xattrs = map[string][]byte{}
		}
		e.Xattrs[string(x.Name)] = x.Value
	}
	return e
}
