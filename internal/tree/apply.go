package tree

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// The extended attributes that hold POSIX ACLs.
const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"
)

const setIDs = 0o6000

// apply sets the attributes of an entry and reads them back. Owner comes first, since it clears setuid bits and file
// capabilities; extended attributes before the mode, since a read-only mode forbids them to others than root.
// What could not be set is a problem, not a failure.
func (w *Writer) apply(h handle, e *Entry) {
	for _, err := range applyTo(h, e, w.o) {
		w.problem(e.Path, err)
	}
}

func applyTo(h handle, e *Entry, o WriteOptions) (problems []error) {
	want := *e
	if o.MapOwner != nil {
		want.UID, want.GID = o.MapOwner(e.UID, e.GID)
	}
	if ownersKept && !o.SkipOwners {
		if err := h.chown(want.UID, want.GID); err != nil {
			problems = append(problems, fmt.Errorf("set owner %d:%d: %w", want.UID, want.GID, err))
		}
	}
	problems = append(problems, setXattrs(h, e.Xattrs)...)
	if want.Mode&setIDs != 0 {
		// with somebody else's identity these bits would be a danger
		if now, err := h.stat(); err != nil || now.UID != want.UID || now.GID != want.GID {
			want.Mode &^= setIDs
		}
	}
	if err := h.chmod(want.Mode); err != nil {
		problems = append(problems, fmt.Errorf("set mode %04o: %w", want.Mode, err))
	}
	if err := h.setModTime(want.ModTime); err != nil {
		problems = append(problems, fmt.Errorf("set time: %w", err))
	}
	want.Mode = e.Mode
	if differing := readBack(h, &want); differing != nil && len(problems) == 0 {
		problems = append(problems, differing)
	}
	return problems
}

func setXattrs(h handle, attrs map[string][]byte) (problems []error) {
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		if err := h.setXattr(name, attrs[name]); err != nil {
			problems = append(problems, fmt.Errorf("set attribute %s: %w", name, err))
		}
	}
	return problems
}

// readBack says what the file system made of the attributes: some accept a change and ignore it.
func readBack(h handle, want *Entry) error {
	now, err := h.stat()
	if err != nil {
		return err
	}
	var errs []error
	if ownersKept && (now.UID != want.UID || now.GID != want.GID) {
		errs = append(errs, fmt.Errorf("owner is %d:%d, not %d:%d", now.UID, now.GID, want.UID, want.GID))
	}
	if ownersKept && now.Kind != Symlink && now.Mode != want.Mode {
		errs = append(errs, fmt.Errorf("mode is %04o, not %04o", now.Mode, want.Mode))
	}
	if now.Kind == File && now.Size != want.Size {
		errs = append(errs, fmt.Errorf("size is %d, not %d", now.Size, want.Size))
	}
	if ownersKept && !now.ModTime.Equal(want.ModTime) {
		errs = append(errs, fmt.Errorf("time is %s, not %s", now.ModTime.UTC(), want.ModTime.UTC()))
	}
	return errors.Join(errs...)
}
