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

const (
	storedMax    = 0xffff // of one stored block
	storedHeader = 5
)

// compressor turns tar bytes into members. It is used by one goroutine at a time.
type compressor struct {
	fast *flate.Writer
	out  bytes.Buffer
}

func newCompressor() *compressor {
	fast, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant of the library
	}
	return &compressor{fast: fast}
}

// appendMember appends one member that inflates to raw.
func (c *compressor) appendMember(dst, raw []byte) []byte {
	if c.noisy(raw) {
		return appendStoredMember(dst, raw)
	}
	h := memberHeader()
	c.out = *bytes.NewBuffer(append(dst, h[:]...))
	c.fast.Reset(&c.out)
	// A bytes.Buffer takes everything: neither call can fail.
	_, _ = c.fast.Write(raw)
	_ = c.fast.Close()
	dst = c.out.Bytes()
	c.out = bytes.Buffer{}
	return appendTrailer(dst, raw)
}

func appendTrailer(dst, raw []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(raw))
	return binary.LittleEndian.AppendUint32(dst, uint32(len(raw)))
}

func appendStoredMember(dst, raw []byte) []byte {
	h := memberHeader()
	dst = append(dst, h[:]...)
	for rest := raw; ; {
		n := min(len(rest), storedMax)
		final := byte(0)
		if n == len(rest) {
			final = 1
		}
		dst = append(dst, final, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		dst = append(dst, rest[:n]...)
		if rest = rest[n:]; final == 1 {
			break
		}
	}
	return appendTrailer(dst, raw)
}

// noisy tells whether raw hardly shrinks: eight windows of 4 KiB stand for the whole.
func (c *compressor) noisy(raw []byte) bool {
	const windows, size = 8, 4 << 10
	if len(raw) < 2*windows*size {
		return false
	}
	var n counter
	c.fast.Reset(&n)
	for i := range windows {
		at := i * (len(raw) - size) / (windows - 1)
		_, _ = c.fast.Write(raw[at : at+size])
	}
	_ = c.fast.Close()
	return n > windows*size*9/10
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// zeroMember is a member that inflates to a full chunk of zeros, as small as it gets.
func zeroMember() []byte {
	var b bytes.Buffer
	h := memberHeader()
	b.Write(h[:])
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err) // the level is a constant of the library
	}
	zeros := make([]byte, chunkSize)
	_, _ = w.Write(zeros)
	_ = w.Close()
	return appendTrailer(b.Bytes(), zeros)
}

var (
	errHeader   = errors.New("gzip header is not the canonical one")
	errTrailing = errors.New("bytes behind the end of a gzip member")
	errLength   = errors.New("inflated length differs from what the contents table says")
	errCRC      = errors.New("gzip checksum does not match")
)

// inflater turns members into tar bytes. It is used by one goroutine at a time.
type inflater struct {
	src  bytes.Reader
	zr   io.ReadCloser
	tail [1]byte
}

// inflate fills dst with what the one member in src inflates to; both lengths must be exact.
func (f *inflater) inflate(dst, src []byte) error {
	h := memberHeader()
	if len(src) < memberHeaderSize+memberTrailerSize || !bytes.Equal(src[:memberHeaderSize], h[:]) {
		return errHeader
	}
	body, trailer := src[memberHeaderSize:len(src)-memberTrailerSize], src[len(src)-memberTrailerSize:]
	if err := f.deflated(dst, body); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(trailer[4:]) != uint32(len(dst)) {
		return errLength
	}
	if binary.LittleEndian.Uint32(trailer) != crc32.ChecksumIEEE(dst) {
		return errCRC
	}
	return nil
}

// deflated inflates a whole deflate stream.
func (f *inflater) deflated(dst, body []byte) error {
	if copyStored(dst, body) {
		return nil
	}
	f.src.Reset(body)
	if f.zr == nil {
		f.zr = flate.NewReader(&f.src)
	} else if err := f.zr.(flate.Resetter).Reset(&f.src, nil); err != nil {
		return err
	}
	if _, err := io.ReadFull(f.zr, dst); err != nil {
		return fmt.Errorf("inflate: %w", short(err))
	}
	if n, err := f.zr.Read(f.tail[:]); n != 0 || err == nil {
		return errLength
	} else if err != io.EOF {
		return fmt.Errorf("inflate: %w", err)
	}
	if f.src.Len() != 0 {
		return errTrailing
	}
	return nil
}

func short(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errLength
	}
	return err
}

// copyStored does the work where the stream is stored blocks alone, as the writer stores noise; it says whether it was.
func copyStored(dst, body []byte) bool {
	for {
		if len(body) < storedHeader || body[0] > 1 {
			return false
		}
		n := int(binary.LittleEndian.Uint16(body[1:]))
		if binary.LittleEndian.Uint16(body[3:]) != ^uint16(n) || len(body) < storedHeader+n || len(dst) < n {
			return false
		}
		copy(dst, body[storedHeader:storedHeader+n])
		final := body[0] == 1
		dst, body = dst[n:], body[storedHeader+n:]
		if final {
			return len(dst) == 0 && len(body) == 0
		}
	}
}
