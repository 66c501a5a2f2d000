package tree

import (
	"errors"
	"io/fs"
)

// ErrUnsafe says that an entry would lead out of the tree's root, or through a link: nothing was written for it.
var ErrUnsafe = errors.New("unsafe path")

// ErrNotEmpty says that the folder that a Writer should fill holds something already.
var ErrNotEmpty = errors.New("folder is not empty")

// pathError is an error of one step with one entry; it says the path quoted, since names hold any byte.
func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}
