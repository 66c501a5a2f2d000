package treetest

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Diff compares two trees in everything that a file system keeps but access and change times, and says what differs. Nothing
// of the package tree is used.
func Diff(a, b string) []string {
	d := &differ{seenA: map[[2]uint64]string{}, seenB: map[[2]uint64]string{}}
	d.entry(a, b, ".")
	return d.found
}

type differ struct {
	found        []string
	seenA, seenB map[[2]uint64]string
}

func (d *differ) add(rel, format string, args ...any) {
	d.found = append(d.found, fmt.Sprintf("%q: ", rel)+fmt.Sprintf(format, args...))
}

// entry compares one entry; a and b are paths that stay short, through /proc/self/fd.
func (d *differ) entry(a, b, rel string) {
	var sa, sb unix.Stat_t
	if err := unix.Lstat(a, &sa); err != nil {
		d.add(rel, "first: %v", err)
		return
	}
	if err := unix.Lstat(b, &sb); err != nil {
		d.add(rel, "second: %v", err)
		return
	}
	if sa.Mode != sb.Mode {
		d.add(rel, "mode %o, then %o", sa.Mode, sb.Mode)
	}
	if sa.Uid != sb.Uid || sa.Gid != sb.Gid {
		d.add(rel, "owner %d:%d, then %d:%d", sa.Uid, sa.Gid, sb.Uid, sb.Gid)
	}
	if sa.Mtim != sb.Mtim {
		d.add(rel, "time %v, then %v", sa.Mtim, sb.Mtim)
	}
	if sa.Rdev != sb.Rdev {
		d.add(rel, "device %x, then %x", sa.Rdev, sb.Rdev)
	}
	if xa, xb := attributes(a), attributes(b); xa != xb {
		d.add(rel, "attributes %s, then %s", xa, xb)
	}
	d.names(&sa, &sb, rel)
	if sa.Mode&unix.S_IFMT != sb.Mode&unix.S_IFMT {
		return
	}
	switch sa.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		d.folder(a, b, rel)
	case unix.S_IFLNK:
		ta, _ := os.Readlink(a)
		tb, _ := os.Readlink(b)
		if ta != tb {
			d.add(rel, "link to %q, then %q", ta, tb)
		}
	case unix.S_IFREG:
		if sa.Size != sb.Size {
			d.add(rel, "size %d, then %d", sa.Size, sb.Size)
			return
		}
		d.content(a, b, rel)
	}
}

// names compares which names belong to one file.
func (d *differ) names(sa, sb *unix.Stat_t, rel string) {
	if sa.Mode&unix.S_IFMT == unix.S_IFDIR {
		return
	}
	first := func(seen map[[2]uint64]string, st *unix.Stat_t) string {
		id := [2]uint64{st.Dev, st.Ino}
		if seen[id] == "" {
			seen[id] = rel
		}
		return seen[id]
	}
	if fa, fb := first(d.seenA, sa), first(d.seenB, sb); fa != fb {
		d.add(rel, "the same file as %q, then %q", fa, fb)
	}
	if sa.Nlink != sb.Nlink {
		d.add(rel, "%d names, then %d", sa.Nlink, sb.Nlink)
	}
}

func (d *differ) folder(a, b, rel string) {
	fa, err := os.Open(a)
	if err != nil {
		d.add(rel, "first: %v", err)
		return
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		d.add(rel, "second: %v", err)
		return
	}
	defer fb.Close()
	na, errA := fa.Readdirnames(-1)
	nb, errB := fb.Readdirnames(-1)
	if errA != nil || errB != nil {
		d.add(rel, "list: %v, %v", errA, errB)
	}
	all := append(slices.Clone(na), nb...)
	slices.Sort(all)
	for _, name := range slices.Compact(all) {
		pa := fmt.Sprintf("/proc/self/fd/%d/%s", fa.Fd(), name)
		pb := fmt.Sprintf("/proc/self/fd/%d/%s", fb.Fd(), name)
		d.entry(pa, pb, path.Join(rel, name))
	}
}

func attributes(p string) string {
	if n, err := unix.Llistxattr(p, nil); err != nil || n == 0 {
		return ""
	}
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(p, buf)
	if err != nil {
		return err.Error()
	}
	names := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(p, name, value)
		fmt.Fprintf(&text, "%s=%x (%v) ", name, value[:max(n, 0)], err)
	}
	return text.String()
}

// content compares where data is, and the data.
func (d *differ) content(a, b, rel string) {
	fa, err := os.Open(a)
	if err != nil {
		d.add(rel, "first: %v", err)
		return
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		d.add(rel, "second: %v", err)
		return
	}
	defer fb.Close()
	da, db := dataRanges(fa), dataRanges(fb)
	if !slices.Equal(da, db) {
		d.add(rel, "data at %v, then %v", da, db)
	}
	for _, r := range da {
		if at := unequal(fa, fb, r[0], r[1]); at >= 0 {
			d.add(rel, "content differs near %d", at)
			return
		}
	}
}

func dataRanges(f *os.File) (ranges [][2]int64) {
	end := int64(0)
	for {
		start, err := f.Seek(end, unix.SEEK_DATA)
		if err != nil {
			return ranges
		}
		if end, err = f.Seek(start, unix.SEEK_HOLE); err != nil {
			return ranges
		}
		ranges = append(ranges, [2]int64{start, end})
	}
}

func unequal(a, b *os.File, from, to int64) int64 {
	size := min(to-from, 1<<20)
	ba, bb := make([]byte, size), make([]byte, size)
	for from < to {
		n := min(to-from, int64(len(ba)))
		na, _ := a.ReadAt(ba[:n], from)
		nb, _ := b.ReadAt(bb[:n], from)
		if na != nb || na == 0 || !bytes.Equal(ba[:na], bb[:nb]) {
			return from
		}
		from += int64(na)
	}
	return -1
}
