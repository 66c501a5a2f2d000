// Package treetest makes trees that hold everything a file system can hold, and compares two trees without the code that it
// is meant to prove.
package treetest

import (
	_ "embed" // two files of a database
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Options are what Make makes.
type Options struct {
	// Seed decides contents, times and modes: the same seed makes the same tree.
	Seed uint64
	// Files is the number of small ordinary files; 0 is 40.
	Files int
	// Huge adds a sparse file of more than 8 GiB (a few blocks on the disk).
	Huge bool
	// Plain leaves out what plain tar cannot bring back: paths longer than PATH_MAX.
	Plain bool
	// Devices adds device nodes (only root can make them).
	Devices bool
}

// oldest is before every time that is given.
var oldest = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)

// maker makes one tree. The first error stays and ends everything after it.
type maker struct {
	root string
	o    Options
	rand *rand.Rand
	err  error
}

// Make fills root, a new or empty folder, with a hostile tree. What needs root (owners, capabilities, devices) is made as root only.
func Make(root string, o Options) error {
	if o.Files == 0 {
		o.Files = 40
	}
	m := &maker{root: root, o: o, rand: rand.New(rand.NewPCG(o.Seed, 2))}
	m.check(os.MkdirAll(root, 0o755))
	m.memories()
	m.stores()
	m.names()
	m.links()
	m.platform()
	m.times()
	if !o.Plain {
		m.deep()
	}
	m.check(os.Chmod(m.root, 0o751|os.ModeSetgid))
	m.check(setTime(m.root, oldest.Add(123456789)))
	return m.err
}

func (m *maker) check(err error) {
	m.err = errors.Join(m.err, err)
}

func (m *maker) path(name string) string { return filepath.Join(m.root, name) }

func (m *maker) dir(name string, mode os.FileMode) {
	m.check(os.MkdirAll(m.path(name), 0o755))
	m.check(os.Chmod(m.path(name), mode))
}

func (m *maker) file(name string, data []byte, mode os.FileMode) {
	m.check(os.MkdirAll(filepath.Dir(m.path(name)), 0o755))
	m.check(os.WriteFile(m.path(name), data, 0o600))
	m.check(os.Chmod(m.path(name), mode))
}

// bytes are n bytes that do not compress.
func (m *maker) bytes(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(m.rand.Uint32())
	}
	return data
}

// memories are JSON files in nested folders, an embeddings file and empty files and folders.
func (m *maker) memories() {
	for i := range m.o.Files {
		data, err := json.Marshal(map[string]any{"id": i, "text": strings.Repeat("memory ", m.rand.IntN(200)), "n": m.rand.Uint64()})
		m.check(err)
		m.file(fmt.Sprintf("memories/%02d/memory-%05d.json", i%7, i), data, os.FileMode(0o600|m.rand.IntN(0o100)))
	}
	m.file("embeddings/vectors.bin", m.bytes(300_000+m.rand.IntN(100_000)), 0o640)
	m.file("empty-file", nil, 0o444)
	m.file("read-only/inside", []byte("x"), 0o400)
	m.dir("empty", 0o755)
	m.dir("empty-sticky", 0o755|os.ModeSticky)
	m.dir("read-only", 0o555)
}

// database and databaseLog are a whole SQLite database with two memories, one of them in its write-ahead log.
var (
	//go:embed testdata/memory.sqlite3
	database []byte
	//go:embed testdata/memory.sqlite3-wal
	databaseLog []byte
)

// stores are folders like those of LevelDB and RocksDB, whose *.log is data, and SQLite's three files.
func (m *maker) stores() {
	for _, store := range []string{"leveldb", "deep/er/rocksdb"} {
		m.file(store+"/CURRENT", []byte("MANIFEST-000004\n"), 0o644)
		m.file(store+"/MANIFEST-000004", m.bytes(211), 0o644)
		m.file(store+"/000005.log", m.bytes(5000), 0o644)
		m.file(store+"/000003.ldb", m.bytes(9000), 0o644)
		m.file(store+"/LOG", []byte("text"), 0o644)
		m.file(store+"/archive.log", m.bytes(10), 0o644)
	}
	m.file("sqlite/memory.sqlite3", database, 0o644)
	m.file("sqlite/memory.sqlite3-wal", databaseLog, 0o644)
	m.file("sqlite/memory.sqlite3-shm", make([]byte, 32<<10), 0o644)
	m.file("sqlite/beside.log", m.bytes(100), 0o644)
}

// names are those that tools stumble over.
func (m *maker) names() {
	for _, name := range []string{
		"a", "a-b", "a.b", "a/b", "ab", "-rf", " leading and trailing ", "tab\tand\nnewline", "quote\"'`$(id)", "back\\slash",
		"\u00fc-composed", "u\u0308-decomposed", "\u65e5\u672c", "~", "*", "memsys.json", ".hidden", "...", "%2e%2e",
	} {
		if name == "a" || !localName(name) {
			continue
		}
		content := []byte(name)
		if path.Ext(name) == ".json" {
			content = []byte(`{"id": "` + name + `"}`) // backups look at it
		}
		m.file("names/"+name, content, 0o644)
	}
	long := strings.Repeat("n", 255)
	m.file("names/"+long, []byte("255 bytes"), 0o644)
	m.file("names/"+strings.Repeat("d", 255)+"/"+strings.Repeat("e", 255), []byte("twice"), 0o644)
}

// links are hard and symbolic ones, the latter also to nothing and to outside.
func (m *maker) links() {
	m.file("links/first", []byte("three names"), 0o644)
	m.check(os.Link(m.path("links/first"), m.path("links/second")))
	m.dir("links/below", 0o755)
	m.check(os.Link(m.path("links/first"), m.path("links/below/third")))
	for name, target := range map[string]string{
		"file": "first", "up": "../memories", "dangling": "no/such/thing", "absolute": "/etc/hostname", "out": "../../../../..",
		"long": strings.Repeat("../links/", 100) + "first", "self": "self",
	} {
		m.check(os.Symlink(target, m.path("links/to-"+name)))
	}
}

// times gives everything a time of its own with nanoseconds, the deepest first.
func (m *maker) times() {
	if m.err != nil {
		return
	}
	var paths []string
	m.check(filepath.WalkDir(m.root, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}))
	for i := len(paths) - 1; i >= 0; i-- {
		at := oldest.Add(time.Duration(m.rand.Int64N(int64(20 * 365 * 24 * time.Hour))))
		m.check(setTime(paths[i], at))
	}
}
