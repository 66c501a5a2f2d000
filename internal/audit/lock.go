package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
)

// An append takes milliseconds: who waits for longer than lockWait does not get the lock any more.
const (
	lockWait = 20 * time.Second
	lockPoll = 10 * time.Millisecond
	// beginPolls is how often an empty file is looked at again: who made it writes its first record right now, or is dead.
	beginPolls = 50
)

// lock keeps other appends out: those of this machine by a file beside the heads, those of others by the newest file of the log, where the file
// system has locks. Windows forbids reading what is locked, so the log itself is not locked there.
func (l *Log) lock(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	var held []*flock.Flock
	release = func() {
		for _, f := range held {
			_ = f.Close()
		}
	}
	if l.State != "" {
		if err := os.MkdirAll(filepath.Dir(l.HeadsFile()), 0o700); err != nil {
			return nil, err
		}
		f := flock.New(l.HeadsFile()+".lock", flock.SetPermissions(0o600))
		if err := take(ctx, f); err != nil {
			return nil, err
		}
		held = append(held, f)
	}
	if runtime.GOOS == "windows" {
		return release, nil
	}
	f, err := l.lockFile(ctx)
	if err != nil {
		release()
		return nil, err
	}
	if f != nil {
		held = append(held, f)
	}
	return release, nil
}

// take waits for a lock.
func take(ctx context.Context, f *flock.Flock) error {
	got, err := f.TryLockContext(ctx, lockPoll)
	if err == nil && !got {
		err = errors.New("another run holds it")
	}
	return err
}

// lockFile locks audit.jsonl, again where it became full meanwhile. Nil: it is not there, or is on a file system without locks.
func (l *Log) lockFile(ctx context.Context) (*flock.Flock, error) {
	path := l.path(FileName)
	for empty := 0; ; {
		before, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // the lock of the backups directory keeps others from making it
		}
		if err != nil {
			return nil, err
		}
		if before.Size() == 0 && empty < beginPolls {
			empty++
			time.Sleep(lockPoll)
			continue
		}
		f := flock.New(path, flock.SetFlag(os.O_RDONLY))
		if err := take(ctx, f); err != nil {
			_ = f.Close()
			if ctx.Err() != nil {
				return nil, fmt.Errorf("%w: another run holds it", ctx.Err())
			}
			return nil, nil
		}
		if after, err := os.Stat(path); err == nil && os.SameFile(before, after) {
			return f, nil
		}
		_ = f.Close()
	}
}
