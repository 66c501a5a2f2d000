package inventory

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"strings"
)

// npyMagic is how an .npy file begins.
const npyMagic = "\x93NUMPY"

// npyHeaderLimit is the longest header that is read. NumPy's own reader stops at 10,000 bytes unless it is told otherwise.
const npyHeaderLimit = 256 << 10

// npyFiles validates arrays of NumPy. The format is described in NumPy's numpy/lib/format.py and in NEP 1: a magic string, a version,
// the length of the header, the header (a dictionary as Python writes it) and the numbers.
type npyFiles struct{}

func (npyFiles) check() Check { return Check{ID: "vectors.npy", Title: "NumPy arrays"} }

// Checks tells what it looks at.
func (n npyFiles) Checks() []Check { return []Check{n.check()} }

// Claims takes files by their name and by their beginning.
func (npyFiles) Claims(s *Subject) bool {
	return path.Ext(s.Entry.Path) == ".npy" || bytes.HasPrefix(s.Head, []byte(npyMagic))
}

// Validate reads all arrays of a file.
func (n npyFiles) Validate(ctx context.Context, s *Subject, r *Recorder) error {
	v, f, err := openVectors(ctx, s)
	if err != nil {
		return err
	}
	defer f.Close()
	r.Checked(n.check(), 1)
	l, a := newNotes(n.check(), s, r), &arrays{}
	err = l.settle(readNpyFile(v, l, a))
	a.done(s.Entry.Path, r)
	return err
}

// readNpyFile reads an array, and those that were saved behind it.
func readNpyFile(v *vectorReader, l notes, a *arrays) error {
	for {
		if err := readNpy(v, l, a); err != nil {
			return err
		}
		if v.left() == 0 {
			return nil
		}
		if !bytes.HasPrefix(v.peek(len(npyMagic)), []byte(npyMagic)) {
			l.find(Warning, "%d bytes follow its array, which NumPy does not read", v.left())
			return nil
		}
	}
}

// readNpy reads one array.
func readNpy(v *vectorReader, l notes, a *arrays) error {
	h, err := readNpyHeader(v)
	if err != nil {
		return err
	}
	t, err := typeOf(h.descr)
	n, fits := elements(h.shape)
	switch {
	case err != nil:
		return damage("%s", errLiteral)
	case t.unknown != "":
		return unchecked("its type %.40q is not known", t.unknown)
	case t.objects:
		return unchecked("holds Python objects, which are not unpickled")
	case h.huge || !fits:
		return damage("says that it has more elements than any file holds")
	}
	total, err := v.need(n, t.width)
	if err != nil {
		return err
	}
	if t.parts > 0 {
		err = v.numbers(l, t.number, n*t.parts)
	} else {
		err = v.pass(l, total)
	}
	if err == nil && total > 0 {
		a.add(h.shape, t.parts == 1)
	}
	return err
}

// readNpyHeader reads all up to the numbers.
func readNpyHeader(v *vectorReader) (*npyHeader, error) {
	if err := v.begins(npyMagic, ".npy file"); err != nil {
		return nil, err
	}
	var version [2]byte
	if err := v.read(version[:]); err != nil {
		return nil, err
	}
	if version[0] < 1 || version[0] > 3 || version[1] != 0 {
		return nil, unchecked("its version %d.%d is not known", version[0], version[1])
	}
	size := make([]byte, 2)
	if version[0] > 1 {
		size = make([]byte, 4)
	}
	if err := v.read(size); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(append(size, 0, 0, 0)[:4]))
	if _, err := v.need(n, 1); err != nil {
		return nil, err
	}
	if n > npyHeaderLimit {
		return nil, unchecked("its header of %d bytes is longer than is read", n)
	}
	text := make([]byte, n)
	if err := v.read(text); err != nil {
		return nil, err
	}
	h, err := parseNpyHeader(string(text))
	if err != nil {
		return nil, damage("%s", err)
	}
	return h, nil
}

// begins reads the magic string of a format.
func (v *vectorReader) begins(magic, format string) error {
	if v.size == 0 {
		return damage("is empty")
	}
	p := v.peek(len(magic))
	if len(p) == len(magic) && string(p) != magic {
		if strings.Trim(string(p), "\x00") == "" {
			return damage("begins with zeros, not as an %s", format)
		}
		return damage("does not begin as an %s", format)
	}
	return v.read(make([]byte, len(magic)))
}

// pass leaves n bytes out; a full look reads them where that is the only way to get on.
func (v *vectorReader) pass(l notes, n int64) error {
	if _, ok := v.src.(io.Seeker); ok || !l.full {
		return v.skip(n)
	}
	return v.each(n, 1, func([]byte, int64) error { return nil })
}

// VectorDimension is the length of the vectors of an .npy file that begins with head; 0 where that does not say it.
func VectorDimension(head []byte) int {
	v := newVectorReader(context.Background(), bytes.NewReader(head), int64(len(head)))
	h, err := readNpyHeader(v)
	if err != nil || h.huge || len(h.shape) != 2 || h.shape[1] > 1<<30 {
		return 0
	}
	return int(h.shape[1])
}

// isFault tells whether an error is one of the file's content.
func isFault(err error) bool { return errors.As(err, new(*fault)) }
