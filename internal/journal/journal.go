package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// What callers test for with errors.Is.
var (
	// ErrFull: the step does not fit any more; nothing was written, so the act must not be done.
	ErrFull = errors.New("journal is full")
	// ErrPending: an interrupted operation is on record and must be resolved and ended first.
	ErrPending = errors.New("an interrupted operation is on record")
	// ErrDamaged: the file is no journal that this version can read; a *DamagedError says what can be read all the same.
	ErrDamaged = errors.New("journal is damaged")
	// ErrNotBegun: there is no operation to which the step belongs.
	ErrNotBegun = errors.New("no operation has begun")
)

// Size of a journal file, and the part of it that only End may use.
const (
	fileSize   = 4 << 20
	endReserve = 4 << 10
)

// Step is one thing on record before it was done.
type Step struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data,omitempty"`
	Time time.Time       `json:"time"`
}

// Interrupted is an operation that has begun and not ended.
type Interrupted struct {
	Op      string
	Details json.RawMessage
	Began   time.Time
	Steps   []Step
}

// Journal is the record of what one project's operation is about to do. It is not safe for parallel use by several processes: hold the
// Lock. Its methods may be called from several goroutines.
type Journal struct {
	file *log
	now  func() time.Time
}

// Journal opens the project's journal, and makes it if it is missing; call it with the Lock held. Close it after use.
func (s *State) Journal(now func() time.Time) (*Journal, error) {
	f, err := openLog(filepath.Join(s.dir, "journal"), fileSize)
	if err != nil {
		return nil, fmt.Errorf("open journal of %s: %w", s.identity, err)
	}
	return &Journal{file: f, now: now}, nil
}

// Begin puts a new operation on record. ErrPending: an interrupted one is there, which End ends once it is resolved.
func (j *Journal) Begin(op string, details any) error {
	return j.file.begin(func(open bool) (entry, error) {
		if open {
			return entry{}, fmt.Errorf("begin %s: %w", op, ErrPending)
		}
		return j.entry(kindBegin, op, details)
	})
}

// Step puts what is done next on record; when it returns nil, the record is on the disk. Steps of a pending operation may be added while
// it is resolved.
func (j *Journal) Step(name string, data any) error {
	e, err := j.entry(kindStep, name, data)
	if err != nil {
		return err
	}
	if err := j.file.append(e, endReserve); err != nil {
		return fmt.Errorf("record step %s: %w", name, err)
	}
	return nil
}

// End closes the operation: nothing of it is pending any more. result is for a person who reads the file.
func (j *Journal) End(result string) error {
	e, err := j.entry(kindEnd, result, nil)
	if err != nil {
		return err
	}
	if err := j.file.append(e, 0); err != nil {
		return fmt.Errorf("record the end: %w", err)
	}
	return nil
}

// Pending returns the operation that has begun and not ended, or nil.
func (j *Journal) Pending() (*Interrupted, error) {
	return j.file.pending()
}

// Close closes the file; an operation that was not ended stays pending.
func (j *Journal) Close() error { return j.file.close() }

func (j *Journal) entry(kind, name string, data any) (entry, error) {
	e := entry{Kind: kind, Step: Step{Name: name, Time: j.now().UTC()}}
	if data == nil {
		return e, nil
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return e, fmt.Errorf("record %s: %w", name, err)
	}
	e.Data = raw
	return e, nil
}

// Pending reads, without the Lock and without changing anything, which operation has begun and not ended; nil if there is none. While
// another process holds the Lock that operation may be well under way: ask Holder.
func (s *State) Pending() (*Interrupted, error) {
	f, err := os.Open(filepath.Join(s.dir, "journal"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open journal of %s: %w", s.identity, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, fileSize))
	if err != nil {
		return nil, fmt.Errorf("read journal of %s: %w", s.identity, err)
	}
	l, err := readLog(f.Name(), data)
	if err != nil {
		return nil, err
	}
	return interrupted(l.entries), nil
}
