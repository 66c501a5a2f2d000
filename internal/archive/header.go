package archive

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/memsys/docker-memsys/internal/tree"
)

// The largest values of ustar's octal fields.
const (
	maxOctal7  = 1<<21 - 1
	maxOctal11 = 1<<33 - 1
)

type record struct{ key, value string }

// typeflag returns ustar's letter for a kind.
func typeflag(k tree.Kind) (byte, error) {
	switch k {
	case tree.File:
		return '0', nil
	case tree.Hardlink:
		return '1', nil
	case tree.Symlink:
		return '2', nil
	case tree.CharDevice:
		return '3', nil
	case tree.BlockDevice:
		return '4', nil
	case tree.Dir:
		return '5', nil
	case tree.FIFO:
		return '6', nil
	}
	return 0, fmt.Errorf("an entry of kind %q cannot be stored", k)
}

// tarName is the name of an entry in its tar header.
func tarName(e *tree.Entry) string {
	if e.Kind == tree.Dir {
		return e.Path + "/"
	}
	return e.Path
}

// appendHeader appends the header blocks of an entry; the entry determines every byte.
func appendHeader(dst []byte, e *tree.Entry) ([]byte, error) {
	flag, err := typeflag(e.Kind)
	if err != nil {
		return dst, err
	}
	if e.UID < 0 || e.GID < 0 || e.Size < 0 || e.Major > maxOctal7 || e.Minor > maxOctal7 || e.Mode > 0o7777 {
		return dst, errors.New("an attribute is out of range")
	}
	records, err := paxRecords(e)
	if err != nil {
		return dst, err
	}
	if len(records) > 0 {
		if dst, err = appendPAX(dst, path.Base(e.Path), records); err != nil {
			return dst, err
		}
	}
	h := ustar{name: tarName(e), mode: e.Mode, uid: int64(e.UID), gid: int64(e.GID), size: e.Size, mtime: e.ModTime.Unix(), flag: flag, link: e.Link}
	if flag == '3' || flag == '4' {
		h.major, h.minor = e.Major, e.Minor
	}
	return h.append(dst), nil
}

// paxRecords returns what has no place in the ustar header, sorted.
func paxRecords(e *tree.Entry) ([]record, error) {
	records, err := xattrRecords(e.Xattrs)
	if err != nil {
		return nil, err
	}
	if name := tarName(e); !fitsUstar(name) {
		records = append(records, record{"path", name})
	}
	if !fitsUstar(e.Link) {
		records = append(records, record{"linkpath", e.Link})
	}
	if s := e.ModTime.Unix(); e.ModTime.Nanosecond() != 0 || s < 0 || s > maxOctal11 {
		records = append(records, record{"mtime", paxTime(e.ModTime)})
	}
	if e.UID > maxOctal7 {
		records = append(records, record{"uid", strconv.Itoa(e.UID)})
	}
	if e.GID > maxOctal7 {
		records = append(records, record{"gid", strconv.Itoa(e.GID)})
	}
	if e.Size > maxOctal11 {
		records = append(records, record{"size", strconv.FormatInt(e.Size, 10)})
	}
	slices.SortFunc(records, func(a, b record) int { return strings.Compare(a.key, b.key) })
	return records, nil
}

// fitsUstar tells whether a name stands in its ustar field alone. Pax wants UTF-8 and ustar takes bytes, so that is where names that are not UTF-8 belong.
func fitsUstar(name string) bool {
	return len(name) <= 100 && (isASCII(name) || !utf8.ValidString(name))
}

func xattrRecords(xattrs map[string][]byte) ([]record, error) {
	var records []record
	for name, value := range xattrs {
		if name == "" || strings.IndexByte(name, 0) >= 0 {
			return nil, fmt.Errorf("extended attribute %q: not a name", name)
		}
		r := record{"SCHILY.xattr." + strings.NewReplacer("%", "%25", "=", "%3D").Replace(name), string(value)}
		if name == aclAccess || name == aclDefault {
			if text, err := aclText(value); err == nil {
				r = record{aclAccessRecord, text}
				if name == aclDefault {
					r.key = aclDefaultRecord
				}
			}
		}
		records = append(records, r)
	}
	return records, nil
}

// paxTime is a time as pax writes it: seconds and decimals; the decimals of a negative time count away from zero.
func paxTime(t time.Time) string {
	s, ns := t.Unix(), int64(t.Nanosecond())
	sign := ""
	if s < 0 {
		sign = "-"
		s = -s
		if ns > 0 {
			s, ns = s-1, int64(time.Second)-ns
		}
	}
	if ns == 0 {
		return sign + strconv.FormatInt(s, 10)
	}
	return strings.TrimRight(fmt.Sprintf("%s%d.%09d", sign, s, ns), "0")
}

// appendPAX appends a pax extended header: its own ustar header and the records.
func appendPAX(dst []byte, base string, records []record) ([]byte, error) {
	var body []byte
	for _, r := range records {
		body = appendRecord(body, r)
	}
	if len(body) > maxPAX {
		return dst, fmt.Errorf("the attributes take %d bytes, more than %d", len(body), maxPAX)
	}
	h := ustar{name: "PaxHeaders/" + base[:min(len(base), 89)], mode: 0o644, size: int64(len(body)), flag: 'x'}
	dst = append(h.append(dst), body...)
	return append(dst, make([]byte, padding(int64(len(body))))...), nil
}

// appendRecord appends one pax record: its own length in decimal, keyword and value.
func appendRecord(dst []byte, r record) []byte {
	rest := len(r.key) + len(r.value) + 3 // space, equals sign, newline
	size := rest + len(strconv.Itoa(rest))
	if n := rest + len(strconv.Itoa(size)); n != size {
		size = n
	}
	dst = strconv.AppendInt(dst, int64(size), 10)
	dst = append(dst, ' ')
	dst = append(dst, r.key...)
	dst = append(dst, '=')
	dst = append(dst, r.value...)
	return append(dst, '\n')
}

// ustar is one header block.
type ustar struct {
	name, link   string
	mode         uint32
	uid, gid     int64
	size, mtime  int64
	flag         byte
	major, minor uint32
}

func (h ustar) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, blockSize)...)
	b := dst[start:]
	copy(b[:100], h.name)
	octal(b[100:108], int64(h.mode), maxOctal7)
	octal(b[108:116], h.uid, maxOctal7)
	octal(b[116:124], h.gid, maxOctal7)
	octal(b[124:136], h.size, maxOctal11)
	octal(b[136:148], h.mtime, maxOctal11)
	copy(b[148:156], "        ")
	b[156] = h.flag
	copy(b[157:257], h.link)
	copy(b[257:265], "ustar\x0000")
	octal(b[329:337], int64(h.major), maxOctal7)
	octal(b[337:345], int64(h.minor), maxOctal7)
	sum := int64(0)
	for _, c := range b {
		sum += int64(c)
	}
	octal(b[148:155], sum, maxOctal7)
	return dst
}

// octal fills a field with leading zeros and a final NUL; a value that does not fit becomes 0, its pax record has it.
func octal(field []byte, v, limit int64) {
	if v < 0 || v > limit {
		v = 0
	}
	last := len(field) - 1
	field[last] = 0
	for i := last - 1; i >= 0; i-- {
		field[i] = byte('0' + v&7)
		v >>= 3
	}
}
