package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Reader reads an archive. Its methods may be called from several goroutines.
type Reader struct {
	r        io.ReaderAt
	size     int64
	toc      int64 // offset of the contents table
	manifest *Manifest
	// manifestAt and manifestEnd say where the contents table's header puts the manifest; both 0 where it does not.
	manifestAt, manifestEnd int64
	// written is the contents table of an archive that is being written; nil for a whole archive.
	written *written
}

// ErrNewer says that a newer version of docker memsys wrote the archive.
var ErrNewer = errors.New("archive was written by a newer version of docker memsys")

// Open reads footer and manifest of an archive; it costs the same whatever the archive's size. It fails with ErrNotOurs where the footer is missing, as in
// a plain tar.gz or in an archive that was cut short.
func Open(r io.ReaderAt, size int64) (*Reader, error) {
	rd := &Reader{r: r, size: size}
	if size < footerSize {
		return nil, ErrNotOurs
	}
	foot := make([]byte, footerSize)
	if err := readAt(r, foot, size-footerSize); err != nil {
		return nil, fmt.Errorf("read footer: %w", err)
	}
	var err error
	if rd.toc, err = parseFooter(foot, size); err != nil {
		return nil, err
	}
	if err := rd.findManifest(); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return rd, nil
}

// Manifest returns the archive's manifest, not to be changed; nil for an archive that is being written.
func (r *Reader) Manifest() *Manifest { return r.manifest }

// readAt fills p; a source that is short is an error.
func readAt(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *Reader) findManifest() error {
	h := make([]byte, min(tocHeaderSize, r.size-r.toc))
	if err := readAt(r.r, h, r.toc); err != nil {
		return err
	}
	at, length, ok := parseManifestExtra(h)
	if !ok {
		return r.searchManifest()
	}
	if length <= 0 || length > maxManifest+maxManifest/8 || at > r.toc-length {
		return errors.New("lies outside of the archive")
	}
	r.manifestAt, r.manifestEnd = at, at+length
	packed := make([]byte, length)
	if err := readAt(r.r, packed, at); err != nil {
		return err
	}
	raw, err := inflateManifest(packed)
	if err != nil {
		return err
	}
	return r.decodeManifest(raw)
}

// inflateManifest unpacks the manifest's unit and returns its content.
func inflateManifest(packed []byte) ([]byte, error) {
	if len(packed) < emptyMemberSize+memberHeaderSize+memberTrailerSize || !allEmpty(packed[:emptyMemberSize]) {
		return nil, errEmpty
	}
	size := int64(binary.LittleEndian.Uint32(packed[len(packed)-4:]))
	if size > maxManifest || size > 1040*int64(len(packed)) {
		return nil, errTooLong
	}
	raw := make([]byte, size)
	if err := new(inflater).inflate(raw, packed[emptyMemberSize:]); err != nil {
		return nil, err
	}
	tr := tar.NewReader(bytes.NewReader(raw))
	h, err := tr.Next()
	if err != nil {
		return nil, fmt.Errorf("read tar header: %w", err)
	}
	if h.Name != manifestName || h.Typeflag != tar.TypeReg || h.Size > size {
		return nil, errTarHeader
	}
	return io.ReadAll(tr)
}

// searchManifest finds the manifest through the contents table.
func (r *Reader) searchManifest() error {
	for e, err := range r.Entries(context.Background()) {
		if err != nil {
			return err
		}
		if e.Path == manifestName && e.Size <= maxManifest {
			var b bytes.Buffer
			if err := r.ReadFile(context.Background(), e, &b); err != nil {
				return err
			}
			return r.decodeManifest(b.Bytes())
		}
	}
	return errors.New("there is none")
}

func (r *Reader) decodeManifest(raw []byte) error {
	m := new(Manifest)
	if err := json.Unmarshal(raw, m); err != nil {
		return err
	}
	if m.Format > FormatVersion {
		return fmt.Errorf("format %d: %w", m.Format, ErrNewer)
	}
	if m.Format < 1 {
		return fmt.Errorf("format %d does not exist", m.Format)
	}
	r.manifest = m
	return nil
}

func (r *Reader) scan(ctx context.Context) (*scanner, error) {
	s, err := r.scanner(ctx)
	if err != nil {
		return nil, fmt.Errorf("contents table: %w", err)
	}
	return s, nil
}

func (r *Reader) scanner(ctx context.Context) (*scanner, error) {
	if r.written != nil {
		return r.written.scanner(ctx, r.toc)
	}
	return newScanner(ctx, r.r, r.toc, r.size-footerSize)
}

// eachUnit calls f with each unit of the archive in order. It checks names and the contents table's end on the way.
func (r *Reader) eachUnit(ctx context.Context, f func(*unit) error) error {
	if r.written != nil && r.written.lines == 0 {
		return nil
	}
	s, err := r.scan(ctx)
	if err != nil {
		return err
	}
	watch := newNames()
	for {
		u, err := s.units()
		if err != nil {
			return fmt.Errorf("contents table: %w", err)
		}
		if u == nil {
			break
		}
		for _, e := range u.entries {
			if err := watch.add(e); err != nil {
				return err
			}
		}
		if err := f(u); err != nil {
			return err
		}
	}
	if err := s.finish(); err != nil {
		return fmt.Errorf("contents table: %w", err)
	}
	return nil
}

// Entries streams the entries in the order of the archive, the manifest's last. It stops after an error.
func (r *Reader) Entries(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		stopped := errors.New("stopped")
		err := r.eachUnit(ctx, func(u *unit) error {
			for _, e := range u.entries {
				e.unit, e.unitEnd = u.start, u.end
				if !yield(e, nil) {
					return stopped
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(nil, err)
		}
	}
}

// ReadFile writes the content of one file to w, each chunk after its SHA-256 was checked. e comes from Entries of the same Reader.
func (r *Reader) ReadFile(ctx context.Context, e *Entry, w io.Writer) error {
	var d decoder
	for i, c := range e.Chunks {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		content, err := r.readChunk(&d, e, i)
		if err != nil {
			return fmt.Errorf("read %s at byte %d: %w", e.Path, c.Offset, err)
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) readChunk(d *decoder, e *Entry, i int) ([]byte, error) {
	start, end := e.offsets[i], e.unitEnd
	if i+1 < len(e.offsets) {
		end = e.offsets[i+1]
	}
	limit := e.Chunks[i].Size
	if e.inner > 0 {
		limit = max(maxGroup, e.inner+e.Size)
	}
	if end-start > limit+limit/8+64<<10 {
		return nil, errTooLong
	}
	packed := make([]byte, end-start)
	if err := readAt(r.r, packed, start); err != nil {
		return nil, err
	}
	if e.inner > 0 {
		return d.grouped(e, packed)
	}
	content, _, err := d.chunk(e, i, packed)
	return content, err
}
