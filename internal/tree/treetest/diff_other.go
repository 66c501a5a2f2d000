//go:build !linux

package treetest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Diff compares two trees as far as the standard library sees them, and says what differs. Nothing of the package tree is used.
func Diff(a, b string) (found []string) {
	rels := map[string]bool{}
	for _, root := range []string{a, b} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(root, path)
			rels[rel] = true
			return err
		})
		if err != nil {
			found = append(found, err.Error())
		}
	}
	for rel := range rels {
		if text := diffEntry(filepath.Join(a, rel), filepath.Join(b, rel)); text != "" {
			found = append(found, fmt.Sprintf("%q: %s", rel, text))
		}
	}
	return found
}

func diffEntry(a, b string) string {
	ia, errA := os.Lstat(a)
	ib, errB := os.Lstat(b)
	if errA != nil || errB != nil {
		return fmt.Sprintf("%v, then %v", errA, errB)
	}
	if ia.Mode() != ib.Mode() {
		return fmt.Sprintf("mode %v, then %v", ia.Mode(), ib.Mode())
	}
	if ia.Mode()&fs.ModeSymlink != 0 {
		ta, _ := os.Readlink(a)
		tb, _ := os.Readlink(b)
		if ta != tb {
			return fmt.Sprintf("link to %q, then %q", ta, tb)
		}
	}
	if !ia.Mode().IsRegular() {
		return ""
	}
	ca, errA := os.ReadFile(a)
	cb, errB := os.ReadFile(b)
	if errA != nil || errB != nil || !bytes.Equal(ca, cb) || !ia.ModTime().Equal(ib.ModTime()) {
		return fmt.Sprintf("content or time differs (%v, %v)", errA, errB)
	}
	return ""
}
