package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

// ErrLocked is what a *LockedError matches.
var ErrLocked = errors.New("locked by another run")

// ErrLockLost is the cause with which a run's context ends when its lock was taken over or removed.
var ErrLockLost = errors.New("the lock of this run was lost")

// LockedError says who holds the lock.
type LockedError struct{ Holder Holder }

// Error names the holder.
func (e *LockedError) Error() string { return "locked by " + e.Holder.String() }

// Is makes the error match ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Holder is a run that holds a lock.
type Holder struct {
	Command string    `json:"command"`
	User    string    `json:"user"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	// Start is when the process began, as its system counts; Boot names the running system and its space of process ids. With
	// both, a process id means one process only.
	Start string `json:"start,omitempty"`
	Boot  string `json:"boot,omitempty"`
	// State is the state folder of the run, Identity its project: where the record lies of what it had begun. It is another one than that of
	// the next run where another user or another machine takes over.
	State    string `json:"state,omitempty"`
	Identity string `json:"identity,omitempty"`
}

// Self describes this process as the holder of a lock for a command.
func Self(command string, now time.Time) Holder {
	h := Holder{Command: command, PID: os.Getpid(), Since: now.UTC().Truncate(time.Second), Boot: bootID()}
	h.Host, _ = os.Hostname() // what is not known is left out of the message
	h.Start, _ = processStart(h.PID)
	h.User = strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}

// Child describes another process of this system, by its id, which is at work for this one.
func Child(command string, pid int, now time.Time) Holder {
	h := Self(command, now)
	h.PID = pid
	h.Start, _ = processStart(pid)
	return h
}

// String is the holder in words: what, whose, where, since when.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another run"
	}
	return fmt.Sprintf("%q of %s on %s (process %d) since %s", h.Command, h.User, h.Host, h.PID, h.Since.Local().Format(time.DateTime))
}

// gone tells whether the holder's process is known to have ended. It is not known for one of another system.
func (h Holder) gone() bool {
	if h.Boot == "" || h.Boot != bootID() || h.PID == 0 {
		return false
	}
	return !alive(h.PID, h.Start)
}

// AtWork tells whether the holder's process still runs; one of another system, of which that is not known, counts for as long as the limit
// since it began.
func (h Holder) AtWork(now time.Time, limit time.Duration) bool {
	if h.Boot != "" && h.Boot == bootID() && h.PID != 0 {
		return !h.gone()
	}
	return now.Sub(h.Since) < limit
}

// Holder tells who holds the local lock of the project, nil if nobody does. It is for commands that only read.
func (s *State) Holder() (*Holder, error) {
	h, err := readHolder(filepath.Join(s.dir, lockName))
	if err != nil || h == nil || h.gone() {
		return nil, err
	}
	return h, nil
}

// Remains is the run that died with the lock of a backups directory in its hands; nil where there is none. It is for commands that only read.
func Remains(dir string) *Holder {
	h, err := readHolder(filepath.Join(dir, BackupsLockName))
	if err != nil || h == nil || !h.gone() {
		return nil
	}
	return h
}

// readHolder returns what a lock file says, nil if it says nothing.
func readHolder(path string) (*Holder, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lock: %w", err)
	}
	var h Holder
	if json.Unmarshal(data, &h) != nil {
		return nil, nil // nobody, or it is being written right now
	}
	return &h, nil
}
