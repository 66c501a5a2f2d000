package foreign

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/mholt/archiver/v4"

	"github.com/memsys/docker-memsys/internal/tree"
)

// member is one entry of a foreign archive as it is come by.
type member struct {
	raw string // its name as it stands there
	// Entry has the cleaned name as Path; of a hard link Link is the cleaned name of the first one.
	tree.Entry
	owned  bool   // the format says owners
	sparse bool   // the format says that it has holes
	crc    uint32 // of the content, where the library does not check it itself; 0: not known
	// content opens a file's content; what is read of it counts. It is valid until the next member.
	content func() (io.ReadCloser, error)
}

// source is a foreign archive that is open.
type source struct {
	file   *disk
	size   int64
	format format
	limits Limits
	on     func(int64) // is told of bytes as they are unpacked
}

// walk calls visit with every entry, in the order of the archive, after its name was checked; then it checks that the archive ends as
// it should. Errors of visit come back as they are. A decoder that panics has met a damaged archive: they are written by others.
func (s *source) walk(ctx context.Context, visit func(*member) error) (err error) {
	w := &walker{source: s, meter: &meter{ctx: ctx, limit: s.limits.Bytes, on: s.on}, visit: visit}
	defer func() {
		if p := recover(); p != nil {
			err = w.judge(fmt.Errorf("its decoder gave up: %v", p))
		}
	}()
	if s.format.packed == nil && s.format.name != "tar" {
		in := io.NewSectionReader(s.file, 0, s.size)
		if s.format.name == "7z" {
			if err := checkSeven(in, s.size, s.limits); err != nil {
				return w.judge(err)
			}
		}
		return w.judge(s.format.holds.Extract(ctx, in, w.handle))
	}
	return w.judge(w.tar(ctx))
}

// walker is one walk.
type walker struct {
	*source
	meter   *meter
	visit   func(*member) error
	seen    int64
	refused error // by visit, or by the checks of names
}

func (w *walker) tar(ctx context.Context) error {
	var in io.Reader = plainReader{io.NewSectionReader(w.file, 0, w.size)}
	if w.format.packed != nil {
		plain, err := w.format.packed.OpenReader(in)
		if err != nil {
			return err
		}
		defer plain.Close()
		in = plain
	}
	t := &tail{r: metered{in, w.meter}}
	if err := w.format.holds.Extract(ctx, t, w.handle); err != nil {
		return err
	}
	return t.drain()
}

// judge tells what an error is about: the archive, this program's limits, the disk, or the caller.
func (w *walker) judge(err error) error {
	var unsafe *UnsafeError
	var limit *LimitError
	switch {
	case err == nil:
		return nil
	case w.refused != nil:
		return w.refused
	case w.meter.failed != nil:
		return w.meter.failed
	case w.meter.ctx.Err() != nil:
		return context.Cause(w.meter.ctx)
	case w.file.failed != nil:
		return fmt.Errorf("read archive: %w", w.file.failed)
	case errors.As(err, &unsafe):
		return unsafe
	case errors.As(err, &limit):
		return limit
	}
	return &DamagedError{Err: err}
}

// handle is called by the library with each entry.
func (w *walker) handle(ctx context.Context, f archiver.FileInfo) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.seen++; w.seen > w.limits.Entries {
		w.refused = &LimitError{What: limitEntries, Limit: w.limits.Entries}
		return w.refused
	}
	m, err := w.member(f)
	if err != nil || m == nil {
		return err
	}
	if err := w.visit(m); err != nil {
		w.refused = err
		return err
	}
	return nil
}

// member reads an entry's header; nil for one that is no file of anybody's.
func (w *walker) member(f archiver.FileInfo) (*member, error) {
	m, err := w.header(f)
	if err != nil || m == nil {
		return nil, err
	}
	if m.Path, err = cleanName(m.raw); err != nil {
		return nil, err
	}
	if m.Kind == tree.Hardlink {
		if m.Link, err = cleanName(m.Link); err != nil {
			return nil, &UnsafeError{Name: m.raw, Why: fmt.Sprintf("a hard link to %q", f.LinkTarget)}
		}
	}
	if m.Size < 0 {
		return nil, &UnsafeError{Name: m.raw, Why: "its size is negative"}
	}
	m.content = func() (io.ReadCloser, error) { return w.open(f) }
	if m.Kind == tree.Symlink && m.Link == "" {
		m.Link, err = w.linkBody(m)
	}
	return m, err
}

// open opens the content of an entry. In tar it is part of a stream that counts already.
func (w *walker) open(f archiver.FileInfo) (io.ReadCloser, error) {
	file, err := f.Open()
	if err != nil {
		return nil, err
	}
	var r io.Reader = file
	if w.format.packed == nil && w.format.name != "tar" {
		r = metered{file, w.meter}
	}
	return reopened{r, file}, nil
}

var errSum = errors.New("its sum is not the one in the archive")

// checked is the content of a member, which fails at its end where the sum differs.
func (m *member) checked() (io.ReadCloser, error) {
	r, err := m.content()
	if err != nil || m.crc == 0 {
		return r, err
	}
	return reopened{&summed{r: r, want: m.crc}, r}, nil
}

// summed compares the CRC-32 of what is read through it.
type summed struct {
	r         io.Reader
	sum, want uint32
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum = crc32.Update(s.sum, crc32.IEEETable, p[:n])
	if errors.Is(err, io.EOF) && s.sum != s.want {
		err = errSum
	}
	return n, err
}

// reopened reads from one thing and closes another.
type reopened struct {
	io.Reader
	io.Closer
}

// maxLink is the longest target of a symbolic link that Linux takes.
const maxLink = 4095

// linkBody reads the target of a symbolic link from its content, where zip and 7z keep it.
func (w *walker) linkBody(m *member) (string, error) {
	r, err := m.checked()
	if err != nil {
		return "", err
	}
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r, maxLink+1))
	if err != nil {
		return "", err
	}
	if len(body) == 0 || len(body) > maxLink {
		return "", &UnsafeError{Name: m.raw, Why: "a symbolic link without a usable target"}
	}
	return string(body), nil
}

// header turns the header of any format into an entry.
func (w *walker) header(f archiver.FileInfo) (*member, error) {
	switch w.format.name {
	case "zip":
		return zipMember(f)
	case "7z":
		return sevenMember(f)
	}
	return tarMember(f)
}

// setMode sets kind and permission bits from Go's form of a mode.
func (m *member) setMode(mode fs.FileMode) error {
	m.Mode = uint32(mode.Perm())
	for bit, unix := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&bit != 0 {
			m.Mode |= unix
		}
	}
	switch mode.Type() {
	case 0:
		m.Kind = tree.File
	case fs.ModeDir:
		m.Kind = tree.Dir
	case fs.ModeSymlink:
		m.Kind = tree.Symlink
	case fs.ModeNamedPipe:
		m.Kind = tree.FIFO
	default:
		return &UnsafeError{Name: m.raw, Why: "neither file, folder nor link"}
	}
	return nil
}
