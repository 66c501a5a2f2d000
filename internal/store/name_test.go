package store

import (
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

func TestNamesAreParsedBack(t *testing.T) {
	at := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	for copy, want := range map[int]string{
		1:  "memory_backup_20240101_120000.tar.gz",
		2:  "memory_backup_20240101_120000_2.tar.gz",
		10: "memory_backup_20240101_120000_10.tar.gz",
	} {
		assert.Equal(t, Name(at, copy), want)
		got, ok := ParseName(want, time.UTC)
		assert.Assert(t, ok)
		assert.Assert(t, got.Equal(at))
	}
}

func TestForeignNamesAreNoArchives(t *testing.T) {
	for _, name := range []string{
		"memory_backup_20240101_120000.tar", "memory_backup_20240101.tar.gz", "backup.tar.gz", "memory_backup_20241301_120000.tar.gz",
		"memory_backup_20240101_120000_1.tar.gz", "memory_backup_20240101_120000_02.tar.gz", ".memory_backup_20240101_120000.tar.gz.tmp-00",
		"memory_backup_20240101_120000.tar.gz.sha256", "x/memory_backup_20240101_120000.tar.gz",
	} {
		_, ok := ParseName(name, time.UTC)
		assert.Assert(t, !ok, name)
	}
}

func TestTemporaryNamesAreToldApart(t *testing.T) {
	name := temporaryName("memory_backup_20240101_120000.tar.gz", "0011223344556677")
	assert.Assert(t, IsTemporary(name))
	assert.Assert(t, !IsTemporary("memory_backup_20240101_120000.tar.gz"))
	assert.Assert(t, !IsTemporary(".memory_backup_notes.txt"))
}
