package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

// The names of the lock files: in the state folder, and in a backups directory, where it stays for good.
const (
	lockName        = "lock"
	BackupsLockName = ".memsys.lock"
)

// errNoLocks: the folder cannot be locked, because it is read-only, belongs to another user, or is on a file system without locks.
var errNoLocks = errors.New("cannot be locked")

// fileLock is a lock of the kernel on a file: it ends with the process, however that ends. The file says who holds it.
type fileLock struct {
	path   string
	holder Holder
	lock   *flock.Flock
	heir   func(Holder) error
}

func newFileLock(path string, h Holder) *fileLock { return &fileLock{path: path, holder: h} }

func (l *fileLock) try(context.Context) (*blocker, error) {
	got, err := l.open(os.O_CREATE | os.O_RDWR)
	if errors.Is(err, os.ErrPermission) {
		got, err = l.open(os.O_RDONLY) // made by another user: it can be locked all the same
	}
	switch {
	case noLocks(err):
		return nil, fmt.Errorf("%s %w: %w", filepath.Dir(l.path), errNoLocks, err)
	case err != nil:
		return nil, err
	case got:
		if err := l.inherit(); err != nil {
			return nil, errors.Join(err, l.lock.Close())
		}
		return nil, l.sign()
	}
	h, err := readHolder(l.path)
	if err != nil || h == nil {
		h = &Holder{} // it says nothing yet, or cannot be read: some run
	}
	return &blocker{Holder: *h}, nil
}

// inherit asks whether the lock may be taken over from a run that died with it: one that ends gives it back and leaves no name.
func (l *fileLock) inherit() error {
	former, err := readHolder(l.path)
	if l.heir == nil || err != nil || former == nil || former.PID == 0 {
		return nil
	}
	return l.heir(*former)
}

func (l *fileLock) open(flags int) (bool, error) {
	l.lock = flock.New(l.path, flock.SetFlag(flags), flock.SetPermissions(0o644))
	got, err := l.lock.TryLock()
	if !got {
		_ = l.lock.Close()
	}
	return got, err
}

// noLocks tells the errors that mean that this place has no locks for us.
func noLocks(err error) bool {
	for _, e := range []error{os.ErrPermission, errors.ErrUnsupported, syscall.EROFS, syscall.ENOLCK, syscall.ENOSYS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// sign writes into the file who holds it. Where it cannot be written, others see that it is held, not by whom.
func (l *fileLock) sign() error {
	data, err := json.Marshal(l.holder)
	if err != nil {
		return err
	}
	_ = l.write(append(data, '\n'))
	return nil
}

// write replaces what the file says. The lock is on the open file in l.lock and stays.
func (l *fileLock) write(data []byte) error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func (l *fileLock) release(context.Context) error {
	_ = l.write(nil) // a name left behind is of a dead process or overwritten by the next
	if err := l.lock.Close(); err != nil {
		return fmt.Errorf("unlock %s: %w", l.path, err)
	}
	return nil
}
