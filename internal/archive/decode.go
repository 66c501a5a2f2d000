package archive

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
)

var (
	errDigest    = errors.New("content does not match its SHA-256")
	errTarHeader = errors.New("tar header and contents table disagree")
	errPadding   = errors.New("bytes in the padding of the tar stream")
	errEmpty     = errors.New("the empty members before a group are not as they must be")
	errTooLong   = errors.New("takes more bytes than it can need")
)

// decoder checks and unpacks parts. It is used by one goroutine at a time.
type decoder struct {
	inflater
	raw     []byte
	headers []byte
	zero    zeroCache
}

// zeroCache remembers how a full chunk of zeros looks in this archive.
type zeroCache struct {
	packed []byte
	raw    []byte
	digest [32]byte
}

func (d *decoder) buffer(n int64) []byte {
	d.raw = slices.Grow(d.raw[:0], int(n))[:n]
	return d.raw
}

// group checks a group and returns its tar bytes and where the content of each entry begins; whatever is wrong is in the damage.
func (d *decoder) group(u *unit, packed []byte) (raw []byte, damage []Damage) {
	bad := func(e *Entry, err error) { damage = append(damage, Damage{e.Path, u.start, err.Error()}) }
	l, err := u.layout(d.headers)
	d.headers = l.headers
	if err != nil {
		bad(u.entries[0], err)
		return nil, damage
	}
	empties := l.files * emptyMemberSize
	if int64(len(packed)) < empties || !allEmpty(packed[:empties]) {
		bad(u.entries[0], errEmpty)
		return nil, damage
	}
	raw = d.buffer(l.size)
	clear(raw)
	failed := d.inflate(raw, packed[empties:])
	at, headers := int64(0), l.headers
	for i, e := range u.entries {
		n := l.lengths[i]
		if err := checkEntry(e, headers[:n], raw[at:]); err != nil {
			if failed != nil {
				err = failed
			}
			bad(e, err)
		}
		headers = headers[n:]
		at += int64(n) + e.Size + padding(e.Size)
	}
	if failed != nil && len(damage) == 0 {
		bad(u.entries[0], failed)
	}
	return raw, damage
}

// checkEntry compares an entry of a group with what the contents table says of it; raw begins with its header.
func checkEntry(e *Entry, header, raw []byte) error {
	n := int64(len(header))
	if !bytes.Equal(raw[:n], header) {
		return errTarHeader
	}
	if e.Size > 0 && sha256.Sum256(raw[n:n+e.Size]) != e.Chunks[0].SHA256 {
		return errDigest
	}
	if !allZero(raw[n+e.Size : n+e.Size+padding(e.Size)]) {
		return errPadding
	}
	return nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func allEmpty(b []byte) bool {
	for member := appendEmptyMember(nil); len(b) > 0; b = b[emptyMemberSize:] {
		if !bytes.HasPrefix(b, member) {
			return false
		}
	}
	return true
}

// header checks the header of a big file.
func (d *decoder) header(e *Entry, packed []byte) error {
	var err error
	if d.headers, err = appendHeader(d.headers[:0], &e.Entry); err != nil {
		return err
	}
	raw := d.buffer(int64(len(d.headers)))
	if err := d.inflate(raw, packed); err != nil {
		return err
	}
	if !bytes.Equal(raw, d.headers) {
		return errTarHeader
	}
	return nil
}

// chunk checks one chunk of a big file and returns its content; zero tells that it is zeros all over.
func (d *decoder) chunk(e *Entry, i int, packed []byte) (content []byte, zero bool, err error) {
	c := e.Chunks[i]
	pad := int64(0)
	if i == len(e.Chunks)-1 {
		pad = padding(e.Size)
	}
	size := c.Size + pad
	if d.zero.packed != nil && len(d.zero.raw) == int(size) && bytes.Equal(packed, d.zero.packed) {
		if d.zero.digest != c.SHA256 {
			return nil, false, errDigest
		}
		return d.zero.raw, true, nil
	}
	raw := d.buffer(size)
	if err := d.inflate(raw, packed); err != nil {
		return nil, false, err
	}
	if sha256.Sum256(raw[:c.Size]) != c.SHA256 {
		return nil, false, errDigest
	}
	if pad > 0 && !allZero(raw[c.Size:]) {
		return nil, false, errPadding
	}
	if pad == 0 && len(packed) < len(raw)/512 && allZero(raw) {
		d.zero = zeroCache{slices.Clone(packed), make([]byte, len(raw)), c.SHA256}
		return raw, true, nil
	}
	return raw[:c.Size], false, nil
}

// grouped returns the content of one file of a group; packed begins where the contents table says that the file does.
func (d *decoder) grouped(e *Entry, packed []byte) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, zr, e.inner); err != nil {
		return nil, short(err)
	}
	content := d.buffer(e.Size)
	if _, err := io.ReadFull(zr, content); err != nil {
		return nil, short(err)
	}
	if sha256.Sum256(content) != e.Chunks[0].SHA256 {
		return nil, errDigest
	}
	return content, nil
}

func damageOf(p part, err error) Damage {
	reason := err.Error()
	if p.chunk >= 0 {
		reason = fmt.Sprintf("at byte %d: %s", p.u.entries[0].Chunks[p.chunk].Offset, reason)
	}
	return Damage{p.path(), p.start, reason}
}
