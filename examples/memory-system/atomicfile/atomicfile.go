// Package atomicfile writes files that appear under their name only when they are complete.
package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Suffix ends the name of every temporary file; one that is left over belongs to a write that was cut short.
const Suffix = ".tmp"

// Writer writes whole files; the zero value does not wait for the disk.
type Writer struct {
	// Durable makes every write survive a power cut: the file and its folder are synced.
	Durable bool
}

// Write replaces the file at path by data, or leaves it as it was.
func (w Writer) Write(path string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+Suffix)
	if err != nil {
		return fmt.Errorf("create temporary file for %s: %w", path, err)
	}
	if err := w.finish(temp, path, data); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), temp.Close(), os.Remove(temp.Name()))
	}
	if w.Durable {
		return SyncDir(filepath.Dir(path))
	}
	return nil
}

func (w Writer) finish(temp *os.File, path string, data []byte) error {
	if _, err := temp.Write(data); err != nil {
		return err
	}
	if err := temp.Chmod(0o640); err != nil && runtime.GOOS != "windows" {
		return err
	}
	if w.Durable {
		if err := temp.Sync(); err != nil {
			return err
		}
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// Remove deletes the file at path; with Durable the deletion survives a power cut.
func (w Writer) Remove(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	if w.Durable {
		return SyncDir(filepath.Dir(path))
	}
	return nil
}

// SyncDir makes the names in a folder survive a power cut. Windows has no such call and needs none.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Clean removes the temporary files that writes cut short have left in a folder.
func Clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read folder %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), Suffix) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("remove leftover: %w", err)
			}
		}
	}
	return nil
}
