package inventory

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
)

// vectorBuffer is how much of a file of vectors is in memory at once.
const vectorBuffer = 128 << 10

// fault is what is wrong with a file of vectors: it becomes a finding, where any other error is one of reading.
type fault struct {
	status Status
	text   string
}

// Error is the fault's text.
func (f *fault) Error() string { return f.text }

func damage(format string, args ...any) error {
	return &fault{status: Damaged, text: fmt.Sprintf(format, args...)}
}

func unchecked(format string, args ...any) error {
	return &fault{status: Unchecked, text: fmt.Sprintf(format, args...)}
}

// cut is the fault of a file that ends too early.
func cut(have, want int64) error { return damage("cut: %d of %d bytes", have, want) }

// notes are where the findings about one file, or one part of it, go.
type notes struct {
	check  Check
	path   string
	object string
	r      *Recorder
	full   bool
	// vectors tells that the numbers are known to be vectors: then an infinite one is damage too.
	vectors bool
	// place tells that positions are those of the file itself, not of something packed in it.
	place bool
}

func newNotes(c Check, s *Subject, r *Recorder) notes {
	return notes{check: c, path: s.Entry.Path, r: r, full: r.Options.Depth == Full, place: true}
}

func (l notes) find(status Status, format string, args ...any) {
	l.r.Find(l.check, Finding{Status: status, Path: l.path, Object: l.object, Text: fmt.Sprintf(format, args...)})
}

// settle records a fault; another error is the caller's.
func (l notes) settle(err error) error {
	if f := (*fault)(nil); errors.As(err, &f) {
		l.find(f.status, "%s", f.text)
		return nil
	}
	return err
}

// vectorReader reads a file of vectors from front to back and may leave parts out. What lies behind the end is a fault, found before
// anything is allocated for it.
type vectorReader struct {
	ctx       context.Context //nolint:containedctx // it lives as long as one call of Validate
	src       io.Reader
	buf       *bufio.Reader
	pos, size int64
	scratch   []byte
	// blind tells that a part was left out that src could not seek over: nothing can be read any more.
	blind bool
}

// newVectorReader reads src, which has size bytes; where it is a Seeker, leaving out costs nothing.
func newVectorReader(ctx context.Context, src io.Reader, size int64) *vectorReader {
	return &vectorReader{ctx: ctx, src: src, buf: bufio.NewReaderSize(src, int(min(size, vectorBuffer))), size: size}
}

// openVectors opens the file of a subject.
func openVectors(ctx context.Context, s *Subject) (*vectorReader, File, error) {
	f, err := s.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return newVectorReader(ctx, io.NewSectionReader(f, 0, f.Size()), f.Size()), f, nil
}

// left is how many bytes follow.
func (v *vectorReader) left() int64 { return v.size - v.pos }

// need fails unless n items of width bytes follow.
func (v *vectorReader) need(n, width int64) (int64, error) {
	total, ok := times(n, width)
	if !ok || total > math.MaxInt64-v.pos {
		return 0, damage("says that %d times %d bytes follow: more than any file holds", n, width)
	}
	if total > v.left() {
		return 0, cut(v.size, v.pos+total)
	}
	return total, nil
}

// read fills p, or fails.
func (v *vectorReader) read(p []byte) error {
	if _, err := v.need(int64(len(p)), 1); err != nil {
		return err
	}
	if err := v.ctx.Err(); err != nil {
		return err
	}
	n, err := io.ReadFull(v.buf, p)
	v.pos += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return cut(v.pos, v.size) // it was longer when it was opened
	}
	return err
}

// skip leaves n bytes out.
func (v *vectorReader) skip(n int64) error {
	if _, err := v.need(n, 1); err != nil {
		return err
	}
	v.pos += n
	if n <= int64(v.buf.Buffered()) {
		_, err := v.buf.Discard(int(n))
		return err
	}
	seeker, ok := v.src.(io.Seeker)
	if !ok {
		v.blind = true
		return nil
	}
	_, err := seeker.Seek(v.pos, io.SeekStart)
	v.buf.Reset(v.src)
	return err
}

// peek is what the next n bytes are, or fewer at the end.
func (v *vectorReader) peek(n int) []byte {
	if v.blind {
		return nil
	}
	p, _ := v.buf.Peek(int(min(int64(n), v.left())))
	return p
}

// each hands n items of width bytes to do, many at once, each time with the position of the first.
func (v *vectorReader) each(n, width int64, do func(p []byte, at int64) error) error {
	total, err := v.need(n, width)
	if err != nil {
		return err
	}
	if want := int(min(total, vectorBuffer/width*width)); cap(v.scratch) < want {
		v.scratch = make([]byte, want)
	}
	p := v.scratch[:cap(v.scratch)/int(width)*int(width)]
	for total > 0 {
		p = p[:min(total, int64(len(p)))]
		at := v.pos
		if err := v.read(p); err != nil {
			return err
		}
		if err := do(p, at); err != nil {
			return err
		}
		total -= int64(len(p))
	}
	return nil
}

func (v *vectorReader) u8() (uint8, error) {
	var p [1]byte
	err := v.read(p[:])
	return p[0], err
}

func (v *vectorReader) u64() (uint64, error) {
	var p [8]byte
	err := v.read(p[:])
	return binary.LittleEndian.Uint64(p[:]), err
}

// times is a product of two sizes, unless it is none.
func times(a, b int64) (int64, bool) {
	if a < 0 || b < 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return int64(lo), hi == 0 && lo <= math.MaxInt64
}

// elements is how many elements an array of a shape has, unless they are more than can be counted.
func elements(shape []int64) (int64, bool) {
	n, ok := int64(1), true
	for _, d := range shape {
		if d == 0 {
			return 0, true
		}
		var fits bool
		n, fits = times(n, d)
		ok = ok && fits
	}
	return n, ok
}
