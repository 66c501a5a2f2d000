package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// spoolMemory is how much of the compressed contents table is kept in memory before it goes to the spool file, if there is one.
const spoolMemory = 24 << 20

// spool collects the contents table while the archive grows: compressed as it comes, since only the last unit may hold it.
type spool struct {
	open   func() (io.ReadWriteSeeker, error)
	limit  int // of memory
	memory bytes.Buffer
	file   io.ReadWriteSeeker
	zw     *flate.Writer
	crc    uint32
	raw    int64 // bytes of the JSON, and of all that follows it
	packed int64
	line   []byte
	lines  int64
}

func newSpool(open func() (io.ReadWriteSeeker, error), limit int) (*spool, error) {
	s := &spool{open: open, limit: limit}
	zw, err := flate.NewWriter((*spoolSink)(s), flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	s.zw = zw
	return s, s.write([]byte(tocStart))
}

// spoolSink takes the compressed bytes.
type spoolSink spool

func (s *spoolSink) Write(p []byte) (int, error) {
	s.packed += int64(len(p))
	if s.file == nil && s.open != nil && s.memory.Len()+len(p) > s.limit {
		f, err := s.open()
		if err != nil {
			return 0, fmt.Errorf("open spool of the contents table: %w", err)
		}
		s.file = f
	}
	if s.file != nil {
		return s.file.Write(p)
	}
	return s.memory.Write(p)
}

func (s *spool) write(p []byte) error {
	s.crc = crc32.Update(s.crc, crc32.IEEETable, p)
	s.raw += int64(len(p))
	_, err := s.zw.Write(p)
	return err
}

// add appends one line; build appends the entry to the slice that it is given.
func (s *spool) add(build func([]byte) []byte) error {
	s.line = s.line[:0]
	if s.lines++; s.lines > 1 {
		s.line = append(s.line, ",\n"...)
	}
	start := len(s.line)
	s.line = build(s.line)
	if len(s.line)-start > maxTOCLine {
		return errors.New("an entry is too large for the contents table")
	}
	return s.write(s.line)
}

// finish writes the contents table's member; extra is the payload of its FEXTRA subfield.
func (s *spool) finish(out io.Writer, extra string) error {
	if err := s.write([]byte(tocEnd)); err != nil {
		return err
	}
	header := tocHeader(s.raw)
	if err := s.write(make([]byte, padding(s.raw)+2*blockSize)); err != nil {
		return err
	}
	if err := s.zw.Close(); err != nil {
		return err
	}
	// The tar header knows the JSON's length, so it comes to be after the JSON: a stored block in front of the finished stream.
	front := appendExtraHeader(nil, "MS", extra)
	front = append(front, 0, blockSize&0xff, blockSize>>8, ^byte(blockSize&0xff), ^byte(blockSize>>8))
	front = append(front, header...)
	if _, err := out.Write(front); err != nil {
		return err
	}
	if err := s.copyTo(out); err != nil {
		return err
	}
	crc := combineCRC(crc32.ChecksumIEEE(header), s.crc, s.raw)
	tail := binary.LittleEndian.AppendUint32(nil, crc)
	tail = binary.LittleEndian.AppendUint32(tail, uint32(s.raw+blockSize))
	_, err := out.Write(tail)
	return err
}

func (s *spool) copyTo(out io.Writer) error {
	if _, err := s.memory.WriteTo(out); err != nil || s.file == nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("rewind spool of the contents table: %w", err)
	}
	_, err := io.Copy(out, s.file)
	return err
}

// tocHeader is the tar header of the contents table.
func tocHeader(size int64) []byte {
	return ustar{name: tocName, mode: 0o444, size: size, flag: '0'}.append(nil)
}
