package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
)

// Proven is what a verification of a stored archive came to.
type Proven struct {
	Backup Backup
	Report *archive.Report
	// Damage are all findings in words, worst first; empty for a sound archive.
	Damage []string
	// Summed tells that the sum in the commit mark was there and compared.
	Summed bool
}

// Sound tells whether every byte is as it was written.
func (p Proven) Sound() bool { return len(p.Damage) == 0 }

// Prove reads every byte of a stored archive and checks it against the archive's own digests and the sums beside it.
// An error means that it could not be read to the end; damage is not an error.
func (d *Dir) Prove(ctx context.Context, b Backup, o archive.VerifyOptions) (Proven, error) {
	p := Proven{Backup: b}
	f, err := os.Open(b.Path)
	if err != nil {
		return p, fmt.Errorf("verify %s: %w", b.Name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return p, fmt.Errorf("verify %s: %w", b.Name, err)
	}
	p.Report, err = archive.Verify(ctx, f, info.Size(), o)
	if errors.Is(err, archive.ErrNotOurs) {
		p.Backup.Former = true
		p.Report, err = verifyFormer(ctx, f, o)
	}
	if err != nil {
		return p, fmt.Errorf("verify %s: %w", b.Name, err)
	}
	want, err := d.SHA256(b.Name)
	if err != nil {
		return p, err
	}
	p.Summed = want != ""
	p.Damage = words(p.Report, want)
	return p, nil
}

// words lists what is wrong. A sum that differs though no place is found means a flip where gzip does not look.
func words(r *archive.Report, want string) []string {
	var out []string
	for _, d := range r.Damage {
		at := d.Path
		if at == "" {
			at = "archive"
		}
		out = append(out, fmt.Sprintf("%s: %s (byte %d)", at, d.Reason, d.Offset))
	}
	if want != "" && !strings.EqualFold(want, r.SHA256) {
		out = append(out, fmt.Sprintf("the file's SHA-256 is %s, its checksum file says %s", r.SHA256, want))
	}
	return out
}

// ProveAndRecord proves a backup and keeps the result beside it, unless the file is a stranger: neither its name nor its
// content says that it is a backup. A folder that cannot be written, or is full, is not an error: the result stands all the same.
func (d *Dir) ProveAndRecord(ctx context.Context, b Backup, now time.Time, o archive.VerifyOptions) (Proven, error) {
	p, err := d.Prove(ctx, b, o)
	if err != nil {
		return p, err
	}
	if d.stranger(p) {
		return p, nil
	}
	if err := d.RecordVerify(ctx, p.Backup, now, p.Report, p.Damage); err != nil && !errors.Is(err, os.ErrPermission) && !readOnly(err) && !full(err) {
		return p, err
	}
	return p, nil
}

// stranger tells whether nothing says that a file is a backup.
func (d *Dir) stranger(p Proven) bool {
	_, named := ParseName(p.Backup.Name, d.location())
	ours := !p.Backup.Former && p.Sound()
	return !named && !ours && !p.Summed
}
