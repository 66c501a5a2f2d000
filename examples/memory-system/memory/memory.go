// Package memory keeps memories in files and finds them again: one JSON file each, embeddings in NumPy shards, and an
// inverted index in segments.
package memory

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	maxText = 256 << 10
	maxTags = 64
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("no such memory")
	ErrInvalid  = errors.New("not a valid memory")
	ErrDamaged  = errors.New("the data is damaged; nothing is written until it is repaired")
)

// Memory is one memory, as in its file and in the API.
type Memory struct {
	ID        string            `json:"id"`
	Text      string            `json:"text"`
	Tags      []string          `json:"tags"`
	Source    string            `json:"source,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
}

// Content is what a user gives to make or change a memory.
type Content struct {
	Text     string            `json:"text"`
	Tags     []string          `json:"tags"`
	Source   string            `json:"source,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Check returns an ErrInvalid that says what is wrong.
func (c Content) Check() error {
	switch {
	case strings.TrimSpace(c.Text) == "":
		return fmt.Errorf("%w: text is empty", ErrInvalid)
	case len(c.Text) > maxText:
		return fmt.Errorf("%w: text is longer than %d bytes", ErrInvalid, maxText)
	case len(c.Tags) > maxTags:
		return fmt.Errorf("%w: more than %d tags", ErrInvalid, maxTags)
	}
	return nil
}

func (m *Memory) set(c Content) {
	m.Text, m.Tags, m.Source, m.Metadata = c.Text, c.Tags, c.Source, c.Metadata
	if m.Tags == nil {
		m.Tags = []string{}
	}
}

// searchText is what embeddings and index are made from.
func (m *Memory) searchText() string { return m.Text + "\n" + strings.Join(m.Tags, " ") }

// sum names the searchText: embeddings and index carry it, so that a stale one is seen.
func (m *Memory) sum() string {
	s := sha256.Sum256([]byte(m.searchText()))
	return hex.EncodeToString(s[:8])
}

func newID() string {
	var b [10]byte
	// crypto/rand.Read never fails.
	rand.Read(b[:])
	return "mem_" + hex.EncodeToString(b[:])
}

var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func fileName(id string) string { return id + ".json" }

func readMemory(dir, name string) (Memory, error) {
	var m Memory
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, err
	}
	if fileName(m.ID) != name || !validID.MatchString(m.ID) {
		return m, fmt.Errorf("holds the memory %q", m.ID)
	}
	if err := (Content{Text: m.Text, Tags: m.Tags}).Check(); err != nil {
		return m, err
	}
	return m, nil
}

func encode(m Memory) ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode memory %s: %w", m.ID, err)
	}
	return append(data, '\n'), nil
}
