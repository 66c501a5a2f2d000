// Package audit keeps the record of what was done: audit.jsonl in the backups directory, one line of JSON for each operation, each
// bound to the one before by its SHA-256. docs/audit-log.md describes the format, and how to check it with plain tools.
//
// A chain of hashes shows what was changed or taken out of its middle; that its tail was cut off shows only to who has noted its
// head elsewhere. The head is kept in the state folder, and whoever appends gets it, to note it in more places.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The results of an operation.
const (
	Done        = "done"        // exit code 0
	Incomplete  = "incomplete"  // done, but something is missing: exit code 3
	Failed      = "failed"      // any other code
	Interrupted = "interrupted" // ended by a signal: exit code 130
)

// The changes of an archive.
const (
	Made     = "made"
	Restored = "restored"
	Removed  = "removed"
	Verified = "verified" // every byte was read and is as it was written
	Damaged  = "damaged"  // every byte was read: some are not
	// Validated is an archive whose data was looked at; how that ended, the record's result says.
	Validated = "validated"
)

// Entry is what is known of an operation.
type Entry struct {
	Operation string `json:"operation"`
	// Arguments are those that matter; never secrets.
	Arguments map[string]any `json:"arguments,omitempty"`
	Began     time.Time      `json:"began"`
	Ended     time.Time      `json:"ended"`
	Result    string         `json:"result"`
	ExitCode  int            `json:"exitCode"`
	Message   string         `json:"message,omitempty"`
	Who       Who            `json:"who"`
	Project   Project        `json:"project"`
	Archives  []Archive      `json:"archives,omitempty"`
	// Interrupted is the operation without an end of its own that this one put in order.
	Interrupted *Operation `json:"interrupted,omitempty"`
	// Notes say what a reader must know of the log itself, such as records that are missing before this one.
	Notes []string `json:"notes,omitempty"`
}

// Who did it, from where.
type Who struct {
	User    string `json:"user"`
	UID     int    `json:"uid"`
	Host    string `json:"host"`
	Context string `json:"context,omitempty"` // Docker's
}

// Project is the identity of the project.
type Project struct {
	Name       string `json:"name"`
	WorkingDir string `json:"workingDir,omitempty"`
	EngineID   string `json:"engineID,omitempty"`
}

// Archive is an archive that was made, restored or removed.
type Archive struct {
	Change string `json:"change"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"`
}

// Operation is one that was killed.
type Operation struct {
	Name  string    `json:"operation"`
	Began time.Time `json:"began"`
	Step  string    `json:"step,omitempty"` // the last on record
}

// Torn are bytes before a record that are none: a crash cut a write short.
type Torn struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Record is a line of the log.
type Record struct {
	Version  int    `json:"version"` // 1
	Log      string `json:"log"`     // drawn once for each log
	Sequence int64  `json:"sequence"`
	Entry
	Torn *Torn  `json:"torn,omitempty"`
	Prev string `json:"prev"`
	Hash string `json:"hash,omitempty"`
}

// Head names a record and with it all before it.
type Head struct {
	Log      string `json:"log"`
	Sequence int64  `json:"sequence"`
	Hash     string `json:"hash"`
}

// head is the head of the log that ends with r.
func (r Record) head() Head { return Head{Log: r.Log, Sequence: r.Sequence, Hash: r.Hash} }

// zero is what the first record has as prev.
const zero = "0000000000000000000000000000000000000000000000000000000000000000"

// Between the hashed part of a line and its end stand the hash and these.
const (
	hashMember = `,"hash":"`
	lineEnd    = `"}`
)

// encode returns the line of a record without its newline, and sets the record's hash. What is hashed is the line without its last
// member, the hash.
func encode(r *Record) ([]byte, error) {
	r.Hash = ""
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, err
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	r.Hash = hashOf(body)
	return append(body[:len(body)-1:len(body)-1], hashMember+r.Hash+lineEnd...), nil
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// What is wrong with a line.
var (
	errNoRecord = errors.New("is no record")
	errChanged  = errors.New("was changed: its hash is not that of its content")
)

// decode reads a line. errChanged: it is a record, as far as it goes, whose hash does not fit.
func decode(line []byte) (Record, error) {
	var r Record
	tail := len(hashMember) + len(zero) + len(lineEnd)
	if len(line) < tail || !bytes.HasSuffix(line, []byte(lineEnd)) {
		return r, errNoRecord
	}
	body, rest := line[:len(line)-tail], line[len(line)-tail:]
	if !bytes.HasPrefix(rest, []byte(hashMember)) {
		return r, errNoRecord
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("%w: %w", errNoRecord, err)
	}
	stored := string(rest[len(hashMember) : len(hashMember)+len(zero)])
	if hashOf(append(body[:len(body):len(body)], '}')) != stored {
		return r, errChanged
	}
	return r, nil
}
