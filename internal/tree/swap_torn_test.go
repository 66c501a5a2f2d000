package tree

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// TestAStagingBetweenTwoStatesIsNotDiscarded: it has the only copy of what was moved aside.
func TestAStagingBetweenTwoStatesIsNotDiscarded(t *testing.T) {
	root := t.TempDir()
	staging, err := StagingPath(root, "torn")
	assert.NilError(t, err)
	for name, content := range map[string]string{
		"old/a": "former", "a": "restored", "b": "former", "new/b": "restored",
	} {
		path := filepath.Join(staging, name)
		if filepath.Dir(name) == "." {
			path = filepath.Join(root, name)
		}
		assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		assert.NilError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	s := &Swap{
		Root: RawPath(root), Staging: RawPath(staging),
		Moves: []Move{{Path: "a", Old: true, New: true}, {Path: "b", Old: true, New: true}},
	}
	err = Discard(t.Context(), s)
	assert.Assert(t, errors.Is(err, ErrTorn), "%v", err)
	data, err := os.ReadFile(filepath.Join(staging, "old", "a"))
	assert.NilError(t, err)
	assert.Equal(t, string(data), "former")
}

// TestTheTimeThatARemovalChangedIsSetAgain: whoever removed the staging may have died right after.
func TestTheTimeThatARemovalChangedIsSetAgain(t *testing.T) {
	root := t.TempDir()
	was, is := time.Unix(1600000000, 7), time.Unix(1700000000, 8)
	change := FolderChange{Path: ".", Old: attributesOf(&Entry{ModTime: was}), New: attributesOf(&Entry{ModTime: is})}
	s := &Swap{Root: RawPath(root), Folders: []FolderChange{change}}
	for want, pick := range map[time.Time]func(FolderChange) Attributes{
		was: func(c FolderChange) Attributes { return c.Old },
		is:  func(c FolderChange) Attributes { return c.New },
	} {
		assert.NilError(t, SettleTime(s, pick))
		info, err := os.Stat(root)
		assert.NilError(t, err)
		assert.Assert(t, info.ModTime().Equal(want), "%s", info.ModTime())
	}
}
