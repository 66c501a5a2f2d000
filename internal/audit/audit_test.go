package audit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// newLog is a log in a folder of its own, with heads in another.
func newLog(t *testing.T) *Log {
	t.Helper()
	logs := 0
	return &Log{Dir: t.TempDir(), State: t.TempDir(), NewID: func() (string, error) { logs++; return fmt.Sprint("log", logs), nil }}
}

// at is a moment.
func at(n int) time.Time { return time.Date(2026, 11, 23, 5, 0, n, 0, time.UTC) }

func entry(n int) Entry {
	return Entry{
		Operation: "backup", Began: at(n), Ended: at(n + 1), Result: Done, Who: Who{User: "root", Host: "h"},
		Arguments: map[string]any{"note": fmt.Sprintf("<%d> \u2028 \"prev\":\"x\"", n)},
		Project:   Project{Name: "notes"}, Archives: []Archive{{Made, fmt.Sprintf("a%d.tar.gz", n), strings.Repeat("ab", 32)}},
	}
}

// add appends records.
func add(t *testing.T, l *Log, from, to int) Appended {
	t.Helper()
	var last Appended
	for n := from; n <= to; n++ {
		var err error
		last, err = l.Append(t.Context(), entry(n))
		assert.NilError(t, err)
	}
	return last
}

func verify(t *testing.T, l *Log, anchors ...Anchor) *Report {
	t.Helper()
	r, err := l.Verify(t.Context(), anchors)
	assert.NilError(t, err)
	return r
}

func sound(t *testing.T, l *Log, records int) *Report {
	t.Helper()
	r := verify(t, l)
	assert.Equal(t, len(r.Damage), 0, "%v", r.Damage)
	assert.Equal(t, r.Records, records)
	return r
}

func content(t *testing.T, l *Log, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(l.path(name))
	assert.NilError(t, err)
	return data
}

func put(t *testing.T, l *Log, name string, data []byte) {
	t.Helper()
	assert.NilError(t, os.WriteFile(l.path(name), data, 0o600))
}

func TestEachRecordIsBoundToTheOneBefore(t *testing.T) {
	l := newLog(t)
	last := add(t, l, 1, 5)
	r := sound(t, l, 5)
	assert.Equal(t, r.Head, last.Head())
	all, err := l.List()
	assert.NilError(t, err)
	assert.Equal(t, all[0].Prev, zero)
	for i, rec := range all {
		assert.Equal(t, rec.Sequence, int64(i+1))
		assert.Equal(t, rec.Archives[0].Name, fmt.Sprintf("a%d.tar.gz", i+1))
		assert.Assert(t, i == 0 || rec.Prev == all[i-1].Hash)
	}
}

func TestEveryChangedByteIsFoundWithItsFileAndLine(t *testing.T) {
	l := newLog(t)
	add(t, l, 1, 3)
	whole := content(t, l, FileName)
	for i := range whole {
		for _, flip := range []byte{0x01} {
			changed := bytes.Clone(whole)
			changed[i] ^= flip
			put(t, l, FileName, changed)
			r := verify(t, l)
			line := 1 + bytes.Count(whole[:i], []byte("\n"))
			assert.Assert(t, len(r.Damage) > 0, "byte %d", i)
			assert.Equal(t, r.Damage[0].File, FileName)
			assert.Assert(t, r.Damage[0].Line == line, "byte %d of line %d: %v", i, line, r.Damage)
		}
	}
}

func TestRemovedSwappedAndForgedLinesAreFound(t *testing.T) {
	l := newLog(t)
	add(t, l, 1, 6)
	lines := bytes.SplitAfter(content(t, l, FileName), []byte("\n"))[:6]
	for name, c := range map[string]struct {
		order []int
		line  int
	}{
		"the first removed": {[]int{1, 2, 3, 4, 5}, 1},
		"one removed":       {[]int{0, 1, 3, 4, 5}, 3},
		"two removed":       {[]int{0, 3, 4, 5}, 2},
		"the last removed":  {[]int{0, 1, 2, 3, 4}, 5},
		"half removed":      {[]int{0, 1, 2}, 3},
		"two swapped":       {[]int{0, 2, 1, 3, 4, 5}, 2},
		"the last swapped":  {[]int{0, 1, 2, 3, 5, 4}, 5},
		"one twice":         {[]int{0, 1, 1, 2, 3, 4, 5}, 3},
		"all of them gone":  {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var data []byte
			for _, i := range c.order {
				data = append(data, lines[i]...)
			}
			put(t, l, FileName, data)
			r := verify(t, l)
			assert.Assert(t, len(r.Damage) > 0)
			assert.Equal(t, r.Damage[0].Line, c.line, "%v", r.Damage)
		})
	}
	forged, err := decode(bytes.TrimSuffix(lines[2], []byte("\n")))
	assert.NilError(t, err)
	forged.Operation = "nothing"
	line, err := encode(&forged)
	assert.NilError(t, err)
	put(t, l, FileName, bytes.Join([][]byte{lines[0], lines[1], append(line, '\n'), lines[3], lines[4], lines[5]}, nil))
	r := verify(t, l)
	assert.Equal(t, r.Damage[0].Line, 4, "%v", r.Damage)
	assert.NilError(t, os.Remove(l.path(FileName)))
	assert.Assert(t, verify(t, l).Err() != nil, "the whole log is gone")
}

// TestATailCutOffElsewhereIsFoundByWhatBackupsNote: without the state folder of the machine that wrote it.
func TestATailCutOffElsewhereIsFoundByWhatBackupsNote(t *testing.T) {
	l := newLog(t)
	add(t, l, 1, 2)
	third := add(t, l, 3, 3)
	l.State = t.TempDir()
	noted := Anchor{Head: third.Head(), Source: "a3.tar.gz.json"}
	assert.Equal(t, len(verify(t, l, noted).Damage), 0)
	data := content(t, l, FileName)
	put(t, l, FileName, data[:bytes.LastIndexByte(data[:len(data)-1], '\n')+1])
	assert.Equal(t, len(verify(t, l).Damage), 0, "nothing tells")
	r := verify(t, l, noted)
	assert.Equal(t, len(r.Damage), 1)
	assert.ErrorContains(t, r.Err(), "audit.jsonl:2: the log ends with record 2: its tail up to record 3 is cut off, says a3.tar.gz.json")
}

// A crash cuts the write of a record at any byte; the page after the last may be zeros, or of before.
func TestATornLineIsMarkedByTheNextRecord(t *testing.T) {
	l := newLog(t)
	add(t, l, 1, 3)
	head := append([]byte{}, must(os.ReadFile(l.HeadsFile()))...)
	before := len(content(t, l, FileName))
	add(t, l, 4, 4)
	whole := content(t, l, FileName)
	for cut := before + 1; cut < len(whole); cut += 1 + (len(whole)-1-cut)/8 {
		for _, tail := range []string{"", "\x00\x00\x00", "\x00}\n"} {
			assert.NilError(t, os.WriteFile(l.HeadsFile(), head, 0o600))
			torn := append(bytes.Clone(whole[:cut]), tail...)
			put(t, l, FileName, torn)
			complete := cut == len(whole)-1 && tail == "" // all but its newline
			r := verify(t, l)
			if complete {
				assert.Equal(t, r.Records, 4)
			} else {
				assert.Equal(t, len(r.Damage), 0, "%v", r.Damage)
				assert.Assert(t, len(r.Notes) > 0)
			}
			out := add(t, l, 5, 5)
			assert.Equal(t, out.Record.Torn != nil, !complete)
			assert.Assert(t, bytes.HasPrefix(content(t, l, FileName), torn), "what stood there was changed")
			r = sound(t, l, 4+map[bool]int{true: 1}[complete])
			assert.Equal(t, len(r.Notes) > 0, !complete)
			add(t, l, 6, 6)
			data := content(t, l, FileName)
			data[cut-1] ^= 1 // what is marked is bound too
			put(t, l, FileName, data)
			assert.Assert(t, verify(t, l).Err() != nil)
		}
	}
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

// TestAnAppendAfterACutShowsForEver: the log goes on, and nothing hides that records are missing.
func TestAnAppendAfterACutShowsForEver(t *testing.T) {
	l := newLog(t)
	add(t, l, 1, 2)
	two := content(t, l, FileName)
	add(t, l, 3, 4)
	for i, data := range [][]byte{two, nil} {
		put(t, l, FileName, data)
		out := add(t, l, 5, 5)
		assert.Assert(t, out.Lost == (i == 0) && len(out.Record.Notes) == 1, "%v", out.Warnings)
		out = add(t, l, 6, 7)
		assert.Assert(t, !out.Lost)
		assert.Assert(t, verify(t, l).Err() != nil)
	}
	put(t, l, FileName, two)
	last := add(t, l, 5, 5)
	assert.Equal(t, last.Record.Sequence, int64(8), "after the highest that is known of this log")
}

func TestAChangedLastRecordIsNotTakenForATornOne(t *testing.T) {
	l := newLog(t)
	add(t, l, 1, 3)
	data := content(t, l, FileName)
	data[len(data)-20] ^= 1
	put(t, l, FileName, data)
	out := add(t, l, 4, 4)
	assert.Assert(t, out.Lost && out.Record.Torn == nil)
	r := verify(t, l)
	assert.Assert(t, len(r.Damage) > 0)
	assert.Equal(t, r.Damage[0].Line, 3)
}

func TestAFullFileIsRotatedAndTheChainGoesOn(t *testing.T) {
	l := newLog(t)
	l.Limit = 1500
	add(t, l, 1, 20)
	r := sound(t, l, 20)
	assert.Assert(t, len(r.Files) > 4, "%v", r.Files)
	for _, name := range r.Files {
		assert.Assert(t, IsFile(name) && int64(len(content(t, l, name))) <= l.Limit)
		data := content(t, l, name)
		assert.NilError(t, os.Remove(l.path(name)))
		r := verify(t, l)
		assert.Assert(t, len(r.Damage) > 0, "%s is missing", name)
		put(t, l, name, data)
	}
	// A crash between the two steps of a rotation, and one after the new file was made.
	assert.NilError(t, os.Rename(l.path(FileName), l.path(nameOf(len(r.Files)))))
	add(t, l, 21, 21)
	sound(t, l, 21)
	newest := nameOf(len(r.Files) + 1)
	assert.NilError(t, os.Rename(l.path(FileName), l.path(newest)))
	put(t, l, FileName, nil)
	add(t, l, 22, 22)
	sound(t, l, 22)
}

func TestATornLineAtTheEndOfAFullFileIsMarkedInTheNext(t *testing.T) {
	l := newLog(t)
	add(t, l, 1, 3)
	put(t, l, FileName, append(content(t, l, FileName), "{\"version\":1,\"lo\n"...))
	l.Limit = 10
	out := add(t, l, 4, 4)
	assert.Assert(t, out.Record.Torn != nil)
	r := sound(t, l, 4)
	assert.Equal(t, len(r.Files), 2)
	assert.Equal(t, len(r.Notes), 1)
}

func TestRunsAtOnceMakeOneChain(t *testing.T) {
	l := newLog(t)
	l.Limit = 4000
	var group sync.WaitGroup
	for n := range 8 {
		other := *l
		group.Go(func() {
			if n%2 == 1 {
				other.State = filepath.Join(l.State, "of another user") // the log itself is what they have in common
			}
			for i := range 10 {
				if _, err := other.Append(context.Background(), entry(100*n+i)); err != nil {
					t.Error(err)
				}
			}
		})
		if n == 0 {
			group.Wait() // the log is there: only then can it be locked
		}
	}
	group.Wait()
	r := verify(t, l)
	assert.Equal(t, len(r.Damage), 0, "%v", r.Damage)
	assert.Equal(t, r.Records, 80)
}

func TestALogThatCannotBeWrittenIsAnError(t *testing.T) {
	l := newLog(t)
	gone := *l
	gone.Dir = filepath.Join(l.Dir, "gone")
	_, err := gone.Append(t.Context(), entry(1))
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = os.Stat(gone.Dir)
	assert.ErrorIs(t, err, os.ErrNotExist, "it was made")
	assert.NilError(t, os.Mkdir(l.path(FileName), 0o700))
	_, err = l.Append(t.Context(), entry(1))
	assert.Assert(t, err != nil)
}

// A state folder that cannot be written stops no record; it is said.
func TestTheHeadCannotBeKept(t *testing.T) {
	l := newLog(t)
	add(t, l, 1, 1)
	assert.NilError(t, os.Remove(l.HeadsFile()))
	assert.NilError(t, os.MkdirAll(filepath.Join(l.HeadsFile(), "in the way"), 0o700))
	out, err := l.Append(t.Context(), entry(2))
	assert.NilError(t, err)
	assert.Equal(t, out.Record.Sequence, int64(2))
	assert.Assert(t, len(out.Warnings) > 0)
}

// TestAHeadThatCannotBeReadIsKeptAside: the log goes on, says that a cut before would not show, and writes over nothing.
func TestAHeadThatCannotBeReadIsKeptAside(t *testing.T) {
	l := newLog(t)
	add(t, l, 1, 1)
	assert.NilError(t, os.WriteFile(l.HeadsFile(), []byte("{torn"), 0o600))
	out, err := l.Append(t.Context(), entry(2))
	assert.NilError(t, err)
	assert.Assert(t, out.Lost)
	assert.Equal(t, len(out.Record.Notes), 1)
	assert.Equal(t, string(must(os.ReadFile(l.HeadsFile()+".damaged"))), "{torn")
	sound(t, l, 2)
	assert.Assert(t, !add(t, l, 3, 3).Lost)
}

// TestALogOnAnotherDiskIsNoCutOne: two disks that are mounted in turn at the same place.
func TestALogOnAnotherDiskIsNoCutOne(t *testing.T) {
	l := newLog(t)
	h := heads{Dir: l.real(), Logs: []known{{Head: Head{Log: "disk2", Sequence: 7, Hash: zero}, Volume: "another"}}}
	assert.NilError(t, os.MkdirAll(filepath.Dir(l.HeadsFile()), 0o700))
	assert.NilError(t, l.keep(h, Head{Log: "disk2", Sequence: 7, Hash: zero}))
	data := must(os.ReadFile(l.HeadsFile()))
	if v := volumeOf(l.Dir); v != "" {
		data = bytes.ReplaceAll(data, []byte(v), []byte("another"))
	} else {
		data = bytes.ReplaceAll(data, []byte(`"sequence"`), []byte(`"volume": "another", "sequence"`))
	}
	assert.NilError(t, os.WriteFile(l.HeadsFile(), data, 0o600))
	out := add(t, l, 1, 1)
	assert.Assert(t, out.Lost, "the person is told")
	sound(t, l, 1)
}

// TestPlainToolsCheckTheLog runs the script of docs/audit-log.md.
func TestPlainToolsCheckTheLog(t *testing.T) {
	if runtime.GOOS == "windows" {
		return
	}
	document, err := os.ReadFile("../../docs/audit-log.md")
	assert.NilError(t, err)
	_, rest, ok := strings.Cut(string(document), "```sh\n")
	assert.Assert(t, ok)
	script, _, ok := strings.Cut(rest, "```")
	assert.Assert(t, ok)
	l := newLog(t)
	l.Limit = 3000
	add(t, l, 1, 12)
	check := func() ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Dir = l.Dir
		return cmd.CombinedOutput()
	}
	out, err := check()
	assert.NilError(t, err, "%s", out)
	assert.Equal(t, string(out), "12 records, head "+sound(t, l, 12).Head.Hash+"\n")
	data := content(t, l, "audit-000001.jsonl")
	put(t, l, "audit-000001.jsonl", bytes.Replace(data, []byte("notes"), []byte("Notes"), 1))
	out, err = check()
	assert.Assert(t, err != nil, "%s", out)
	assert.Equal(t, string(out), "line 1: changed\n")
	lines := bytes.SplitAfter(data, []byte("\n"))
	put(t, l, "audit-000001.jsonl", bytes.Join(append(lines[:1:1], lines[2:]...), nil))
	out, err = check()
	assert.Assert(t, err != nil)
	assert.Equal(t, string(out), "line 2: does not follow the line before\n")
}
