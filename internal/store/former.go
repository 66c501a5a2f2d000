package store

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/memsys/docker-memsys/internal/archive"
)

// verifyFormer reads a plain tar.gz without manifest to its end: gzip's checksum and tar's headers are all the proof it carries.
func verifyFormer(ctx context.Context, f io.ReadSeeker, o archive.VerifyOptions) (*archive.Report, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	sha, sum := sha256.New(), md5.New()
	count := &counting{ctx: ctx, r: io.TeeReader(f, io.MultiWriter(sha, sum)), report: o.OnBytes}
	r := &archive.Report{}
	if err := readFormer(count, r); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.Damage = append(r.Damage, archive.Damage{Offset: count.n, Reason: err.Error()})
	}
	if _, err := io.Copy(io.Discard, count); err != nil {
		return nil, err
	}
	r.Size, r.SHA256, r.MD5 = count.n, hex.EncodeToString(sha.Sum(nil)), hex.EncodeToString(sum.Sum(nil))
	return r, nil
}

// readFormer reads all entries and what follows the last one, so that gzip's checksum is checked. tar ends with two
// blocks of zeros: without them the end is missing, even where gzip's last member is whole.
func readFormer(in io.Reader, r *archive.Report) error {
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	end := &tail{r: z}
	t := tar.NewReader(end)
	for {
		_, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("after entry %d: %w", r.Entries, err)
		}
		r.Entries++
		n, err := io.Copy(io.Discard, t)
		r.Bytes += n
		if err != nil {
			return fmt.Errorf("in entry %d: %w", r.Entries, err)
		}
	}
	if _, err := io.Copy(io.Discard, end); err != nil {
		return err
	}
	if end.last != [2 * blockSize]byte{} {
		return errors.New("the end of the tar file is missing")
	}
	return nil
}

const blockSize = 512

// tail remembers the last two blocks of what is read through it; before that many were read it holds ones.
type tail struct {
	r     io.Reader
	last  [2 * blockSize]byte
	begun bool
}

func (t *tail) Read(p []byte) (int, error) {
	if !t.begun {
		t.begun = true
		for i := range t.last {
			t.last[i] = 1
		}
	}
	n, err := t.r.Read(p)
	if n >= len(t.last) {
		copy(t.last[:], p[n-len(t.last):n])
	} else {
		copy(t.last[:], t.last[n:])
		copy(t.last[len(t.last)-n:], p[:n])
	}
	return n, err
}

// counting counts what is read and stops when the context ends.
type counting struct {
	ctx    context.Context
	r      io.Reader
	n      int64
	report func(int64)
}

func (c *counting) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.report != nil {
		c.report(int64(n))
	}
	return n, err
}
