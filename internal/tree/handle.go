package tree

import "time"

// handle is where attributes of one entry are read and set: an open file or folder, or a name in an open folder.
type handle interface {
	stat() (*Entry, error)
	xattrs() (map[string][]byte, error)
	chown(uid, gid int) error
	chmod(mode uint32) error
	setXattr(name string, value []byte) error
	removeXattr(name string) error
	setModTime(t time.Time) error
}

// readEntry is the entry of a handle with its extended attributes. On an error of the attributes the entry is there all the same.
func readEntry(h handle, path string) (*Entry, error) {
	e, err := h.stat()
	if err != nil {
		return nil, err
	}
	e.Path = path
	e.Xattrs, err = h.xattrs()
	return e, err
}
