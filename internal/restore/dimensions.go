package restore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Declared is an embedding dimension that a service's environment declares.
type Declared struct {
	Service   string `json:"service"`
	Variable  string `json:"variable"`
	Dimension int    `json:"dimension"`
}

// headSize is how much of a file is read to learn the dimension of its vectors.
const headSize = 4 << 10

// mostHeads is how many files of a source are read for that, on each side.
const mostHeads = 100

// chromaHeader is the name and size of the file in which an index of Chroma says how it is laid out.
const (
	chromaHeader     = "header.bin"
	chromaHeaderSize = 100
)

// hasDimension tells whether a file can say the dimension of vectors.
func hasDimension(e *tree.Entry) bool {
	return e.Kind == tree.File && (path.Base(e.Path) == chromaHeader && e.Size == chromaHeaderSize || strings.HasSuffix(e.Path, ".npy") && e.Size > 10)
}

// dimension is what the head of a file says; 0 where it says none.
func dimension(name string, head []byte) int {
	if path.Base(name) == chromaHeader {
		return chromaDimension(head)
	}
	return inventory.VectorDimension(head)
}

// chromaDimension is the length of the vectors of an index: what lies between where they begin and the label behind them.
func chromaDimension(head []byte) int {
	if len(head) != chromaHeaderSize || binary.LittleEndian.Uint32(head) != 1 || binary.LittleEndian.Uint64(head[4:]) != 0 {
		return 0
	}
	element, label, data := binary.LittleEndian.Uint64(head[28:]), binary.LittleEndian.Uint64(head[36:]), binary.LittleEndian.Uint64(head[44:])
	if label <= data || element != label+8 || (label-data)%4 != 0 || (label-data)/4 > 1<<20 {
		return 0
	}
	return int((label - data) / 4)
}

// archivedDimension is the dimension that an entry of the archive says; 0 where it says none.
func archivedDimension(ctx context.Context, r *archive.Reader, e *archive.Entry) int {
	h := &head{}
	if err := r.ReadFile(ctx, e, h); err != nil && !errors.Is(err, errEnough) {
		return 0 // the restore itself verifies the archive
	}
	return dimension(e.Path, h.bytes)
}

func (s *survey) addDimension(dim int) {
	if dim > 0 {
		s.dims[dim] = true
	}
}

var errEnough = errors.New("enough was read")

// head keeps the first bytes of what is written to it.
type head struct{ bytes []byte }

func (h *head) Write(p []byte) (int, error) {
	h.bytes = append(h.bytes, p[:min(len(p), headSize-len(h.bytes))]...)
	if len(h.bytes) == headSize {
		return 0, errEnough
	}
	return len(p), nil
}

// dimensions compares the vectors of the archive with those that are here, and with what the services that mount the source declare.
func (p *Plan) dimensions(ctx context.Context, t *Target, s *survey) ([]Difference, error) {
	if len(s.dims) == 0 {
		return nil, nil
	}
	var out []Difference
	differ := func(here map[int]bool, text string) {
		for dim := range s.dims {
			if len(here) > 0 && !here[dim] {
				out = append(out, Difference{What: "embedding dimension", Object: t.Name, Backup: dimensionText(s.dims), Here: text})
				return
			}
		}
	}
	here, err := p.liveDimensions(ctx, t)
	if err != nil {
		return nil, err
	}
	differ(here, dimensionText(here))
	for _, d := range p.req.Declared {
		for _, m := range s.present.Mounts {
			if m.Service == d.Service {
				differ(map[int]bool{d.Dimension: true}, fmt.Sprintf("%d (%s of service %s)", d.Dimension, d.Variable, d.Service))
				break
			}
		}
	}
	return out, nil
}

func dimensionText(dims map[int]bool) string {
	var out []string
	for _, d := range slices.Sorted(maps.Keys(dims)) {
		out = append(out, strconv.Itoa(d))
	}
	return strings.Join(out, ", ")
}

// liveDimensions reads the vectors' dimensions of the live source.
func (p *Plan) liveDimensions(ctx context.Context, t *Target) (map[int]bool, error) {
	dims := map[int]bool{}
	if t.Missing || t.Root == "" {
		return dims, nil
	}
	heads := 0
	read := func(ctx context.Context, e *tree.Entry, open tree.Opener) error {
		if !hasDimension(e) || heads == mostHeads {
			return nil
		}
		heads++
		_, r, err := open(ctx)
		if err != nil {
			return nil //nolint:nilerr // the comparison with the backup has told that it cannot be read
		}
		defer r.Close()
		buf := make([]byte, min(e.Size, headSize))
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil //nolint:nilerr // it is not what it was a moment ago
		}
		if d := dimension(e.Path, buf); d > 0 {
			dims[d] = true
		}
		return nil
	}
	o := tree.WalkOptions{LazyXattrs: true, OnProblem: func(tree.Problem) {}}
	if err := tree.Walk(ctx, t.Root, o, read); err != nil {
		return nil, fmt.Errorf("read dimensions of source %s: %w", t.Name, err)
	}
	return dims, nil
}
