package archive

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// little is a small archive with a group and a big file of noise.
func little(t testing.TB) []byte {
	raw := file("data/app/noise.npy", noise(2, bigFile+1))
	all := []stored{dir("data/app"), raw}
	for i := range 20 {
		all = append(all, file("data/app/m"+string(rune('a'+i)), text(i, 300)))
	}
	all = append(all, link(tree.Symlink, "data/app/link", "ma"))
	return write(t, all, manifest(), WriterOptions{})
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	b := little(t)
	sum := sha256.Sum256(b)
	want := hex.EncodeToString(sum[:])
	step, tried, bySum := max(1, len(b)/2500), 0, 0
	for at := 0; at < len(b); at += step {
		b[at] ^= byte(1 << (at % 8))
		rep, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b)), VerifyOptions{Workers: 1})
		b[at] ^= byte(1 << (at % 8))
		assert.Assert(t, err == nil || errors.Is(err, ErrNotOurs) || errors.Is(err, ErrNewer), "byte %d: %v", at, err)
		assert.Assert(t, rep.SHA256 != want, "byte %d", at)
		if len(rep.Damage) == 0 {
			bySum++
		}
		tried++
	}
	assert.Assert(t, tried >= 2000, "only %d places", tried)
	assert.Assert(t, bySum*100 < tried, "%d of %d flips found by the sum alone", bySum, tried)
	t.Logf("%d flips, all found; %d by the sidecar's sum alone", tried, bySum)
	assert.DeepEqual(t, verify(t, b).Damage, []Damage(nil))
}

func TestEveryTruncationIsFound(t *testing.T) {
	b := little(t)
	r := open(t, b)
	cuts := []int64{0, 1, 50, 51, 52, r.toc - 1, r.toc, r.toc + 1, r.toc + tocHeaderSize, r.size - footerSize, r.size - footerSize - 1, r.size - 1, r.size - 25}
	assert.NilError(t, r.eachUnit(t.Context(), func(u *unit) error {
		cuts = append(cuts, u.start, u.start+1, u.start+9, u.start+10, (u.start+u.end)/2, u.end-8, u.end-1)
		return nil
	}))
	for _, n := range cuts {
		rep, err := Verify(t.Context(), bytes.NewReader(b[:n]), n, VerifyOptions{Workers: 1})
		assert.ErrorIs(t, err, ErrNotOurs)
		assert.Assert(t, len(rep.Damage) > 0, "cut at %d", n)
		sum := sha256.Sum256(b[:n])
		assert.Equal(t, rep.SHA256, hex.EncodeToString(sum[:]))
	}
	// A cut in the middle that leaves the footer in place.
	for _, u := range []int64{0, r.toc / 2, r.manifestAt} {
		cut := append(bytes.Clone(b[:u]), b[u+100:]...)
		rep, err := Verify(t.Context(), bytes.NewReader(cut), int64(len(cut)), VerifyOptions{})
		assert.NilError(t, err)
		assert.Assert(t, len(rep.Damage) > 0)
	}
}

func TestSumsAreThoseOfTheWholeFile(t *testing.T) {
	b := little(t)
	rep := verify(t, b)
	s, m := sha256.Sum256(b), md5.Sum(b)
	assert.Equal(t, rep.SHA256, hex.EncodeToString(s[:]))
	assert.Equal(t, rep.MD5, hex.EncodeToString(m[:]))
}
