package restore

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
)

func TestWhatTheBackupLeftOutStays(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	b.exclude = []string{"*.bak"}
	write(t, root, "a", "1", "sub/b", "2", "sub/x.bak", "kept", "logs/today", "kept", "sub/y.log", "kept", "node_modules/m", "kept", "x.tmp", "kept")
	path := b.backup(t)
	write(t, root, "a", "changed", "sub/x.bak", "newer", "later.bak", "kept", "stray", "goes")
	b.exclude = nil // the pattern is no longer in force: the manifest knows it
	_, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	for file, want := range map[string]string{
		"a": "1", "sub/b": "2", "sub/x.bak": "newer", "logs/today": "kept", "sub/y.log": "kept", "node_modules/m": "kept", "x.tmp": "kept", "later.bak": "kept",
	} {
		assert.Equal(t, read(t, root, file), want, file)
	}
	gone(t, root, "stray")
}

// A pattern that is in force now keeps its files out of the safety backup: what a restore replaces of them is set aside.
func TestWhatNoSafetyBackupHasIsSetAside(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "only.bak", "then", "a", "1")
	path := b.backup(t)
	write(t, root, "only.bak", "now", "extra.bak", "stays")
	b.exclude = []string{"*.bak"}
	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, root, "only.bak"), "then")
	assert.Equal(t, read(t, root, "extra.bak"), "stays")
	assert.Equal(t, len(res.Aside), 1)
	assert.Equal(t, read(t, res.Aside[0], "only.bak"), "now")
}

func TestWhatTheBackupCouldNotReadStays(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t, func(m *archive.Manifest) {
		m.Complete = false
		m.Problems = []archive.Problem{{Source: "data", Path: "sub/secret", Kind: "unreadable"}}
	})
	write(t, root, "a", "2", "sub/secret", "the only copy")
	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, root, "sub/secret"), "the only copy")
	assert.Equal(t, read(t, root, "a"), "1")
	assert.Assert(t, !res.Complete)
}

func TestSetAsideWhereNoSafetyBackupCanBe(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2", "extra", "3")
	req := b.request(t, path)
	req.NoSafety = "no space"
	res, err := b.restore(t, req)
	assert.NilError(t, err)
	assert.Equal(t, b.saves, 0)
	assert.DeepEqual(t, res.Aside, []string{filepath.Join(root, ".memsys-test1", "old")})
	assert.Equal(t, read(t, res.Aside[0], "a"), "2")
	assert.Equal(t, read(t, res.Aside[0], "extra"), "3")
	entries, err := os.ReadDir(filepath.Dir(res.Aside[0]))
	assert.NilError(t, err)
	assert.Equal(t, len(entries), 2, "the staging holds the entries and what they are, and nothing else any more")

	// what was set aside is no part of the source: the next restore leaves it
	req.ID, req.NoSafety = "test2", ""
	write(t, root, "a", "3")
	b2 := *b
	b2.state = b.path("state2")
	_, err = b2.restore(t, req)
	assert.NilError(t, err)
	assert.Equal(t, read(t, res.Aside[0], "a"), "2")
}

func TestIncompleteSafetyBackupSetsAside(t *testing.T) {
	b := newBed(t)
	root, other := b.source("data"), b.source("other")
	write(t, root, "a", "1")
	write(t, other, "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	write(t, other, "a", "2")
	b.saved = Saved{Name: "s", Lacking: []string{"data"}}
	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.DeepEqual(t, res.Aside, []string{filepath.Join(root, ".memsys-test1", "old")})
}

func TestNoSafetyKeepsNothing(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	req := b.request(t, path)
	req.Safety = false
	res, err := b.restore(t, req)
	assert.NilError(t, err)
	assert.Equal(t, b.saves, 0)
	assert.Equal(t, len(res.Aside), 0)
	gone(t, root, ".memsys-test1")
}

func TestSymlinkedSourceFolderIsRestoredWhereItLeads(t *testing.T) {
	b := newBed(t)
	link := b.source("data")
	real := b.path("disk", "real")
	write(t, real, "a", "1")
	assert.NilError(t, os.Symlink(real, link))
	b.sources[0].Path = real
	path := b.backup(t)
	b.sources[0].Path = link
	write(t, real, "a", "2", "b", "2")
	_, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, real, "a"), "1")
	gone(t, real, "b")
	info, err := os.Lstat(link)
	assert.NilError(t, err)
	assert.Assert(t, info.Mode()&os.ModeSymlink != 0)

	assert.NilError(t, os.RemoveAll(real))
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.DeepEqual(t, reasons(p), []Reason{Conflict}) // a link to nowhere
}

func TestFileInThePlaceOfAFolderIsRefused(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t)
	assert.NilError(t, os.RemoveAll(root))
	write(t, b.dir, "data", "a file")
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.DeepEqual(t, reasons(p), []Reason{Conflict})
}

func TestSingleFileKeepsItsInode(t *testing.T) {
	b := newBed(t)
	file := b.source("conf.yaml")
	write(t, b.dir, "conf.yaml", "before")
	path := b.backup(t)
	write(t, b.dir, "conf.yaml", "after, and longer")
	before, err := os.Stat(file)
	assert.NilError(t, err)
	_, err = b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	after, err := os.Stat(file)
	assert.NilError(t, err)
	assert.Assert(t, os.SameFile(before, after))
	assert.Equal(t, read(t, file), "before")
	gone(t, b.dir, ".memsys-test1")
}

func TestSourceInsideTheBackupsDirectory(t *testing.T) {
	b := newBed(t)
	root := b.source("backups/data")
	b.sources[0].Name = "data"
	write(t, root, "a", "1")
	path := b.backup(t)
	write(t, b.backups(), "memory_backup_20260101_000000.tar.gz", "another")
	write(t, root, "a", "2")
	_, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, root, "a"), "1")
	assert.Equal(t, read(t, b.backups(), "memory_backup_20260101_000000.tar.gz"), "another")
	_, err = os.Stat(path)
	assert.NilError(t, err)
}

func TestBackupsDirectoryThatLaterMovedIntoASourceStays(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1", "safe/old", "in the backup")
	path := b.backup(t)
	moved := root + "/safe"
	assert.NilError(t, os.RemoveAll(moved))
	write(t, moved, "memory_backup_20260101_000000.tar.gz", "precious")
	b.backupsIn = moved
	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, read(t, moved, "memory_backup_20260101_000000.tar.gz"), "precious")
	gone(t, moved, "old")
	assert.Assert(t, !res.Complete)
	assert.Assert(t, slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, "safe") }))
}

func TestEmptyBackupWarnsBeforeItEmptiesASource(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "empty/", "")
	assert.NilError(t, os.Remove(root+"/empty"))
	path := b.backup(t)
	write(t, root, "a", "1")
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Assert(t, slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "is empty in the backup") }), "%v", p.Warnings)
}

func TestUnprivilegedOwnersAreToldNotFailed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to make files of other owners")
	}
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1", "b", "2")
	assert.NilError(t, os.Chown(root+"/a", 1234, 1234))
	path := b.backup(t)
	write(t, root, "b", "changed")
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := b.runner(j)
	r.SkipOwners = true
	res, err := r.Run(t.Context(), p)
	assert.NilError(t, err)
	assert.Assert(t, !res.Complete)
	assert.Equal(t, len(res.Problems), 1)
	assert.Equal(t, res.Problems[0].Path, "a")
}

func TestSafetyBackupIsMadeWhileServicesAreStopped(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	app := b.app("app", root)
	p, err := prepare(t, b.request(t, b.backup(t)))
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := b.runner(j)
	r.Safety = func(context.Context) (Saved, error) {
		assert.Equal(t, string(b.engine.State(app)), "exited", "what a service writes after the safety backup would be in no copy")
		return b.safety(), nil
	}
	_, err = r.Run(t.Context(), p)
	assert.NilError(t, err)
}
