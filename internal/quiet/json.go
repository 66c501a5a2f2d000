package quiet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Bounds of what is read while the writers stand still.
const (
	maxWhole = 32 << 20  // of a bigger file only the ends
	maxRead  = 256 << 20 // of all files together; from then on of each file only the ends
	endBytes = 512
)

// json looks into a file that changed recently: JSON, or JSON lines, by its content or its name. Text of other kinds is never unrest.
func (c *checker) json(ctx context.Context, e *tree.Entry, name string, open tree.Opener) error {
	now, r, err := open(ctx)
	if err != nil {
		return passing(err)
	}
	defer r.Close()
	named, lines := jsonName(name)
	if now.Size == 0 {
		if named && !lines {
			return c.unrest(e.Path, "it is empty: it is being written")
		}
		return nil
	}
	v, err := c.judge(ctx, r, now.Size, lines)
	if err != nil {
		return passing(err)
	}
	if v.whole || !named && !v.keyed {
		return nil
	}
	return c.unrest(e.Path, v.why)
}

// judge reads a file, or only its ends.
func (c *checker) judge(ctx context.Context, r io.ReadCloser, size int64, lines bool) (verdict, error) {
	if size > maxWhole || size > c.budget {
		return judgeEnds(r, size)
	}
	c.budget -= size
	s := &scanner{}
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return verdict{}, err
		}
		n, err := r.Read(buf)
		if !s.feed(buf[:n]) || errors.Is(err, io.EOF) {
			return s.verdict(lines), nil
		}
		if err != nil {
			return verdict{}, err
		}
	}
}

// judgeEnds looks whether a file that begins as JSON ends as JSON.
func judgeEnds(r io.ReadCloser, size int64) (verdict, error) {
	first, last, err := ends(r, size, endBytes)
	if err != nil {
		return verdict{}, err
	}
	s := &scanner{}
	s.feed(first)
	last = bytes.TrimRight(last, " \t\r\n")
	whole := len(last) > 0 && slices.Contains([]byte("]}"), last[len(last)-1])
	return verdict{whole: whole, keyed: s.keyed, why: "it ends in the middle of a value"}, nil
}

// jsonName tells whether a name promises JSON, and whether a value a line.
func jsonName(name string) (named, lines bool) {
	switch strings.ToLower(path.Ext(name)) {
	case ".json", ".geojson", ".jsonld":
		return true, false
	case ".jsonl", ".ndjson":
		return true, true
	}
	return false, false
}

// temporary knows the names of files that take another's place when they are whole: half of one is harmless.
func temporary(name string) bool {
	name = strings.ToLower(name)
	if strings.Contains(name, "tmp") || strings.HasSuffix(name, "~") {
		return true
	}
	switch path.Ext(name) {
	case ".temp", ".part", ".partial", ".new", ".swp", ".bak":
		return true
	}
	// memories.json.4711, .memories.json.Xy12: a name that goes on behind the extension.
	i := strings.LastIndex(name, ".json")
	rest := name[max(i, 0):]
	named, _ := jsonName(name)
	return i >= 0 && !named && strings.ContainsAny(rest[1:], ".-_")
}
