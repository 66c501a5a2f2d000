package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// FileName is the file that records are appended to. Full ones are named audit-000001.jsonl and so on.
const FileName = "audit.jsonl"

var fullName = regexp.MustCompile(`^audit-(\d{6,})\.jsonl$`)

// IsFile tells whether a name in a backups directory is of an audit log.
func IsFile(name string) bool { return name == FileName || fullName.MatchString(name) }

// Log is the audit log of a backups directory.
type Log struct {
	// Dir is the backups directory.
	Dir string
	// State is the state folder in which the heads of logs are kept; empty: nowhere.
	State string
	// NewID draws the id of a new log.
	NewID func() (string, error)
	// Limit is the size from which a file is full; 0: 4 MiB.
	Limit int64
}

const defaultLimit = 4 << 20

func (l *Log) limit() int64 {
	if l.Limit > 0 {
		return l.Limit
	}
	return defaultLimit
}

func (l *Log) path(name string) string { return filepath.Join(l.Dir, name) }

// full are the numbers of the full files, in order.
func (l *Log) full() ([]int, error) {
	entries, err := os.ReadDir(l.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the audit log: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		if m := fullName.FindStringSubmatch(e.Name()); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil {
				numbers = append(numbers, n)
			}
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func nameOf(number int) string { return fmt.Sprintf("audit-%06d.jsonl", number) }

// names are the files of the log that are there, oldest first.
func (l *Log) names() ([]string, error) {
	numbers, err := l.full()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range numbers {
		names = append(names, nameOf(n))
	}
	if _, err := os.Lstat(l.path(FileName)); err == nil {
		names = append(names, FileName)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for the audit log: %w", err)
	}
	return names, nil
}

// Exists tells whether there is a log in the directory.
func (l *Log) Exists() (bool, error) {
	names, err := l.names()
	return len(names) > 0, err
}

// read returns the content of a file of the log.
func (l *Log) read(name string) ([]byte, error) {
	data, err := os.ReadFile(l.path(name))
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return data, nil
}

// lastSound returns the last sound record in data and where it ends, its newline included; found is false where there is none.
func lastSound(data []byte) (r Record, end int, found bool) {
	for end = len(data); end > 0; {
		line := data[:end]
		line = bytes.TrimSuffix(line, []byte("\n"))
		start := bytes.LastIndexByte(line, '\n') + 1
		if r, err := decode(line[start:]); err == nil {
			return r, end, true
		}
		end = start
	}
	return Record{}, 0, false
}

// List returns the records that can be read, oldest first. What is wrong with the log is Verify's to tell.
func (l *Log) List() ([]Record, error) {
	names, err := l.names()
	if err != nil {
		return nil, err
	}
	var all []Record
	for _, name := range names {
		data, err := l.read(name)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(data) {
			if r, err := decode(bytes.TrimSuffix(line, []byte("\n"))); err == nil || errors.Is(err, errChanged) {
				all = append(all, r)
			}
		}
	}
	return all, nil
}
