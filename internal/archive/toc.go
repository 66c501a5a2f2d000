package archive

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Start and end of the contents table's JSON.
const (
	tocStart = "{\"version\":1,\"entries\":[\n"
	tocEnd   = "\n]}"
)

// tocEntry is one line of the contents table.
type tocEntry struct {
	Name        string            `json:"name"`
	Type        string            `json:"type"`
	Size        int64             `json:"size"`
	ModTime     string            `json:"modtime"`
	LinkName    string            `json:"linkName"`
	Mode        uint32            `json:"mode"`
	UID         int               `json:"uid"`
	GID         int               `json:"gid"`
	Major       uint32            `json:"devMajor"`
	Minor       uint32            `json:"devMinor"`
	Xattrs      map[string][]byte `json:"xattrs"`
	Offset      int64             `json:"offset"`
	InnerOffset int64             `json:"innerOffset"`
	ChunkOffset int64             `json:"chunkOffset"`
	ChunkSize   int64             `json:"chunkSize"`
	Digest      string            `json:"digest"`
	ChunkDigest string            `json:"chunkDigest"`
	Unit        *int64            `json:"unit"`
	Seconds     *int64            `json:"seconds"`
	Nanos       int64             `json:"nanos"`
	Holes       []int64           `json:"holes"`
	RawName     []byte            `json:"rawName"`
	RawLinkName []byte            `json:"rawLinkName"`
	RawXattrs   [][]byte          `json:"rawXattrs"`
}

// tocType is the contents table's word for a kind.
func tocType(k tree.Kind) string {
	if k == tree.File {
		return "reg"
	}
	return string(k)
}

func kindOf(tocType string) (tree.Kind, error) {
	switch k := tree.Kind(tocType); k {
	case tree.Dir, tree.Symlink, tree.Hardlink, tree.FIFO, tree.CharDevice, tree.BlockDevice:
		return k, nil
	case "reg":
		return tree.File, nil
	}
	return "", fmt.Errorf("unknown type %q", tocType)
}

// parseTOCLine reads one line of the contents table.
func parseTOCLine(b []byte) (*tocEntry, error) {
	t := new(tocEntry)
	if err := json.Unmarshal(b, t); err != nil {
		return nil, err
	}
	if t.Offset < 0 || t.InnerOffset < 0 || t.ChunkOffset < 0 || t.ChunkSize < 0 || t.Size < 0 || t.Unit != nil && *t.Unit < 0 {
		return nil, errors.New("negative number")
	}
	return t, nil
}

// entry returns what a line says about the file itself.
func (t *tocEntry) entry() (*tree.Entry, error) {
	kind, err := kindOf(t.Type)
	if err != nil {
		return nil, err
	}
	e := &tree.Entry{Kind: kind, Mode: t.Mode, UID: t.UID, GID: t.GID, Size: t.Size, Major: t.Major, Minor: t.Minor, Xattrs: t.Xattrs}
	if e.Path, err = rawName(t.Name, t.RawName); err != nil {
		return nil, err
	}
	if e.Link, err = rawName(t.LinkName, t.RawLinkName); err != nil {
		return nil, err
	}
	if trimmed := strings.TrimSuffix(e.Path, "/"); kind == tree.Dir && trimmed != e.Path {
		e.Path = trimmed
	} else if kind == tree.Dir || trimmed != e.Path {
		return nil, fmt.Errorf("unsafe name %q: only a folder's ends in a slash", e.Path)
	}
	if e.ModTime, err = t.time(); err != nil {
		return nil, err
	}
	if err := t.addRawXattrs(e); err != nil {
		return nil, err
	}
	if err := t.addHoles(e); err != nil {
		return nil, err
	}
	return e, t.check(e)
}

// check refuses attributes that the kind does not have.
func (t *tocEntry) check(e *tree.Entry) error {
	device := e.Kind == tree.CharDevice || e.Kind == tree.BlockDevice
	link := e.Kind == tree.Symlink || e.Kind == tree.Hardlink
	switch {
	case e.Kind != tree.File && (e.Size != 0 || len(e.Holes) > 0):
		return errors.New("content for an entry that has none")
	case !device && (e.Major != 0 || e.Minor != 0):
		return errors.New("device numbers for an entry that is no device")
	case link != (e.Link != "") || strings.IndexByte(e.Link, 0) >= 0:
		return errors.New("link target and type disagree")
	}
	return nil
}

// rawName returns the name itself, after checking that its escaped form is the one that stands in the table.
func rawName(escaped string, raw []byte) (string, error) {
	name := escaped
	if raw != nil {
		name = string(raw)
	}
	if escapeName(name) != escaped {
		return "", fmt.Errorf("name %q and its raw form disagree", escaped)
	}
	return name, nil
}

func (t *tocEntry) time() (time.Time, error) {
	if t.Seconds != nil {
		if t.Nanos < 0 || t.Nanos >= int64(time.Second) || t.ModTime != "" {
			return time.Time{}, errors.New("time out of range")
		}
		return time.Unix(*t.Seconds, t.Nanos).UTC(), nil
	}
	return time.Parse(time.RFC3339Nano, t.ModTime)
}

func (t *tocEntry) addRawXattrs(e *tree.Entry) error {
	if len(t.RawXattrs)%2 != 0 {
		return errors.New("rawXattrs is not a list of pairs")
	}
	for i := 0; i < len(t.RawXattrs); i += 2 {
		if e.Xattrs == nil {
			e.Xattrs = map[string][]byte{}
		}
		e.Xattrs[string(t.RawXattrs[i])] = t.RawXattrs[i+1]
	}
	return nil
}

func (t *tocEntry) addHoles(e *tree.Entry) error {
	if len(t.Holes)%2 != 0 || len(t.Holes) > 2*maxHoles {
		return errors.New("holes is not a list of pairs, or too long")
	}
	end := int64(0)
	for i := 0; i < len(t.Holes); i += 2 {
		h := tree.Extent{Offset: t.Holes[i], Length: t.Holes[i+1]}
		if h.Offset < end || h.Length <= 0 || h.Length > e.Size-h.Offset {
			return errors.New("holes overlap or lie outside of the file")
		}
		end = h.Offset + h.Length
		e.Holes = append(e.Holes, h)
	}
	return nil
}

// chunk returns the chunk of a line; size is that of the file.
func (t *tocEntry) chunk(size int64) (tree.Chunk, error) {
	c := tree.Chunk{Offset: t.ChunkOffset, Size: t.ChunkSize}
	if c.Size == 0 {
		c.Size = size - c.Offset
	}
	if c.Size <= 0 || c.Size > size-c.Offset || c.Size > maxManifest {
		return c, errors.New("chunk lies outside of its file or is too large")
	}
	hexSum, ok := strings.CutPrefix(t.ChunkDigest, "sha256:")
	if !ok || len(hexSum) != 64 || t.Digest != "" && t.Digest != t.ChunkDigest {
		return c, errors.New("digest missing or malformed")
	}
	_, err := hex.Decode(c.SHA256[:], []byte(hexSum))
	return c, err
}
