package store

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

const (
	prefix = "memory_backup_"
	suffix = ".tar.gz"
	layout = "20060102_150405"
)

var namePattern = regexp.MustCompile(`^memory_backup_(\d{8}_\d{6})(?:_([2-9]|[1-9]\d+))?\.tar\.gz$`)

// Name is the archive name for a time: memory_backup_YYYYMMDD_HHMMSS.tar.gz, with _2 and so on before the ending for
// later archives of the same second (copy counts from 1).
func Name(t time.Time, copy int) string {
	if copy > 1 {
		return fmt.Sprintf("%s%s_%d%s", prefix, t.Format(layout), copy, suffix)
	}
	return prefix + t.Format(layout) + suffix
}

// ParseName tells whether name is an archive's name and which time it says, read in the location loc.
func ParseName(name string, loc *time.Location) (time.Time, bool) {
	m := namePattern.FindStringSubmatch(name)
	if m == nil {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(layout, m[1], loc)
	return t, err == nil
}

// temporaryName is the name of an archive that is being written; ID tells whose it is.
func temporaryName(final, id string) string {
	return "." + final + ".tmp-" + id
}

// scratchSuffix ends the name of the folder for private copies beside an archive that is being written.
const scratchSuffix = ".scratch"

// Scratch is the folder for private copies that are needed while the archive at a temporary path is written. Who makes it removes it.
func Scratch(temporary string) string { return temporary + scratchSuffix }

// IsTemporary tells whether name is that of an archive which is being written, or was when the writer died.
func IsTemporary(name string) bool {
	return strings.HasPrefix(name, "."+prefix) && strings.Contains(name, suffix+".tmp-")
}
