package archive

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// Names and numbers of the format: docs/archive-format.md explains each.
const (
	manifestName = "memsys.json"
	tocName      = "stargz.index.json"

	blockSize   = 512
	footerSize  = 51
	bigFile     = 64 << 10
	chunkSize   = 1 << 20
	groupLow    = 32 << 10
	groupMean   = 128 << 10
	groupHigh   = 256 << 10
	maxGroup    = 4 << 20
	maxManifest = 64 << 20
	maxChunk    = 4 << 20
	minChunk    = 64 << 10 // of a file of several chunks
	maxTOCLine  = 8 << 20
	maxPAX      = 1 << 20
	maxHoles    = 16384

	maxProjectName = 4096 // their parents need no entries, so each name implies some
)

const (
	memberHeaderSize  = 10
	memberTrailerSize = 8
	emptyMemberSize   = 20
	manifestExtraSize = 4 + 32
)

// memberHeader returns the header that every member begins with.
func memberHeader() [memberHeaderSize]byte {
	return [memberHeaderSize]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
}

// appendEmptyMember appends a member that inflates to nothing.
func appendEmptyMember(dst []byte) []byte {
	h := memberHeader()
	dst = append(dst, h[:]...)
	return append(dst, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// appendExtraHeader appends a member's header with one FEXTRA subfield.
func appendExtraHeader(dst []byte, id, payload string) []byte {
	h := memberHeader()
	h[3] = 4
	dst = append(dst, h[:]...)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(4+len(payload)))
	dst = append(dst, id...)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(payload)))
	return append(dst, payload...)
}

// footer returns the archive's last bytes.
func footer(toc int64) []byte {
	b := appendExtraHeader(make([]byte, 0, footerSize), "SG", fmt.Sprintf("%016xSTARGZ", toc))
	return append(b, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0)
}

// parseFooter returns the offset of the contents table; size is that of the archive.
func parseFooter(b []byte, size int64) (int64, error) {
	if len(b) != footerSize {
		return 0, ErrNotOurs
	}
	toc, err := parseHex(b[16:32])
	if err != nil || string(footer(toc)) != string(b) {
		return 0, ErrNotOurs
	}
	if toc >= size-footerSize {
		return 0, errors.New("footer: the contents table lies outside of the archive")
	}
	return toc, nil
}

// manifestExtra is the contents table's subfield that says where the manifest's unit is.
func manifestExtra(offset, length int64) string {
	return fmt.Sprintf("%016x%016x", offset, length)
}

// parseManifestExtra reads the header of the contents table's member; ok is false where it has no such subfield.
func parseManifestExtra(h []byte) (offset, length int64, ok bool) {
	const at = memberHeaderSize + 2 + 4
	if len(h) < at+32 || string(h[12:14]) != "MS" {
		return 0, 0, false
	}
	offset, err := parseHex(h[at : at+16])
	if err != nil {
		return 0, 0, false
	}
	length, err = parseHex(h[at+16 : at+32])
	if err != nil {
		return 0, 0, false
	}
	return offset, length, string(appendExtraHeader(nil, "MS", manifestExtra(offset, length))) == string(h[:at+32])
}

// tocHeaderSize is the length of the gzip header of the contents table's member.
const tocHeaderSize = memberHeaderSize + 2 + manifestExtraSize

func parseHex(b []byte) (int64, error) {
	var raw [8]byte
	if _, err := hex.Decode(raw[:], b); err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(b), 16, 64)
}

// padding is the number of zero bytes behind content of a size in the tar stream.
func padding(size int64) int64 { return -size & (blockSize - 1) }
