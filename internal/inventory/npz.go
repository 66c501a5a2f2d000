package inventory

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"path"
	"slices"
	"strings"
)

// The largest table of contents of a zip that is read.
const (
	npzMembers = 10_000
	npzTable   = 4 << 20
)

// deflateRatio is more than deflate can ever save.
const deflateRatio = 1032

// npzFiles validates archives of NumPy arrays: zip files (PKWARE's APPNOTE) with one .npy file for each array, stored or deflated
// (numpy.savez, numpy.savez_compressed).
type npzFiles struct{}

func (npzFiles) check() Check { return Check{ID: "vectors.npz", Title: "NumPy archives"} }

// Checks tells what it looks at.
func (n npzFiles) Checks() []Check { return []Check{n.check()} }

// Claims takes files by their name.
func (npzFiles) Claims(s *Subject) bool { return path.Ext(s.Entry.Path) == ".npz" }

// Validate reads all arrays of an archive, and compares their sums.
func (n npzFiles) Validate(ctx context.Context, s *Subject, r *Recorder) error {
	f, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer f.Close()
	r.Checked(n.check(), 1)
	l := newNotes(n.check(), s, r)
	l.place = false
	z := &npz{f: f, size: f.Size()}
	err = l.settle(z.blame(z.read(ctx, l)))
	z.arrays.done(s.Entry.Path, r)
	return err
}

// npz is one archive.
type npz struct {
	f      io.ReaderAt
	size   int64
	arrays arrays
	err    error // of reading f
	// opening tells that the table of contents is being read, of which table more bytes may be.
	opening bool
	table   int
}

// errBefore is what a zip's content leads to that names a place before the file's beginning.
var errBefore = errors.New("a member lies before the file's beginning")

// ReadAt reads the file, and keeps the error of doing so: one of the zip's content can then be told from it.
func (f *npz) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errBefore
	}
	if f.opening {
		if f.table -= len(p); f.table < 0 {
			return 0, unchecked("its table of contents is longer than is read")
		}
	}
	n, err := f.f.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// blame tells an error of reading from one of the content, whoever reports it.
func (f *npz) blame(err error) error {
	switch {
	case err == nil:
		return nil
	case f.err != nil:
		return f.err
	case isFault(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, zip.ErrChecksum):
		return damage("its sum is wrong")
	}
	return damage("cannot be unpacked: %s", err)
}

// read reads the zip.
func (f *npz) read(ctx context.Context, l notes) error {
	members, table, err := zipTable(f, f.size)
	if err != nil {
		return err
	}
	if members > npzMembers || table > npzTable {
		return unchecked("its table of contents has %d members in %d bytes: more than is read", members, table)
	}
	const end = 256 << 10 // what is read to find the table
	f.opening, f.table = true, npzTable+end
	z, err := zip.NewReader(f, f.size)
	f.opening = false
	if isFault(err) {
		return err
	}
	if err != nil {
		return damage("its table of contents cannot be read: %s", err)
	}
	if err := npzSizes(z.File, f.size); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, m := range z.File {
		if names[m.Name] {
			l.find(Warning, "has two members %.80q", m.Name)
		}
		names[m.Name] = true
		one := l
		one.object = strings.ToValidUTF8(m.Name, "?")
		if err := one.settle(f.blame(f.member(ctx, m, one))); err != nil {
			return err
		}
	}
	return nil
}

// npzSizes compares the sizes that members claim with the file's: they lie one after the other, and none is larger than deflate allows.
func npzSizes(members []*zip.File, size int64) error {
	type extent struct{ from, to int64 }
	var all []extent
	for _, m := range members {
		from, err := m.DataOffset()
		if err != nil {
			return damage("member %.80q cannot be found: %s", m.Name, err)
		}
		if m.CompressedSize64 > uint64(size) || int64(m.CompressedSize64) > size-from {
			return damage("member %.80q does not fit the file", m.Name)
		}
		if m.UncompressedSize64 > math.MaxInt64 || m.UncompressedSize64/deflateRatio > m.CompressedSize64 {
			return damage("member %.80q claims %d bytes, which %d packed ones cannot be", m.Name, m.UncompressedSize64, m.CompressedSize64)
		}
		all = append(all, extent{from, from + int64(m.CompressedSize64)})
	}
	slices.SortFunc(all, func(a, b extent) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	for i := 1; i < len(all); i++ {
		if all[i].from < all[i-1].to {
			return damage("its members overlap")
		}
	}
	return nil
}

// member reads one array; a full look reads it to its end, where its sum is compared.
func (f *npz) member(ctx context.Context, m *zip.File, l notes) error {
	if m.Flags&1 != 0 || m.Method != zip.Store && m.Method != zip.Deflate {
		return unchecked("is encrypted or packed by a method (%d) that NumPy does not use", m.Method)
	}
	rc, err := m.Open()
	if err != nil {
		return err
	}
	defer rc.Close()
	v := newVectorReader(ctx, struct{ io.Reader }{rc}, int64(m.UncompressedSize64))
	if strings.HasSuffix(m.Name, ".npy") {
		err = readNpy(v, l, &f.arrays)
		if err == nil && v.left() > 0 {
			l.find(Warning, "%d bytes follow its array, which NumPy does not read", v.left())
		}
	}
	if strange := (*fault)(nil); errors.As(err, &strange) && strange.status == Unchecked {
		err = l.settle(err)
	}
	if err != nil || !l.full {
		return err
	}
	return v.end(l)
}

// end reads what is left, and finds that nothing follows.
func (v *vectorReader) end(l notes) error {
	if err := v.pass(l, v.left()); err != nil {
		return err
	}
	_, err := io.ReadFull(v.buf, make([]byte, 1))
	switch {
	case err == nil:
		return damage("is longer than the %d bytes that it claims", v.size)
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// zipTable is how many members a zip says that it has, and the size of its table of contents, found before anything is allocated for it.
func zipTable(f io.ReaderAt, size int64) (members, table uint64, err error) {
	if size == 0 {
		return 0, 0, damage("is empty")
	}
	tail := make([]byte, min(size, 64<<10+22+20))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	for i := len(tail) - 22; i >= 0; i-- {
		if !bytes.HasPrefix(tail[i:], []byte("PK\x05\x06")) || i+22+int(binary.LittleEndian.Uint16(tail[i+20:])) > len(tail) {
			continue
		}
		members, table = uint64(binary.LittleEndian.Uint16(tail[i+10:])), uint64(binary.LittleEndian.Uint32(tail[i+12:]))
		if i < 20 || !bytes.HasPrefix(tail[i-20:], []byte("PK\x06\x07")) {
			return members, table, nil
		}
		end := make([]byte, 56)
		if at := binary.LittleEndian.Uint64(tail[i-12:]); at < uint64(size) {
			if _, err := f.ReadAt(end, int64(at)); err != nil && !errors.Is(err, io.EOF) {
				return 0, 0, err
			}
		}
		return max(members, binary.LittleEndian.Uint64(end[32:])), max(table, binary.LittleEndian.Uint64(end[40:])), nil
	}
	return 0, 0, damage("cut: the table of contents at the end of the zip is missing")
}
