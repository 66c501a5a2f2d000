// Package tree reads, writes and compares the files of a source with every attribute that a file system keeps.
// It never follows a link out of the tree's root.
package tree

import (
	"context"
	"io"
	"time"
)

// Kind is what an entry is. The values are written to disk.
type Kind string

// The kinds of entries. A Socket is seen by the walker but never stored.
const (
	File        Kind = "file"
	Dir         Kind = "dir"
	Symlink     Kind = "symlink"
	Hardlink    Kind = "hardlink" // second and later names of a file; Link is the first name
	FIFO        Kind = "fifo"
	CharDevice  Kind = "char"
	BlockDevice Kind = "block"
	Socket      Kind = "socket"
)

// Entry is one name in a tree with all attributes that are kept.
type Entry struct {
	// Path is relative to the tree's root, separated by slashes, in raw bytes (not always UTF-8); "." is the root itself.
	Path string
	Kind Kind
	// Mode holds the twelve Unix permission bits (07777): setuid, setgid and sticky are 04000, 02000 and 01000.
	Mode uint32
	UID  int
	GID  int
	// Size is the length of a file in bytes, holes included; 0 for every other kind.
	Size    int64
	ModTime time.Time // nanoseconds kept
	// Link is a symbolic link's target as it is, or for Hardlink the Path of the first name.
	Link  string
	Major uint32
	Minor uint32
	// Xattrs are all extended attributes, raw; POSIX ACLs are system.posix_acl_access and system.posix_acl_default.
	Xattrs map[string][]byte
	// Holes are the unallocated ranges of a sparse file, ascending and disjoint.
	Holes []Extent

	// Allocated is about how much of Size the file system really holds; it is not stored.
	Allocated int64
	// Device, Inode, Links and ChangeTime say which file this is on the machine that it was read on; they are not stored.
	Device     uint64
	Inode      uint64
	Links      uint64
	ChangeTime time.Time
}

// Extent is a range of a file, in bytes.
type Extent struct {
	Offset int64
	Length int64
}

// Chunk is a range of a file's content with its SHA-256.
type Chunk struct {
	Offset int64
	Size   int64
	SHA256 [32]byte
}

// Reader is the content of an open file: holes read as zeros.
type Reader interface {
	io.ReadCloser
	// Changed tells whether size, modification or change time of the file moved since it was opened.
	Changed() (bool, error)
}

// Opener opens the file of an entry for reading and returns its attributes as they are now, taken from the open file.
// It fails with fs.ErrNotExist where the file vanished or is no longer a regular file.
type Opener func(ctx context.Context) (*Entry, Reader, error)

// Problem is an entry that could not be read or written as wanted.
type Problem struct {
	Path string
	Err  error
}

// Content receives the bytes of one file that is being restored. WriteAt may be called from several goroutines for
// different ranges; ranges never written read as zeros (holes where the entry has holes).
type Content interface {
	io.WriterAt
	// Close sets the attributes and closes the file; the content is complete.
	Close() error
	// Abort closes the file and removes it.
	Abort() error
}
