package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

func open(t *testing.T, dir string) (*State, *Journal) {
	t.Helper()
	s, err := Open(dir, "My Project /srv/app")
	assert.NilError(t, err)
	j, err := s.Journal(time.Now)
	assert.NilError(t, err)
	t.Cleanup(func() { j.Close() })
	return s, j
}

func TestStepsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	_, j := open(t, dir)
	assert.NilError(t, j.Begin("restore", map[string]string{"archive": "a.tar.gz"}))
	assert.NilError(t, j.Step("stage", map[string]int{"files": 3}))
	assert.NilError(t, j.Step("swap", nil))
	for _, look := range []func() (*Interrupted, error){
		View(dir, "My Project /srv/app").Pending, func() (*Interrupted, error) { _, j := open(t, dir); return j.Pending() },
	} {
		p, err := look()
		assert.NilError(t, err)
		assert.Equal(t, p.Op, "restore")
		assert.Equal(t, string(p.Details), `{"archive":"a.tar.gz"}`)
		assert.Equal(t, len(p.Steps), 2)
		assert.Equal(t, p.Steps[0].Name+string(p.Steps[0].Data), `stage{"files":3}`)
		assert.Assert(t, !p.Steps[1].Time.IsZero() && !p.Began.IsZero())
	}
}

func TestAnInterruptedOperationMustBeEndedBeforeTheNextBegins(t *testing.T) {
	dir := t.TempDir()
	_, j := open(t, dir)
	assert.ErrorIs(t, j.Step("pause", nil), ErrNotBegun)
	assert.NilError(t, j.Begin("backup", nil))
	assert.ErrorIs(t, j.Begin("backup", nil), ErrPending)
	_, after := open(t, dir)
	assert.ErrorIs(t, after.Begin("backup", nil), ErrPending)
	assert.NilError(t, after.Step("resume", nil))
	assert.NilError(t, after.End("recovered"))
	assert.ErrorIs(t, after.Step("late", nil), ErrNotBegun)
	p, err := after.Pending()
	assert.NilError(t, err)
	assert.Assert(t, p == nil)
	assert.NilError(t, after.Begin("backup", nil))
}

func TestRemainsOfEarlierOperationsAreNeverRead(t *testing.T) {
	dir := t.TempDir()
	_, j := open(t, dir)
	assert.NilError(t, j.Begin("first", nil))
	for range 20 {
		assert.NilError(t, j.Step("step", "first"))
	}
	assert.NilError(t, j.End("done"))
	for n := range 20 { // same lengths, so that old records lie where new ones would
		assert.NilError(t, j.Begin("other", nil))
		for range n {
			assert.NilError(t, j.Step("step", "other"))
		}
		p, err := View(dir, "My Project /srv/app").Pending()
		assert.NilError(t, err)
		assert.Equal(t, p.Op, "other")
		assert.Equal(t, len(p.Steps), n)
		assert.NilError(t, j.End("done"))
	}
}

// A crash tears the record that is being written at any byte: the records before it stand.
func TestAJournalTornAtAnyByteKeepsWhatWasRecordedBefore(t *testing.T) {
	dir := t.TempDir()
	s, j := open(t, dir)
	path := filepath.Join(s.Dir(), "journal")
	ends := []int64{j.file.next}
	read := func() []byte {
		data, err := os.ReadFile(path)
		assert.NilError(t, err)
		return data[:4096] // all that is written here
	}
	images := [][]byte{read()}
	for _, write := range []func() error{
		func() error { return j.Begin("backup", "details") },
		func() error { return j.Step("one", 1) },
		func() error { return j.Step("two", 2) },
		func() error { return j.End("done") },
	} {
		assert.NilError(t, write())
		ends = append(ends, j.file.next)
		images = append(images, read())
	}
	for n := 1; n < len(ends); n++ {
		for cut := ends[n-1]; cut <= ends[n]; cut++ {
			torn := bytes.Clone(images[n-1])
			copy(torn[:cut], images[n])
			want := n - 1
			if bytes.Equal(torn, images[n]) {
				want = n
			}
			assert.Equal(t, len(scan(torn).entries), want, "record %d cut at byte %d", n, cut)
		}
		for at := ends[n-1]; at < ends[n]; at++ {
			flipped := bytes.Clone(images[n])
			flipped[at] ^= 0x40
			assert.Equal(t, len(scan(flipped).entries), n-1, "record %d, byte %d", n, at)
		}
	}
}

func TestAfterATornRecordTheJournalGoesOn(t *testing.T) {
	dir := t.TempDir()
	s, j := open(t, dir)
	assert.NilError(t, j.Begin("backup", nil))
	end := j.file.next
	assert.NilError(t, j.Step("torn", strings.Repeat("x", 100)))
	f, err := os.OpenFile(filepath.Join(s.Dir(), "journal"), os.O_WRONLY, 0)
	assert.NilError(t, err)
	_, err = f.WriteAt(make([]byte, 50), end+30)
	assert.NilError(t, err)
	assert.NilError(t, f.Close())
	_, again := open(t, dir)
	assert.NilError(t, again.Step("next", nil))
	p, err := s.Pending()
	assert.NilError(t, err)
	assert.Equal(t, len(p.Steps), 1)
	assert.Equal(t, p.Steps[0].Name, "next")
}

func TestAFullJournalRefusesTheStepAndCanStillEnd(t *testing.T) {
	dir := t.TempDir()
	s, j := open(t, dir)
	before, err := os.Stat(filepath.Join(s.Dir(), "journal"))
	assert.NilError(t, err)
	assert.NilError(t, j.Begin("restore", nil))
	steps := 0
	for _, size := range []int{1 << 18, 1 << 12, 1 << 6, 0} { // down to the last byte that a step may have
		for ; ; steps++ {
			if err = j.Step("swap", strings.Repeat("x", size)); err != nil {
				break
			}
		}
		assert.ErrorIs(t, err, ErrFull)
	}
	p, err := s.Pending()
	assert.NilError(t, err)
	assert.Equal(t, len(p.Steps), steps)
	assert.NilError(t, j.End("done"))
	after, err := os.Stat(filepath.Join(s.Dir(), "journal"))
	assert.NilError(t, err)
	assert.Equal(t, after.Size(), before.Size())
}

func TestAFileThatIsNoJournalIsNeverTakenForAnEmptyOne(t *testing.T) {
	dir := t.TempDir()
	s, j := open(t, dir)
	assert.NilError(t, j.Begin("restore", nil))
	assert.NilError(t, os.WriteFile(filepath.Join(s.Dir(), "journal"), []byte("rubbish"), 0o600))
	_, err := s.Pending()
	assert.ErrorIs(t, err, ErrDamaged)
	_, err = s.Journal(time.Now)
	assert.ErrorIs(t, err, ErrDamaged)
}

func TestReadingAStateThatIsNotThereMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	p, err := View(dir, "x").Pending()
	assert.NilError(t, err)
	assert.Assert(t, p == nil)
	h, err := View(dir, "x").Holder()
	assert.NilError(t, err)
	assert.Assert(t, h == nil)
	_, err = os.Stat(dir)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestTheStateFolderIsFoundWhereTheUserWantsIt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths of Unix")
	}
	for _, c := range []struct {
		env  map[string]string
		uid  int
		home string
		want string
	}{
		{map[string]string{}, 1000, "/home/me", "/home/me/.local/state/docker-memsys"},
		{map[string]string{"XDG_STATE_HOME": "/state"}, 1000, "/home/me", "/state/docker-memsys"},
		{map[string]string{"XDG_STATE_HOME": "relative"}, 1000, "/home/me", "/home/me/.local/state/docker-memsys"},
		{map[string]string{"XDG_STATE_HOME": "/state"}, 0, "/root", "/var/lib/docker-memsys"},
		{map[string]string{"MEMSYS_STATE_DIR": "/own", "XDG_STATE_HOME": "/state"}, 0, "/root", "/own"},
	} {
		got, err := StateDir(func(k string) string { return c.env[k] }, c.uid, c.home)
		assert.NilError(t, err)
		assert.Equal(t, got, c.want)
	}
	_, err := StateDir(func(string) string { return "" }, 1000, "")
	assert.ErrorContains(t, err, "MEMSYS_STATE_DIR")
}

func TestKeysAreSafeAndDistinct(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"", "a", "A", "a b", "a_b", "../..", "ä", strings.Repeat("x", 300), strings.Repeat("x", 301)} {
		k := Key(id)
		assert.Assert(t, len(k) < 64 && strings.Trim(k, "abcdefghijklmnopqrstuvwxyz0123456789_-") == "", k)
		assert.Equal(t, seen[k], "")
		seen[k] = "used"
	}
}

func TestWhatDiedWhileItMadeTheJournalIsNoHindranceAndGoes(t *testing.T) {
	s, err := Open(t.TempDir(), "p")
	assert.NilError(t, err)
	left := filepath.Join(s.Dir(), ".journal.tmp")
	assert.NilError(t, os.WriteFile(left, bytes.Repeat([]byte("x"), fileSize+1), 0o600))
	j, err := s.Journal(time.Now)
	assert.NilError(t, err)
	assert.NilError(t, j.Begin("backup", nil))
	assert.NilError(t, j.Close())
	_, err = os.Lstat(left)
	assert.ErrorIs(t, err, os.ErrNotExist)
}
