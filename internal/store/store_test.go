package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

var start = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

func newDir(t *testing.T) *Dir {
	t.Helper()
	d := Open(filepath.Join(t.TempDir(), "backups"))
	d.Location = time.UTC
	assert.NilError(t, d.Ensure())
	return d
}

// add publishes a small archive; change alters its manifest before.
func add(t *testing.T, d *Dir, now time.Time, change func(*archive.Manifest)) Backup {
	t.Helper()
	all, err := d.List(t.Context())
	assert.NilError(t, err)
	m := &archive.Manifest{
		Format: archive.FormatVersion, ID: fmt.Sprintf("%032d", NextSequence(all)), Sequence: NextSequence(all), Created: now,
		Reason: "manual", Complete: true, Project: archive.Project{Name: "notes", WorkingDir: "/srv/notes"}, Sources: []archive.Source{{Name: "data", Prefix: "data/data"}},
	}
	if change != nil {
		change(m)
	}
	path, err := d.TemporaryPath(now)
	assert.NilError(t, err)
	p, err := d.Create(path)
	assert.NilError(t, err)
	w := archive.NewWriter(p.File, archive.WriterOptions{})
	_, err = w.Add(t.Context(), "data/data", &tree.Entry{Path: ".", Kind: tree.Dir, Mode: 0o755, ModTime: now}, nil)
	assert.NilError(t, err)
	assert.NilError(t, w.AddBytes(t.Context(), "project/compose.yaml", 0o600, now, []byte("services: {}\n")))
	_, err = w.Close(t.Context(), m)
	assert.NilError(t, err)
	size, err := p.Flush()
	assert.NilError(t, err)
	report, err := archive.Verify(t.Context(), p.File, size, archive.VerifyOptions{})
	assert.NilError(t, err)
	assert.Equal(t, len(report.Damage), 0)
	b, err := p.Publish(t.Context(), now, m, report)
	assert.NilError(t, err)
	return b
}

// former writes an archive as the former script did.
func former(t *testing.T, d *Dir, name string) {
	t.Helper()
	f, err := os.Create(d.path(name))
	assert.NilError(t, err)
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	assert.NilError(t, w.WriteHeader(&tar.Header{Name: "memory-system/data/a.json", Size: 2, Mode: 0o644}))
	_, err = w.Write([]byte("{}"))
	assert.NilError(t, err)
	assert.NilError(t, errors.Join(w.Close(), z.Close(), f.Close()))
}

func latest(t *testing.T, d *Dir) string {
	t.Helper()
	b, err := d.Find(t.Context(), Latest)
	assert.NilError(t, err)
	return b.Name
}

func TestLatestIsTheNewestGoodBackup(t *testing.T) {
	d := newDir(t)
	good := add(t, d, start, nil)
	add(t, d, start.Add(time.Hour), func(m *archive.Manifest) { m.Reason = BeforeRestore })
	add(t, d, start.Add(2*time.Hour), func(m *archive.Manifest) { m.Complete = false })
	add(t, d, start.Add(3*time.Hour), func(m *archive.Manifest) { m.Project.Selected = []string{"app"} })
	unmarked := add(t, d, start.Add(4*time.Hour), nil)
	assert.NilError(t, os.Remove(unmarked.Path+sha256Suffix))
	former(t, d, "memory_backup_20261120_080000.tar.gz")
	assert.Equal(t, latest(t, d), good.Name)
}

func TestOrderIsBySequenceWhateverTheClockSays(t *testing.T) {
	d := newDir(t)
	add(t, d, start.Add(48*time.Hour), nil)
	second := add(t, d, start, nil) // the clock was set back
	assert.Equal(t, latest(t, d), second.Name)
}

// TestAFormerArchiveChangesNoOrder: by time it stands between two backups whose order is by sequence against their times.
func TestAFormerArchiveChangesNoOrder(t *testing.T) {
	first, second := Backup{Name: "1", Sequence: 1, Created: start.Add(3 * time.Hour)}, Backup{Name: "2", Sequence: 2, Created: start}
	between := Backup{Name: "between", Former: true, Created: start.Add(time.Hour)}
	for _, all := range [][]Backup{{first, second, between}, {between, first, second}, {second, between, first}, {first, between, second}} {
		var order []string
		for _, b := range Sorted(all) {
			order = append(order, b.Name)
		}
		assert.DeepEqual(t, order, []string{"between", "2", "1"})
	}
}

// TestProjectsThatShareADirectoryHaveEachTheirLatest: restore latest must not take what is another project's.
func TestProjectsThatShareADirectoryHaveEachTheirLatest(t *testing.T) {
	d := newDir(t)
	as := func(name, dir string) *Dir {
		other := *d
		other.Owner = Owner{Name: name, WorkingDir: dir}
		return &other
	}
	of := func(owner Owner) func(*archive.Manifest) {
		return func(m *archive.Manifest) { m.Project.Name, m.Project.WorkingDir = owner.Name, owner.WorkingDir }
	}
	notes, diary, copied := as("notes", "/srv/notes"), as("diary", "/srv/diary"), as("notes", "/home/copy")
	old := add(t, notes, start, of(notes.Owner))
	assert.Equal(t, latest(t, copied), old.Name, "a project that has moved finds its former backups")
	_, err := diary.Find(t.Context(), Latest)
	assert.ErrorContains(t, err, "is of project notes")
	theirs := add(t, diary, start.Add(time.Hour), of(diary.Owner))
	newest := add(t, copied, start.Add(2*time.Hour), of(copied.Owner))
	for _, record := range []bool{true, false} {
		if !record {
			assert.NilError(t, errors.Join(os.Remove(old.Path+recordSuffix), os.Remove(theirs.Path+recordSuffix)))
		}
		assert.Equal(t, latest(t, notes), old.Name)
		assert.Equal(t, latest(t, diary), theirs.Name)
		assert.Equal(t, latest(t, copied), newest.Name)
	}
	// A verification without a project leaves latest_backup.txt with the project it is of.
	_, err = d.ProveAndRecord(t.Context(), theirs, start.Add(3*time.Hour), archive.VerifyOptions{})
	assert.NilError(t, err)
	named, err := d.Find(t.Context(), LatestFile)
	assert.NilError(t, err)
	assert.Equal(t, named.Name, newest.Name)
}

func TestLatestFileFollowsTheFolder(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, nil)
	found, err := d.Find(t.Context(), filepath.Join(d.Path, LatestFile))
	assert.NilError(t, err)
	assert.Equal(t, found.Path, b.Path)
	moved := Open(filepath.Join(filepath.Dir(d.Path), "elsewhere"))
	assert.NilError(t, os.Rename(d.Path, moved.Path))
	for _, arg := range []string{LatestFile, filepath.Join(moved.Path, LatestFile)} {
		found, err = moved.Find(t.Context(), arg)
		assert.NilError(t, err)
		assert.Equal(t, found.Path, filepath.Join(moved.Path, b.Name))
	}
}

func TestBackupsAreFoundByNameIDAndPath(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, nil)
	add(t, d, start.Add(time.Hour), nil)
	for _, arg := range []string{b.Name, b.Name[:len(b.Name)-len(suffix)], b.ID, b.Path} {
		found, err := d.Find(t.Context(), arg)
		assert.NilError(t, err, arg)
		assert.Equal(t, found.Name, b.Name)
	}
	for _, arg := range []string{"memory_backup_20200101_000000.tar.gz", "nothing", d.Path + "/nothing.tar.gz"} {
		_, err := d.Find(t.Context(), arg)
		var none *NotFoundError
		assert.Assert(t, errors.As(err, &none), "%s: %v", arg, err)
	}
}

func TestAnArchiveCutShortIsDamagedInTheList(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, nil)
	assert.NilError(t, os.Truncate(b.Path, b.Size-1))
	for _, record := range []bool{true, false} {
		if !record {
			assert.NilError(t, os.Remove(b.Path+recordSuffix))
		}
		all, err := d.List(t.Context())
		assert.NilError(t, err)
		assert.Equal(t, all[0].State, Damaged, "with record: %v: %s", record, all[0].Why)
	}
}

func TestVerificationMarksAndUnmarks(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, nil)
	assert.NilError(t, errors.Join(os.Remove(b.Path+sha256Suffix), os.Remove(b.Path+recordSuffix), os.Remove(d.path(LatestFile))))
	b, err := d.Find(t.Context(), b.Name)
	assert.NilError(t, err)
	assert.Equal(t, b.State, Unverified)
	p, err := d.ProveAndRecord(t.Context(), b, start, archive.VerifyOptions{})
	assert.NilError(t, err)
	assert.Assert(t, p.Sound() && !p.Summed)
	assert.Equal(t, latest(t, d), b.Name)

	flip(t, b.Path, 4) // a time in a gzip header: no checksum of gzip covers it
	p, err = d.ProveAndRecord(t.Context(), b, start.Add(time.Hour), archive.VerifyOptions{})
	assert.NilError(t, err)
	assert.Assert(t, !p.Sound() && p.Summed)
	b, err = d.Find(t.Context(), b.Name)
	assert.NilError(t, err)
	assert.Equal(t, b.State, Damaged)
	_, err = d.Find(t.Context(), Latest)
	assert.ErrorContains(t, err, "the only archive, memory_backup_20261120_020000.tar.gz, is damaged")
	_, err = os.Stat(d.path(LatestFile))
	assert.Assert(t, errors.Is(err, os.ErrNotExist), "latest_backup.txt names a damaged archive")
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	assert.NilError(t, err)
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	assert.NilError(t, err)
	b[0] ^= 1
	_, err = f.WriteAt(b[:], at)
	assert.NilError(t, err)
}

func TestFormerArchivesAreListedAndVerified(t *testing.T) {
	d := newDir(t)
	const name = "memory_backup_20240101_120000.tar.gz"
	former(t, d, name)
	b, err := d.Find(t.Context(), name)
	assert.NilError(t, err)
	assert.Assert(t, b.Former)
	assert.Equal(t, b.Created, time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC))
	p, err := d.Prove(t.Context(), b, archive.VerifyOptions{})
	assert.NilError(t, err)
	assert.Assert(t, p.Sound())
	assert.Equal(t, p.Report.Entries, int64(1))
	_, err = d.ProveAndRecord(t.Context(), b, start, archive.VerifyOptions{})
	assert.NilError(t, err)
	b, err = d.Find(t.Context(), name)
	assert.NilError(t, err)
	assert.Equal(t, b.State, Verified)
	assert.Assert(t, !b.Good(), "what a former archive holds is not known to be complete")

	assert.NilError(t, os.Truncate(b.Path, b.Size-10))
	p, err = d.Prove(t.Context(), b, archive.VerifyOptions{})
	assert.NilError(t, err)
	assert.Assert(t, !p.Sound())
}

func TestAnArchiveCutBetweenTwoMembersIsNoSoundTar(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, nil)
	assert.NilError(t, errors.Join(os.Remove(b.Path+sha256Suffix), os.Remove(b.Path+recordSuffix)))
	data, err := os.ReadFile(b.Path)
	assert.NilError(t, err)
	second := bytes.Index(data[1:], data[:4]) + 1
	assert.Assert(t, second > 0)
	assert.NilError(t, os.Truncate(b.Path, int64(second)))
	b, err = d.Find(t.Context(), b.Name)
	assert.NilError(t, err)
	p, err := d.Prove(t.Context(), b, archive.VerifyOptions{})
	assert.NilError(t, err)
	assert.Equal(t, len(p.Damage), 1)
	assert.ErrorContains(t, errors.New(p.Damage[0]), "the end of the tar file is missing")
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	d := newDir(t)
	for _, name := range []string{"notes.txt", "memory_backup.tar.gz", ".memory_backup_20240101_120000.tar.gz.tmp-0"} {
		assert.NilError(t, os.WriteFile(d.path(name), []byte("x"), 0o600))
	}
	assert.NilError(t, os.Mkdir(d.path("memory_backup_20240101_120000.tar.gz"), 0o700))
	all, err := d.List(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, len(all), 0)
}

// TestAnArchiveThatCannotBeToldAboutHidesNoOther: a bad block, or files of another user, must not stop every backup.
func TestAnArchiveThatCannotBeToldAboutHidesNoOther(t *testing.T) {
	for _, ending := range []string{recordSuffix, sha256Suffix} {
		d := newDir(t)
		good, bad := add(t, d, start, nil), add(t, d, start.Add(time.Hour), nil)
		assert.NilError(t, os.Remove(bad.Path+ending))
		assert.NilError(t, os.Mkdir(bad.Path+ending, 0o700)) // reading it is an error
		all, err := d.List(t.Context())
		assert.NilError(t, err)
		assert.Equal(t, len(all), 2)
		b, err := d.Find(t.Context(), bad.Name)
		assert.NilError(t, err)
		assert.Equal(t, b.State, Unverified)
		assert.Assert(t, b.Why != "")
		assert.Equal(t, latest(t, d), good.Name)
	}
}

func TestAnArchiveThatThisUserMayNotReadIsListedWithTheReason(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, nil)
	assert.NilError(t, os.Chmod(d.Path, 0o755))
	for _, name := range []string{b.Name + recordSuffix, b.Name} {
		assert.NilError(t, os.Chmod(filepath.Join(d.Path, name), 0))
	}
	for _, want := range []string{b.Name + recordSuffix, b.Name} {
		var all []Backup
		var err error
		treetest.WithoutRights(t, filepath.Dir(d.Path), func() { all, err = d.List(t.Context()) })
		assert.NilError(t, err)
		assert.Equal(t, len(all), 1)
		assert.Equal(t, all[0].State, Unverified)
		assert.Equal(t, all[0].ID, "")
		assert.Equal(t, all[0].Why, "this user may not read "+want)
		assert.NilError(t, os.RemoveAll(filepath.Join(d.Path, b.Name+recordSuffix)))
	}
}

func TestASumOfAnotherFileIsNoCommitMark(t *testing.T) {
	d := newDir(t)
	good, renamed := add(t, d, start, nil), add(t, d, start.Add(time.Hour), nil)
	sum, err := os.ReadFile(good.Path + sha256Suffix)
	assert.NilError(t, err)
	assert.NilError(t, os.WriteFile(renamed.Path+sha256Suffix, sum, 0o600))
	b, err := d.Find(t.Context(), renamed.Name)
	assert.NilError(t, err)
	assert.Equal(t, b.State, Unverified)
}

func TestAMissingDirectoryIsEmpty(t *testing.T) {
	all, err := Open(filepath.Join(t.TempDir(), "none")).List(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, len(all), 0)
}

func TestSumsAreThoseOfTheTools(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, nil)
	data, err := os.ReadFile(b.Path + sha256Suffix)
	assert.NilError(t, err)
	sum, err := d.SHA256(b.Name)
	assert.NilError(t, err)
	assert.Equal(t, string(data), sum+"  "+b.Name+"\n")
	info, err := os.Stat(b.Path)
	assert.NilError(t, err)
	assert.Equal(t, info.Mode().Perm(), os.FileMode(0o600))
}

// TestAnArchiveOfOursThatWasCutIsNoFormerOne: its record tells that it had a manifest.
func TestAnArchiveOfOursThatWasCutIsNoFormerOne(t *testing.T) {
	d := newDir(t)
	b := add(t, d, start, nil)
	for _, size := range []int64{b.Size - 1, b.Size / 2, 1, 0} {
		assert.NilError(t, os.Truncate(b.Path, size))
		cut, err := d.Find(t.Context(), b.Name)
		assert.NilError(t, err)
		assert.Equal(t, cut.State, Damaged)
		assert.Assert(t, !cut.Former)
		assert.ErrorContains(t, errors.New(cut.Why), "cut short")
	}
}

func TestWhatWasHalfWrittenBesideAnArchiveIsRemoved(t *testing.T) {
	d := newDir(t)
	add(t, d, start, nil)
	temporary, err := d.TemporaryPath(start)
	assert.NilError(t, err)
	others, err := d.TemporaryPath(start)
	assert.NilError(t, err)
	stay := []string{filepath.Base(others), ".memory_backup_20200101_000000.tar.gz.sha256.tmp-1", ".notes.txt.tmp-1"}
	half := []string{
		".memory_backup_20261120_020000.tar.gz.sha256.tmp-1", ".memory_backup_20261120_020000_2.tar.gz.md5.tmp-1",
		".memory_backup_20261120_020000.tar.gz.json.tmp-1", ".latest_backup.txt.tmp-1",
	}
	for _, name := range append(stay, half...) {
		assert.NilError(t, os.WriteFile(d.path(name), nil, 0o600))
	}
	before, err := os.ReadDir(d.Path)
	assert.NilError(t, err)
	assert.NilError(t, RemoveHalfWritten(temporary))
	after, err := os.ReadDir(d.Path)
	assert.NilError(t, err)
	assert.Equal(t, len(after), len(before)-len(half))
	for _, name := range half {
		_, err := os.Lstat(d.path(name))
		assert.ErrorIs(t, err, os.ErrNotExist, name)
	}
	assert.NilError(t, RemoveHalfWritten(filepath.Join(d.Path, "gone", filepath.Base(temporary))))
}
