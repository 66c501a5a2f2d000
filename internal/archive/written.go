package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
)

// Written returns a Reader of all that was added so far, which has no manifest yet. It may be used until the output is closed, also while
// the Writer goes on: what is added later is not in it. The output must be an io.ReaderAt.
func (w *Writer) Written(ctx context.Context) (*Reader, error) {
	in, ok := w.emit.out.(io.ReaderAt)
	if !ok || w.closed {
		return nil, errors.New("read the archive that is being written: its output cannot be read, or is closed")
	}
	err := w.flushGroup()
	if err != nil {
		return nil, err
	}
	j, err := w.settled(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { w.free <- j }()
	if err := w.emit.bw.Flush(); err != nil {
		return nil, fmt.Errorf("write archive: %w", err)
	}
	table, err := w.emit.spool.written()
	if err != nil {
		return nil, err
	}
	return &Reader{r: in, size: w.emit.offset, toc: w.emit.offset, written: table}, nil
}

// written is the contents table of an archive that is being written: so much of a deflate stream that it inflates to raw bytes of JSON.
type written struct {
	packed []byte
	raw    int64
	lines  int64
}

// written is the table as far as it was written. It is flushed: further lines change none of its bytes.
func (s *spool) written() (*written, error) {
	if err := s.zw.Flush(); err != nil {
		return nil, fmt.Errorf("write contents table: %w", err)
	}
	packed, err := s.bytes()
	if err != nil {
		return nil, fmt.Errorf("read contents table: %w", err)
	}
	return &written{packed: packed, raw: s.raw, lines: s.lines}, nil
}

// bytes are all that came out of the compressor so far. What is in memory goes before what is in the file.
func (s *spool) bytes() ([]byte, error) {
	if s.file == nil {
		return s.memory.Bytes(), nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	rest, err := io.ReadAll(s.file)
	if err != nil {
		return nil, err
	}
	_, err = s.file.Seek(0, io.SeekEnd)
	return append(bytes.Clone(s.memory.Bytes()), rest...), err
}

// scanner reads the table from its beginning; limit is where the content ends.
func (t *written) scanner(ctx context.Context, limit int64) (*scanner, error) {
	lines := io.LimitReader(flate.NewReader(bytes.NewReader(t.packed)), t.raw)
	return newWrittenScanner(ctx, io.MultiReader(lines, strings.NewReader(tocEnd)), t.raw+int64(len(tocEnd)), limit)
}
