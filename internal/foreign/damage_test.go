package foreign

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// sound are archives of every kind that tests build, with enough in them to be cut and flipped.
func sound(t testing.TB) map[string][]byte {
	t.Helper()
	text := strings.Repeat("some words that pack well, and numbers 1 2 3 4 5 6\n", 300)
	noise := make([]byte, 3000)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(source.Uint32())
	}
	plain := tarOf(t, dir("data"), file("data/text", text), file("data/noise", string(noise)), symlink("data/link", "text"), hardlink("data/second", "data/text"))
	return map[string][]byte{
		"tar": plain, "tar.gz": gz(t, plain), "tar.zst": packed(t, "zst", plain), "tar.xz": packed(t, "xz", plain),
		"tar.bz2": packed(t, "bz2", plain), "tar.lz4": packed(t, "lz4", plain), "tar.lz": packed(t, "lz", plain),
		"zip": zipOf(t, zipPart{name: "data/text", body: text}, zipPart{name: "data/noise", body: string(noise)}),
		"7z":  sevenOf(sevenPart{name: "data/text", body: text, mode: 0o100644}, sevenPart{name: "data/noise", body: string(noise), mode: 0o100644}),
	}
}

// packed packs with the library's own writers.
func packed(t testing.TB, kind string, data []byte) []byte {
	t.Helper()
	for _, p := range packings() {
		if p.Extension() != "."+kind {
			continue
		}
		var b bytes.Buffer
		w, err := p.OpenWriter(&b)
		assert.NilError(t, err)
		_, err = w.Write(data)
		assert.NilError(t, err)
		assert.NilError(t, w.Close())
		return b.Bytes()
	}
	t.Fatalf("no packing %s", kind)
	return nil
}

// fingerprint is all that is known of an archive, and the contents.
func fingerprint(t testing.TB, data []byte) (string, error) {
	t.Helper()
	c, err := scan(t.Context(), bytes.NewReader(data), int64(len(data)), Limits{Bytes: 16 << 20, Entries: 1000, Memory: 64 << 20}, nil)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = c.source.walk(context.Background(), func(m *member) error {
		e := m.Entry
		b.WriteString(e.Path + string(e.Kind) + e.Link)
		if m.content != nil && e.Kind == "file" {
			_, err := readContent(m, &b)
			return err
		}
		return nil
	})
	return b.String(), err
}

func known(err error) bool {
	return errors.As(err, new(*DamagedError)) || errors.As(err, new(*UnsafeError)) || errors.As(err, new(*LimitError)) || errors.Is(err, ErrUnknown)
}

func TestAnArchiveThatIsCutShortIsRefused(t *testing.T) {
	for kind, data := range sound(t) {
		t.Run(kind, func(t *testing.T) {
			whole, err := fingerprint(t, data)
			assert.NilError(t, err)
			step := max(1, len(data)/60)
			for n := 0; n < len(data); n += step {
				got, err := fingerprint(t, data[:n])
				if err == nil { // what is missing says nothing: padding, or a sum behind the end
					assert.Equal(t, got, whole, "cut at %d of %d", n, len(data))
					assert.Assert(t, len(data)-n < 1100, "cut at %d of %d", n, len(data))
					continue
				}
				assert.Assert(t, known(err), "cut at %d: %v", n, err)
			}
		})
	}
}

// A plain tar file has sums of its headers alone: there a changed content cannot be seen.
func TestAFlippedBitIsSeenOrChangesNothing(t *testing.T) {
	for kind, data := range sound(t) {
		t.Run(kind, func(t *testing.T) {
			whole, err := fingerprint(t, data)
			assert.NilError(t, err)
			seen := 0
			for i := range 150 {
				at := i * len(data) / 150
				flipped := bytes.Clone(data)
				flipped[at] ^= 1 << (i % 8)
				got, err := fingerprint(t, flipped)
				if err != nil {
					seen++
					assert.Assert(t, known(err), "flipped at %d: %v", at, err)
				} else if kind != "tar" {
					assert.Equal(t, got, whole, "flipped at %d", at)
				}
			}
			assert.Assert(t, seen > 0)
		})
	}
}

// FuzzRead: whatever the bytes are, reading them ends with contents or with an error that says what is wrong, and never with a name
// that leads anywhere.
func FuzzRead(f *testing.F) {
	for _, data := range sound(f) {
		f.Add(data)
	}
	for _, all := range [][]hostileArchive{hostileTars(f), hostileZips(f), hostileSevens()} {
		for _, h := range all {
			if len(h.data) < 64<<10 {
				f.Add(h.data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := scan(t.Context(), bytes.NewReader(data), int64(len(data)), Limits{Bytes: 4 << 20, Entries: 500, Memory: 64 << 20}, nil)
		if err != nil {
			assert.Assert(t, known(err), "%v", err)
			return
		}
		for p := range c.byPath {
			clean, err := cleanName(p)
			assert.NilError(t, err)
			assert.Equal(t, clean, p)
		}
		_, err = c.Map(newTarget())
		assert.NilError(t, err)
	})
}
