package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/klauspost/compress/flate"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Entry is one entry of an archive. Path is its name in the archive, Link of a hard link the name of the first one.
type Entry struct {
	tree.Entry
	Chunks []tree.Chunk // of a file's content, none if it is empty

	offsets []int64 // of the chunks' members
	inner   int64
	unit    int64 // offset of its unit where it begins one, else -1; in entries that were handed out, always its unit
	unitEnd int64
}

// scanner streams the contents table.
type scanner struct {
	ctx   context.Context
	limit int64         // offset of the contents table: everything lies before
	src   *bufio.Reader // of the member; nil for a table that is being written
	br    *bufio.Reader
	crc   uint32
	count int64 // bytes that came out of the member
	left  int64 // bytes of the JSON not read yet
	buf   []byte
	ahead *tocEntry
	last  bool // the line ahead was the last
	held  *Entry
}

// newScanner begins with the contents table that lies between two offsets.
func newScanner(ctx context.Context, r io.ReaderAt, start, end int64) (*scanner, error) {
	s := &scanner{ctx: ctx, limit: start, src: bufio.NewReaderSize(io.NewSectionReader(r, start, end-start), int(min(256<<10, max(4<<10, end-start))))}
	if err := s.skipGzipHeader(); err != nil {
		return nil, err
	}
	s.br = bufio.NewReaderSize(&crcReader{r: flate.NewReader(s.src), s: s}, 64<<10)
	if err := s.readTarHeader(); err != nil {
		return nil, err
	}
	return s, s.begin()
}

// newWrittenScanner reads the JSON of a contents table that is being written; all content lies before limit.
func newWrittenScanner(ctx context.Context, json io.Reader, size, limit int64) (*scanner, error) {
	s := &scanner{ctx: ctx, limit: limit, br: bufio.NewReaderSize(json, 64<<10), left: size}
	return s, s.begin()
}

func (s *scanner) begin() error {
	first, err := s.line()
	if err != nil {
		return err
	}
	if string(first) != tocStart {
		return errors.New("the JSON does not begin as it must")
	}
	return nil
}

// crcReader counts and sums what comes out of the member.
type crcReader struct {
	r io.Reader
	s *scanner
}

func (c *crcReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.s.crc = crc32.Update(c.s.crc, crc32.IEEETable, p[:n])
	c.s.count += int64(n)
	return n, err
}

func (s *scanner) skipGzipHeader() error {
	h, err := s.src.Peek(tocHeaderSize)
	if err != nil {
		return fmt.Errorf("read gzip header: %w", err)
	}
	n := memberHeaderSize
	if _, _, ok := parseManifestExtra(h); ok {
		n = tocHeaderSize
	} else if plain := memberHeader(); !bytes.Equal(h[:n], plain[:]) {
		return errHeader
	}
	_, err = s.src.Discard(n)
	return err
}

func (s *scanner) readTarHeader() error {
	var h [blockSize]byte
	if _, err := io.ReadFull(s.br, h[:]); err != nil {
		return fmt.Errorf("read tar header: %w", err)
	}
	size, err := strconv.ParseInt(string(h[124:135]), 8, 64)
	if err != nil || !bytes.Equal(h[:], tocHeader(size)) {
		return errors.New("tar header is not the canonical one")
	}
	s.left = size
	return nil
}

// line reads up to the next newline, which it returns too. The JSON's end is no line.
func (s *scanner) line() ([]byte, error) {
	s.buf = s.buf[:0]
	for {
		part, err := s.br.ReadSlice('\n')
		if int64(len(part)) > s.left || len(s.buf)+len(part) > maxTOCLine {
			return nil, errors.New("a line is too long")
		}
		s.left -= int64(len(part))
		s.buf = append(s.buf, part...)
		if err == nil {
			return s.buf, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("inflate: %w", short(err))
		}
	}
}

// tail reads the last bytes of the JSON, behind the last line.
func (s *scanner) tail() (string, error) {
	if s.left > int64(len(tocEnd)) {
		return "", errors.New("a line is too long")
	}
	b := make([]byte, s.left)
	_, err := io.ReadFull(s.br, b)
	return string(b), err
}

// toc returns the next line as an entry, nil at the end.
func (s *scanner) toc() (*tocEntry, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, context.Cause(s.ctx)
	}
	if t := s.ahead; t != nil {
		s.ahead = nil
		return t, nil
	}
	if s.last {
		return nil, nil
	}
	b, err := s.line()
	if err != nil {
		return nil, err
	}
	text, more := bytes.CutSuffix(b, []byte(",\n"))
	if !more {
		if text, s.last = bytes.CutSuffix(b, []byte("\n")); !s.last {
			return nil, errors.New("the JSON ends within an entry")
		}
	}
	return parseTOCLine(text)
}

// next returns the next entry with all of its chunks, nil at the end.
func (s *scanner) next() (*Entry, error) {
	t, err := s.toc()
	if t == nil || err != nil {
		return nil, err
	}
	base, err := t.entry()
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", t.Name, err)
	}
	e := &Entry{Entry: *base, inner: t.InnerOffset, unit: -1}
	if t.Unit != nil {
		e.unit = *t.Unit
	}
	if e.Size == 0 {
		return e, nil
	}
	if err := s.chunks(e, t); err != nil {
		return nil, fmt.Errorf("entry %q: %w", t.Name, err)
	}
	return e, nil
}

func (s *scanner) chunks(e *Entry, t *tocEntry) error {
	for end := int64(0); ; {
		c, err := t.chunk(e.Size)
		if err != nil {
			return err
		}
		if err := e.checkChunk(c, t, end, s.limit); err != nil {
			return err
		}
		e.Chunks, e.offsets = append(e.Chunks, c), append(e.offsets, t.Offset)
		if end += c.Size; end == e.Size {
			return nil
		}
		if t, err = s.toc(); err != nil {
			return err
		}
		if t == nil || t.Type != "chunk" || t.Name != escapeName(e.Path) {
			return errors.New("chunks are missing")
		}
	}
}

func (e *Entry) checkChunk(c tree.Chunk, t *tocEntry, end, limit int64) error {
	n := len(e.Chunks)
	final := c.Offset+c.Size == e.Size
	switch {
	case c.Offset != end:
		return errors.New("chunks leave a gap or overlap")
	case n > 0 && (t.InnerOffset != 0 || t.Offset <= e.offsets[n-1]):
		return errors.New("chunks are out of order")
	case (n > 0 || !final) && c.Size > maxChunk, !final && c.Size < minChunk:
		return errors.New("chunk has a size that is not allowed")
	case n > 0 && c.Size != e.Chunks[0].Size && !(final && c.Size < e.Chunks[0].Size):
		return errors.New("chunks differ in size")
	case t.Offset >= limit:
		return errors.New("content lies outside of the archive")
	}
	return nil
}

// finish checks everything behind the last entry: the JSON's end, padding, the tar archive's end, gzip's sums.
func (s *scanner) finish() error {
	if end, err := s.tail(); err != nil || "\n"+end != tocEnd {
		return errors.New("the JSON does not end as it must")
	}
	if s.src == nil {
		return nil // it is not written yet
	}
	rest, err := io.ReadAll(io.LimitReader(s.br, 3*blockSize))
	if err != nil {
		return fmt.Errorf("inflate: %w", short(err))
	}
	if len(rest) < 2*blockSize || len(rest) >= 3*blockSize || s.count%blockSize != 0 || len(bytes.Trim(rest, "\x00")) > 0 {
		return errors.New("the tar archive does not end as it must")
	}
	trailer, err := io.ReadAll(io.LimitReader(s.src, memberTrailerSize+1))
	if err != nil || len(trailer) != memberTrailerSize {
		return errTrailing
	}
	if binary.LittleEndian.Uint32(trailer) != s.crc || binary.LittleEndian.Uint32(trailer[4:]) != uint32(s.count) {
		return errCRC
	}
	return nil
}
