package foreign

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/bodgit/sevenzip"
)

// The library reserves memory for as many things as the header of a 7z archive announces, before it has read one of them. So the header is read
// here first, as far as it counts: what it announces must fit into its own bytes, and into the limits.

// The parts of a 7z file.
const (
	sevenStart     = 32 // bytes of the signature and the start header
	sevenOffsetAt  = 12
	sevenSizeAt    = 20
	sevenMark      = "7z\xbc\xaf\x27\x1c"
	maxSevenHeader = 512 << 20
	maxCoders      = 32 // of one folder, and streams of one coder; 7-Zip reads no more
)

// The marks in a 7z header.
const (
	sevenEnd         = 0x00
	sevenHeaderID    = 0x01
	sevenMainStreams = 0x04
	sevenFiles       = 0x05
	sevenPack        = 0x06
	sevenUnpack      = 0x07
	sevenSub         = 0x08
	sevenSizes       = 0x09
	sevenDigests     = 0x0a
	sevenFolders     = 0x0b
	sevenUnpackSizes = 0x0c
	sevenStreamCount = 0x0d
	sevenNames       = 0x11
	sevenEncoded     = 0x17
)

var errSevenHeader = errors.New("its header announces what it does not hold")

// checkSeven refuses a 7z archive whose header takes more memory than its size makes likely.
func checkSeven(r io.ReaderAt, size int64, l Limits) error {
	var start [sevenStart]byte
	if _, err := r.ReadAt(start[:], 0); err != nil {
		return err
	}
	offset, length := binary.LittleEndian.Uint64(start[sevenOffsetAt:]), binary.LittleEndian.Uint64(start[sevenSizeAt:])
	if rest := uint64(size - sevenStart); offset > rest || length > rest-offset {
		return io.ErrUnexpectedEOF
	}
	if length > maxSevenHeader {
		return &LimitError{What: limitMemory, Limit: maxSevenHeader}
	}
	raw := make([]byte, length)
	if _, err := r.ReadAt(raw, sevenStart+int64(offset)); err != nil {
		return err
	}
	h := &sevenHeader{b: raw, limits: l}
	if len(raw) > 0 && raw[0] == sevenEncoded {
		h.byte()
		if h.streams(); h.err != nil {
			return h.err
		}
		plain, err := unpackSevenHeader(r, int64(offset), raw[1:])
		if err != nil {
			return err
		}
		h.b = plain
	}
	return h.check()
}

// unpackSevenHeader unpacks a packed header. The library does so only while it reads it; so it is given an archive in which that header is
// the content of a file. streams is what the archive says of it.
func unpackSevenHeader(r io.ReaderAt, offset int64, streams []byte) ([]byte, error) {
	head := append([]byte{sevenHeaderID, sevenMainStreams}, streams...)
	head = append(head, sevenFiles, 1, sevenNames, 5, 0, 'h', 0, 0, 0, sevenEnd, sevenEnd)
	var tail, front bytes.Buffer
	for _, v := range []uint64{uint64(offset), uint64(len(head))} {
		_ = binary.Write(&tail, binary.LittleEndian, v)
	}
	_ = binary.Write(&tail, binary.LittleEndian, crc32.ChecksumIEEE(head))
	front.WriteString(sevenMark + "\x00\x04")
	_ = binary.Write(&front, binary.LittleEndian, crc32.ChecksumIEEE(tail.Bytes()))
	front.Write(tail.Bytes())
	joined := &splice{front: front.Bytes(), middle: r, to: sevenStart + offset, back: head}
	z, err := sevenzip.NewReader(joined, joined.to+int64(len(head)))
	if err != nil {
		return nil, err
	}
	if len(z.File) != 1 {
		return nil, errSevenHeader
	}
	content, err := z.File[0].Open()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	plain, err := io.ReadAll(io.LimitReader(content, maxSevenHeader+1))
	if err == nil && len(plain) > maxSevenHeader {
		err = &LimitError{What: limitMemory, Limit: maxSevenHeader}
	}
	return plain, err
}

// splice reads as middle does, but for its first bytes, and for what comes from to on.
type splice struct {
	front  []byte
	middle io.ReaderAt
	to     int64
	back   []byte
}

func (s *splice) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		at, rest := off+int64(n), p[n:]
		var m int
		switch {
		case at < int64(len(s.front)):
			m = copy(rest, s.front[at:])
		case at < s.to:
			m, err = s.middle.ReadAt(rest[:min(int64(len(rest)), s.to-at)], at)
			if errors.Is(err, io.EOF) && m > 0 {
				err = nil
			}
		case at-s.to < int64(len(s.back)):
			m = copy(rest, s.back[at-s.to:])
		default:
			err = io.EOF
		}
		n += m
	}
	return n, err
}

// sevenHeader reads a header as the library does, and keeps nothing of it. Once something is wrong, all that is read is zero.
type sevenHeader struct {
	b       []byte
	limits  Limits
	err     error
	folders int
}

// check reads a whole header, up to the number of its files.
func (h *sevenHeader) check() error {
	h.want(sevenHeaderID)
	id := h.byte()
	if id == sevenMainStreams {
		h.streams()
		id = h.byte()
	}
	if id == sevenFiles {
		if n := h.number(); n > uint64(h.limits.Entries) {
			h.fail(&LimitError{What: limitEntries, Limit: h.limits.Entries})
		} else if n > uint64(len(h.b))/2 { // a name takes two bytes at least
			h.fail(errSevenHeader)
		}
	}
	return h.err
}

func (h *sevenHeader) fail(err error) {
	if h.err == nil {
		h.err = err
	}
	h.b = nil
}

func (h *sevenHeader) take(n uint64) []byte {
	if n > uint64(len(h.b)) {
		h.fail(io.ErrUnexpectedEOF)
		return nil
	}
	out := h.b[:n]
	h.b = h.b[n:]
	return out
}

func (h *sevenHeader) byte() byte {
	if b := h.take(1); b != nil {
		return b[0]
	}
	return sevenEnd
}

func (h *sevenHeader) want(id byte) {
	if h.byte() != id {
		h.fail(errSevenHeader)
	}
}

// number reads a number: as many ones as its first byte begins with, so many bytes follow, the least first.
func (h *sevenHeader) number() uint64 {
	first := h.byte()
	n := bits.LeadingZeros8(^first)
	var v uint64
	for i, b := range h.take(uint64(n)) {
		v |= uint64(b) << (8 * i)
	}
	if n < 7 {
		v |= uint64(first&(1<<(7-n)-1)) << (8 * n)
	}
	return v
}

// count reads the number of things of which each takes a byte of what follows, at least.
func (h *sevenHeader) count() uint64 {
	n := h.number()
	if n > uint64(len(h.b)) {
		h.fail(errSevenHeader)
		return 0
	}
	return n
}

func (h *sevenHeader) numbers(n uint64) {
	for ; n > 0 && h.err == nil; n-- {
		h.number()
	}
}

// digests reads which of n things have a sum, and the sums.
func (h *sevenHeader) digests(n uint64) {
	sums := n
	if h.byte() == 0 {
		sums = 0
		for _, b := range h.take((n + 7) / 8) {
			sums += uint64(bits.OnesCount8(b))
		}
	}
	h.take(4 * min(sums, n))
}

// streams reads how contents are packed.
func (h *sevenHeader) streams() {
	id := h.byte()
	if id == sevenPack {
		h.number()
		n := h.count()
		if id = h.byte(); id == sevenSizes {
			h.numbers(n)
			id = h.byte()
		}
		h.digestsTo(id, n)
		id = h.byte()
	}
	if id == sevenUnpack {
		h.unpacking()
		id = h.byte()
	}
	if id == sevenSub {
		h.substreams()
		id = h.byte()
	}
	if id != sevenEnd {
		h.fail(errSevenHeader)
	}
}

// digestsTo reads the sums that a part may end with, and its end.
func (h *sevenHeader) digestsTo(id byte, n uint64) {
	if id == sevenDigests {
		h.digests(n)
		id = h.byte()
	}
	if id != sevenEnd {
		h.fail(errSevenHeader)
	}
}

func (h *sevenHeader) unpacking() {
	h.want(sevenFolders)
	folders := h.count()
	h.want(0) // not elsewhere
	var sizes uint64
	for i := uint64(0); i < folders && h.err == nil; i++ {
		sizes += h.folder()
	}
	h.want(sevenUnpackSizes)
	h.numbers(sizes)
	h.folders = int(folders)
	h.digestsTo(h.byte(), folders)
}

// substreams reads how many files there are in each folder, and their sizes.
func (h *sevenHeader) substreams() {
	files, sizes := uint64(h.folders), uint64(0)
	id := h.byte()
	if id == sevenStreamCount {
		files = 0
		for range h.folders {
			n := h.count()
			files, sizes = files+n, sizes+max(n, 1)-1
		}
		id = h.byte()
	}
	if files > uint64(len(h.b)) {
		h.fail(errSevenHeader)
	}
	if id == sevenSizes {
		h.numbers(sizes)
		id = h.byte()
	}
	h.digestsTo(id, files)
}

// folder reads what unpacks one stream, and returns how many sizes it has.
func (h *sevenHeader) folder() (outs uint64) {
	var ins uint64
	for range h.few() {
		in, out := h.coder()
		ins, outs = ins+in, outs+out
	}
	if outs == 0 || ins < outs {
		h.fail(errSevenHeader)
		return 0
	}
	h.numbers(2 * (outs - 1))
	if packed := ins - (outs - 1); packed > 1 {
		h.numbers(packed)
	}
	return outs
}

// few reads a number of which there are never many.
func (h *sevenHeader) few() uint64 {
	n := h.number()
	if n > maxCoders {
		h.fail(errSevenHeader)
		return 0
	}
	return n
}

func (h *sevenHeader) coder() (in, out uint64) {
	flags := h.byte()
	id := h.take(uint64(flags & 0x0f))
	in, out = 1, 1
	if flags&0x10 != 0 {
		in, out = h.few(), h.few()
	}
	if flags&0x20 != 0 {
		h.memory(string(id), h.take(h.count()))
	}
	return in, out
}

// The coders whose properties say how much memory they take, and the one that takes a password, and as much time as it says.
const (
	coderLZMA  = "\x03\x01\x01"
	coderLZMA2 = "\x21"
	coderPPMd  = "\x03\x04\x01"
	coderAES   = "\x06\xf1\x07\x01"
)

// memory checks how much memory a coder takes.
func (h *sevenHeader) memory(id string, properties []byte) {
	var need uint64
	switch {
	case id == coderAES:
		h.fail(&UnsafeError{Name: "7z", Why: "it is encrypted: unpack the archive and pack it again without a password"})
	case (id == coderLZMA || id == coderPPMd) && len(properties) >= 5:
		need = uint64(binary.LittleEndian.Uint32(properties[1:]))
	case id == coderLZMA2 && len(properties) == 1:
		need = uint64(2|properties[0]&1) << (properties[0]/2 + 11)
	}
	if need > uint64(h.limits.Memory) {
		h.fail(fmt.Errorf("7z: %w", &LimitError{What: limitMemory, Limit: h.limits.Memory}))
	}
}
