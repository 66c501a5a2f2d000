package archive

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/memsys/docker-memsys/internal/tree"
)

// line builds one line of the contents table.
type line struct{ b []byte }

func (l *line) key(k string) {
	if l.b[len(l.b)-1] != '{' {
		l.b = append(l.b, ',')
	}
	l.b = append(l.b, '"')
	l.b = append(l.b, k...)
	l.b = append(l.b, '"', ':')
}

func (l *line) str(k, v string) {
	l.key(k)
	l.b = appendJSONString(l.b, v)
}

func (l *line) num(k string, v int64) {
	if v != 0 {
		l.key(k)
		l.b = strconv.AppendInt(l.b, v, 10)
	}
}

func (l *line) bytes(k string, v []byte) {
	l.key(k)
	l.b = append(l.b, '"')
	l.b = base64.StdEncoding.AppendEncode(l.b, v)
	l.b = append(l.b, '"')
}

func (l *line) sum(k string, sum *[32]byte) {
	l.key(k)
	l.b = append(l.b, `"sha256:`...)
	l.b = hex.AppendEncode(l.b, sum[:])
	l.b = append(l.b, '"')
}

// appendJSONString appends a quoted string; v is valid UTF-8.
func appendJSONString(dst []byte, v string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(v) {
		switch c := v[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// place says where an entry or chunk lies.
type place struct {
	unit   int64 // -1: in the unit of the entry before
	offset int64
	inner  int64
}

// appendTOCEntry appends the line of an entry whose first chunk is c; chunked tells that more chunks follow.
func appendTOCEntry(dst []byte, e *tree.Entry, p place, c tree.Chunk, chunked bool) []byte {
	l := line{append(dst, '{')}
	name := tarName(e)
	l.str("name", escapeName(name))
	l.str("type", tocType(e.Kind))
	l.num("size", e.Size)
	l.time(e.ModTime)
	if e.Link != "" {
		l.str("linkName", escapeName(e.Link))
	}
	l.num("mode", int64(e.Mode))
	l.num("uid", int64(e.UID))
	l.num("gid", int64(e.GID))
	l.num("devMajor", int64(e.Major))
	l.num("devMinor", int64(e.Minor))
	l.xattrs(e.Xattrs)
	if e.Size > 0 {
		l.num("offset", p.offset)
		l.num("innerOffset", p.inner)
		if chunked {
			l.num("chunkSize", c.Size)
		} else {
			l.sum("digest", &c.SHA256)
		}
		l.sum("chunkDigest", &c.SHA256)
	}
	l.own(e, name, p.unit)
	return append(l.b, '}')
}

// own appends the fields that eStargz does not know.
func (l *line) own(e *tree.Entry, name string, unit int64) {
	if unit >= 0 {
		l.key("unit")
		l.b = strconv.AppendInt(l.b, unit, 10)
	}
	if len(e.Holes) > 0 {
		l.key("holes")
		for i, h := range e.Holes {
			l.b = append(l.b, "[,"[min(i, 1)])
			l.b = strconv.AppendInt(l.b, h.Offset, 10)
			l.b = append(l.b, ',')
			l.b = strconv.AppendInt(l.b, h.Length, 10)
		}
		l.b = append(l.b, ']')
	}
	if escapeName(name) != name {
		l.bytes("rawName", []byte(name))
	}
	if escapeName(e.Link) != e.Link {
		l.bytes("rawLinkName", []byte(e.Link))
	}
}

func (l *line) time(t time.Time) {
	t = t.UTC()
	if y := t.Year(); y >= 0 && y <= 9999 {
		l.key("modtime")
		l.b = append(l.b, '"')
		l.b = t.AppendFormat(l.b, time.RFC3339Nano)
		l.b = append(l.b, '"')
		return
	}
	l.key("seconds")
	l.b = strconv.AppendInt(l.b, t.Unix(), 10)
	l.num("nanos", int64(t.Nanosecond()))
}

func (l *line) xattrs(xattrs map[string][]byte) {
	if len(xattrs) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(xattrs))
	plain := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !utf8.ValidString(n) })
	raw := slices.DeleteFunc(names, utf8.ValidString)
	for i, name := range plain {
		if i == 0 {
			l.key("xattrs")
			l.b = append(l.b, '{')
		}
		l.bytes(name, xattrs[name])
	}
	if len(plain) > 0 {
		l.b = append(l.b, '}')
	}
	for i, name := range raw {
		if i == 0 {
			l.key("rawXattrs")
			l.b = append(l.b, '[')
		} else {
			l.b = append(l.b, ',')
		}
		l.b = appendBase64Pair(l.b, name, xattrs[name])
	}
	if len(raw) > 0 {
		l.b = append(l.b, ']')
	}
}

func appendBase64Pair(dst []byte, name string, value []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, []byte(name))
	dst = append(dst, `","`...)
	dst = base64.StdEncoding.AppendEncode(dst, value)
	return append(dst, '"')
}

// appendTOCChunk appends the line of a file's second or further chunk.
func appendTOCChunk(dst []byte, escaped string, offset int64, c tree.Chunk) []byte {
	l := line{append(dst, '{')}
	l.str("name", escaped)
	l.str("type", "chunk")
	l.num("offset", offset)
	l.num("chunkOffset", c.Offset)
	l.num("chunkSize", c.Size)
	l.sum("chunkDigest", &c.SHA256)
	return append(l.b, '}')
}
