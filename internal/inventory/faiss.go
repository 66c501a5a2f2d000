package inventory

import (
	"context"
	"encoding/binary"
	"errors"
	"path"
	"strconv"
	"strings"
)

// faissFiles validates indexes of FAISS. The format is what faiss/impl/index_write.cpp of facebookresearch/faiss writes: four characters
// that name the kind of index, the header that all kinds have, and the parts of that kind, indexes within it in the same way. Everything is
// little-endian, a list begins with its length (u64).
type faissFiles struct{}

func (faissFiles) check() Check { return Check{ID: "vectors.faiss", Title: "FAISS indexes"} }

// Checks tells what it looks at.
func (f faissFiles) Checks() []Check { return []Check{f.check()} }

// Claims takes files by their name, and those that begin as an index: behind the counts each writer puts the number 2^20 twice.
func (faissFiles) Claims(s *Subject) bool {
	return path.Ext(s.Entry.Path) == ".faiss" || faissMarked(s.Head)
}

// faissMarked tells whether this is the beginning of an index with the common header.
func faissMarked(head []byte) bool {
	return len(head) >= 32 && head[0] == 'I' && printable(head[:4]) &&
		binary.LittleEndian.Uint64(head[16:]) == 1<<20 && binary.LittleEndian.Uint64(head[24:]) == 1<<20
}

func printable(p []byte) bool {
	return strings.Trim(strconv.QuoteToASCII(string(p)), `"`) == string(p)
}

// Validate reads an index.
func (f faissFiles) Validate(ctx context.Context, s *Subject, r *Recorder) error {
	v, file, err := openVectors(ctx, s)
	if err != nil {
		return err
	}
	defer file.Close()
	r.Checked(f.check(), 1)
	x := &faissReader{v: v, l: newNotes(f.check(), s, r)}
	x.l.vectors = true
	err = x.file()
	a := &arrays{}
	if f := (*fault)(nil); err == nil || errors.As(err, &f) && f.status == Unchecked {
		a.matrix(x.first.total, x.first.dimension)
	}
	a.done(s.Entry.Path, r)
	return x.l.settle(err)
}

// faissReader reads one index.
type faissReader struct {
	v     *vectorReader
	l     notes
	depth int
	first faissHeader // of the outermost index
}

// faissHeader is what all indexes have.
type faissHeader struct {
	code             string
	dimension, total int64
	trained          bool
}

// faissDepth is how many indexes may be within each other.
const faissDepth = 6

// file reads the whole file.
func (x *faissReader) file() error {
	if x.v.size == 0 {
		return damage("is empty")
	}
	if p := x.v.peek(4); len(p) == 4 && !printable(p) {
		return damage("does not begin as a FAISS index")
	}
	if _, err := x.index(); err != nil {
		return err
	}
	if x.v.left() > 0 {
		x.l.find(Warning, "%d bytes follow the index", x.v.left())
	}
	return nil
}

// index reads an index with all that is in it.
func (x *faissReader) index() (faissHeader, error) {
	x.depth++
	defer func() { x.depth-- }()
	var h faissHeader
	if x.depth > faissDepth {
		return h, damage("has more than %d indexes within each other", faissDepth)
	}
	var code [4]byte
	if err := x.v.read(code[:]); err != nil {
		return h, err
	}
	if string(code[:]) == "null" && x.depth > 1 {
		return faissHeader{code: "null"}, nil
	}
	h.code = string(code[:])
	if x.depth > 1 && !printable(code[:]) {
		return h, damage("has %q where a kind of index should stand", h.code)
	}
	read := x.kind(h.code)
	if read == nil {
		if x.depth == 1 && faissMarked(append(code[:], x.v.peek(28)...)) && x.header(&h) == nil {
			x.first = h // for the inventory alone
		}
		return h, unchecked("the kind %q of FAISS index is not known", h.code)
	}
	if err := x.header(&h); err != nil {
		return h, err
	}
	if x.depth == 1 {
		x.first = h
	}
	return h, read(h)
}

// kind is what reads the parts of a kind of index.
func (x *faissReader) kind(code string) func(faissHeader) error {
	switch code {
	case "IxFI", "IxF2", "IxFl":
		return x.flat
	case "IxMp", "IxM2":
		return x.idMap
	case "IHNf", "IHNp", "IHNs", "IHN2":
		return x.hnsw
	case "IxPq":
		return x.productQuantizer
	case "IxSQ":
		return x.scalarQuantizer
	case "IwFl", "IwPQ", "IwSq":
		return x.inverted
	}
	return nil
}

// header reads dimension, count, two numbers without a meaning, whether it is trained, and the metric.
func (x *faissReader) header(h *faissHeader) error {
	var p [33]byte
	if err := x.v.read(p[:]); err != nil {
		return err
	}
	h.dimension = int64(int32(binary.LittleEndian.Uint32(p[:])))
	h.total = int64(binary.LittleEndian.Uint64(p[4:]))
	h.trained = p[28] == 1
	metric := int32(binary.LittleEndian.Uint32(p[29:]))
	switch {
	case h.dimension <= 0:
		return damage("says that its vectors have %d numbers", h.dimension)
	case h.total < 0:
		return damage("says that it has %d vectors", h.total)
	case p[28] > 1:
		return damage("says %d where it should say whether it is trained", p[28])
	case metric < 0 || metric > 64:
		return damage("says that its metric is number %d", metric)
	case metric > 1:
		return x.v.skip(4) // the metric's argument
	}
	return nil
}

// count reads the length of a list whose items have width bytes, which must all be there.
func (x *faissReader) count(width int64) (int64, error) {
	n, err := x.v.u64()
	if err != nil {
		return 0, err
	}
	if n > 1<<62 {
		return 0, damage("says that %d items follow: more than any file holds", n)
	}
	_, err = x.v.need(int64(n), width)
	return int64(n), err
}

// skipList leaves a list out and returns its length.
func (x *faissReader) skipList(width int64) (int64, error) {
	n, err := x.count(width)
	if err != nil {
		return 0, err
	}
	return n, x.v.skip(n * width)
}

// exactly is the fault of a list that has not as many items as it should.
func exactly(what string, got, want int64) error {
	if got != want {
		return damage("has %d %s instead of %d", got, what, want)
	}
	return nil
}
