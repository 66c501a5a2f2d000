package tree_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
	"gotest.tools/v3/assert"
)

// planted is a fault in a restored tree, and the fields that Compare has to name for its path.
type planted struct {
	path, fields string
	fault        func(path string) error
}

func faults() []planted {
	all := []planted{
		{"d/content", "content", func(p string) error { return keepTime(p, func() error { return flip(p, 3_000_000) }) }},
		{"d/size", "mtime,size", func(p string) error { return os.WriteFile(p, []byte("longer than it was"), 0o644) }},
		{"d/missing", "missing", os.Remove},
		{"d/extra", "extra", func(p string) error { return os.WriteFile(p, nil, 0o644) }},
		{"d/kind", "kind", func(p string) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.Mkdir(p, 0o755)
		}},
		{"d/time", "mtime", func(p string) error { return os.Chtimes(p, time.Time{}, time.Unix(1, 1)) }},
	}
	if runtime.GOOS == "windows" {
		return all
	}
	all = append(all,
		planted{"d/mode", "mode", func(p string) error { return os.Chmod(p, 0o4644&os.ModePerm|os.ModeSetuid) }},
		planted{"d/link", "link,mtime", func(p string) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.Symlink("elsewhere", p)
		}})
	if asRoot() {
		all = append(all, planted{"d/owner", "owner", func(p string) error { return os.Chown(p, 0, 77) }})
	}
	return all
}

func keepTime(path string, f func() error) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return os.Chtimes(path, time.Time{}, info.ModTime())
}

func flip(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return err
	}
	b[0] ^= 1
	_, err = f.WriteAt(b[:], at)
	return err
}

func TestCompareNamesEveryPlantedFault(t *testing.T) {
	for _, p := range faults() {
		from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
		touch(t, from, "d/size", "d/missing", "d/kind", "d/time", "d/mode", "d/owner", "z")
		assert.NilError(t, os.WriteFile(filepath.Join(from, "d/content"), []byte(strings.Repeat("c", 4_000_000)), 0o644))
		assert.NilError(t, os.Symlink("target", filepath.Join(from, "d/link")))
		all, _ := copyTree(t, from, to, tree.WalkOptions{}, tree.WriteOptions{})
		folder, err := os.Stat(filepath.Join(to, "d"))
		assert.NilError(t, err)
		assert.NilError(t, p.fault(filepath.Join(to, p.path)), p.path)
		assert.NilError(t, os.Chtimes(filepath.Join(to, "d"), time.Time{}, folder.ModTime()))
		found, err := tree.Compare(t.Context(), to, sequence(all), tree.CompareOptions{Content: true})
		assert.NilError(t, err)
		var fields []string
		for _, d := range found {
			assert.Equal(t, d.Path, p.path, d.String())
			fields = append(fields, d.Field)
		}
		slices.Sort(fields)
		assert.Equal(t, strings.Join(fields, ","), p.fields, "%s: %v", p.path, found)
	}
}

func TestCompareLeavesOutWhatRulesKeep(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	touch(t, from, "a", "b/c")
	all, _ := copyTree(t, from, to, tree.WalkOptions{}, tree.WriteOptions{})
	folder, err := os.Stat(filepath.Join(to, "b"))
	assert.NilError(t, err)
	touch(t, to, "b/live.log")
	assert.NilError(t, os.Chtimes(filepath.Join(to, "b"), time.Time{}, folder.ModTime()))
	rules, err := tree.NewRules(tree.RuleOptions{Defaults: true})
	assert.NilError(t, err)
	found, err := tree.Compare(t.Context(), to, sequence(all), tree.CompareOptions{Content: true, Skip: rules.Skip(to)})
	assert.NilError(t, err)
	assert.Equal(t, len(found), 0, "%v", found)
}

func TestCompareRefusesAnotherOrder(t *testing.T) {
	from := t.TempDir()
	touch(t, from, "a", "b")
	all, _ := copyTree(t, from, filepath.Join(t.TempDir(), "to"), tree.WalkOptions{}, tree.WriteOptions{})
	all[1], all[2] = all[2], all[1]
	_, err := tree.Compare(t.Context(), from, sequence(all), tree.CompareOptions{})
	assert.ErrorContains(t, err, "comes after")
}

func TestCompareEndsWithItsContext(t *testing.T) {
	from := t.TempDir()
	touch(t, from, "a", "b")
	all, _ := copyTree(t, from, filepath.Join(t.TempDir(), "to"), tree.WalkOptions{}, tree.WriteOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := tree.Compare(ctx, from, sequence(all), tree.CompareOptions{Content: true})
	assert.ErrorIs(t, err, context.Canceled)
}
