package textindex

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/examples/memory-system/atomicfile"
)

const (
	// ManifestName is the file that lists the segments; a segment counts from the moment it is listed.
	ManifestName = "manifest.json"
	version      = 1
	maxSegments  = 8
)

// Damage is a file that does not hold what it must.
type Damage struct {
	// File is relative to the folder of the index.
	File   string
	Reason string
}

type manifest struct {
	Version  int           `json:"version"`
	Next     int           `json:"next"`
	Segments []segmentInfo `json:"segments"`
}

type segmentInfo struct {
	File   string `json:"file"`
	Docs   int    `json:"docs"`
	SHA256 string `json:"sha256"`
}

type segment struct {
	Docs  []segmentDoc        `json:"docs"`
	Terms map[string][][2]int `json:"terms"`
}

type segmentDoc struct {
	ID   string `json:"id"`
	Sum  string `json:"sum"`
	Size int    `json:"size"`
}

type store struct {
	dir      string
	write    atomicfile.Writer
	manifest manifest
}

// Open reads the index kept in dir. Of each text only the version whose sum current tells is taken; the caller adds
// what is not in the index yet. Damaged segments are reported, and their texts left out.
func Open(dir string, write atomicfile.Writer, current func(id string) (sum string, ok bool)) (*Index, []Damage) {
	x := &Index{
		store: store{dir: dir, write: write, manifest: manifest{Version: version, Next: 1}},
		docs:  map[string]document{}, postings: map[string]map[string]int{}, pending: map[string]bool{},
	}
	if d := x.store.readManifest(); d != nil {
		return x, []Damage{*d}
	}
	var damage []Damage
	for _, info := range x.store.manifest.Segments {
		seg, err := x.store.readSegment(info)
		if err != nil {
			damage = append(damage, Damage{info.File, err.Error()})
			continue
		}
		x.take(seg, current)
	}
	return x, damage
}

// Files returns the names of the files that hold the index.
func (x *Index) Files() []string {
	if len(x.store.manifest.Segments) == 0 {
		return nil
	}
	out := []string{ManifestName}
	for _, info := range x.store.manifest.Segments {
		out = append(out, info.File)
	}
	return out
}

// Flush writes the texts that no segment holds yet. When there are many segments they become one, in which texts that
// were removed or replaced no longer stand.
func (x *Index) Flush() error {
	if len(x.pending) == 0 {
		return nil
	}
	m := manifest{Version: version, Next: x.store.manifest.Next + 1, Segments: x.store.manifest.Segments}
	ids := slices.Sorted(maps.Keys(x.pending))
	var old []segmentInfo
	if len(m.Segments) >= maxSegments {
		ids = slices.Sorted(maps.Keys(x.docs))
		old, m.Segments = m.Segments, nil
	}
	info, err := x.store.writeSegment(x.store.manifest.Next, x.segment(ids))
	if err != nil {
		return err
	}
	m.Segments = append(slices.Clone(m.Segments), info)
	if err := x.store.writeManifest(m); err != nil {
		return err
	}
	clear(x.pending)
	for _, s := range old {
		if err := x.store.write.Remove(filepath.Join(x.store.dir, s.File)); err != nil {
			return fmt.Errorf("remove merged segment: %w", err)
		}
	}
	return nil
}

func (x *Index) segment(ids []string) segment {
	seg := segment{Terms: map[string][][2]int{}}
	for i, id := range ids {
		d := x.docs[id]
		seg.Docs = append(seg.Docs, segmentDoc{ID: id, Sum: d.sum, Size: d.size})
		for t, n := range d.terms {
			seg.Terms[t] = append(seg.Terms[t], [2]int{i, n})
		}
	}
	return seg
}

func (x *Index) take(seg segment, current func(id string) (string, bool)) {
	docs := make([]document, len(seg.Docs))
	for i, d := range seg.Docs {
		docs[i] = document{sum: d.Sum, size: d.Size, terms: map[string]int{}}
	}
	for t, list := range seg.Terms {
		for _, p := range list {
			docs[p[0]].terms[t] = p[1]
		}
	}
	for i, d := range seg.Docs {
		if sum, ok := current(d.ID); ok && sum == d.Sum {
			x.put(d.ID, docs[i])
		}
	}
}

func (s *store) readManifest() *Damage {
	data, err := os.ReadFile(filepath.Join(s.dir, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &Damage{ManifestName, err.Error()}
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return &Damage{ManifestName, err.Error()}
	}
	if m.Version != version {
		return &Damage{ManifestName, fmt.Sprintf("version %d is not known", m.Version)}
	}
	s.manifest = m
	return nil
}

func (s *store) writeManifest(m manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", ManifestName, err)
	}
	if err := s.write.Write(filepath.Join(s.dir, ManifestName), append(data, '\n')); err != nil {
		return err
	}
	s.manifest = m
	return nil
}

func (s *store) writeSegment(n int, seg segment) (segmentInfo, error) {
	name := fmt.Sprintf("segment-%06d.json", n)
	data, err := json.Marshal(seg)
	if err != nil {
		return segmentInfo{}, fmt.Errorf("encode %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	return segmentInfo{name, len(seg.Docs), hex.EncodeToString(sum[:])}, s.write.Write(filepath.Join(s.dir, name), data)
}

func (s *store) readSegment(info segmentInfo) (segment, error) {
	var seg segment
	data, err := os.ReadFile(filepath.Join(s.dir, info.File))
	if errors.Is(err, fs.ErrNotExist) {
		return seg, fmt.Errorf("missing, with %d texts", info.Docs)
	}
	if err != nil {
		return seg, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != info.SHA256 {
		return seg, fmt.Errorf("content does not match the checksum in %s", ManifestName)
	}
	if err := json.Unmarshal(data, &seg); err != nil {
		return seg, err
	}
	return seg, nil
}
