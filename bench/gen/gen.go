// Package gen makes the files of a memory system, for measurements: the same seed gives the same bytes on every machine.
package gen

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The store that scale 1 of the default size gives.
const (
	DefaultSize     = 600_000_000
	defaultMemories = 20_000
)

// Options say which store to make.
type Options struct {
	// Dir is the folder to fill; it must not exist or be empty.
	Dir string
	// Size is about how many bytes all files have together.
	Size int64
	// Seed chooses the bytes.
	Seed uint64
	// Workers is how many files are made at once; it does not change the bytes.
	Workers int
}

// Part is one kind of files in the store.
type Part struct {
	Name  string `json:"name"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	// Skipped parts are logs and temporary files, which backups of the kind measured here leave out.
	Skipped bool `json:"skipped"`
}

type job func() error

type maker struct {
	Options
	mu    sync.Mutex
	parts []*Part
}

// Make fills a folder and tells what it holds.
func Make(ctx context.Context, o Options) ([]Part, error) {
	if o.Size < 1_000_000 {
		return nil, fmt.Errorf("size %d is under 1 MB", o.Size)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make store folder: %w", err)
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("read store folder: %w", err)
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("folder %s is not empty", o.Dir)
	}
	m := &maker{Options: o}
	jobs, err := m.jobs()
	if err != nil {
		return nil, err
	}
	if err := work(ctx, o.Workers, jobs); err != nil {
		return nil, err
	}
	out := make([]Part, len(m.parts))
	for i, p := range m.parts {
		out[i] = *p
	}
	return out, nil
}

// jobs splits the store into the files to make. Half of it is what a vector database keeps, a third are embeddings.
func (m *maker) jobs() ([]job, error) {
	for _, dir := range []string{
		"backups", "logs", "data/memories", "data/embeddings", "data/indexes", "data/tmp", "data/index/hnsw",
	} {
		if err := os.MkdirAll(filepath.Join(m.Dir, filepath.FromSlash(dir)), 0o755); err != nil {
			return nil, fmt.Errorf("make store folder: %w", err)
		}
	}
	// The longest jobs come first, so that all workers end at about the same time.
	jobs := []job{m.sqlite(m.Size / 4)}
	jobs = append(jobs, m.hnsw(m.Size/4)...)
	jobs = append(jobs, m.embeddings(m.Size/3)...)
	jobs = append(jobs, m.memories(int(m.Size*defaultMemories/DefaultSize))...)
	jobs = append(jobs, m.indexes(m.Size/50)...)
	jobs = append(jobs, m.logs(m.Size/17)...)
	jobs = append(jobs, m.temporary(m.Size/50)...)
	return append(jobs, m.compose()), nil
}

// random is the source of one file's bytes: it depends on the seed and the name alone.
func (m *maker) random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(m.Seed, h.Sum64()))
}

// part begins a kind of files.
func (m *maker) part(name string, skipped bool) *Part {
	p := &Part{Name: name, Skipped: skipped}
	m.parts = append(m.parts, p)
	return p
}

// write makes one file and counts it. Its time depends on the seed and the name, as its bytes do.
func (m *maker) write(p *Part, name string, data []byte) error {
	path := filepath.Join(m.Dir, filepath.FromSlash(name))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return m.finish(p, name)
}

func (m *maker) finish(p *Part, name string) error {
	path := filepath.Join(m.Dir, filepath.FromSlash(name))
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(m.random(name + "@").Int64N(int64(180 * 24 * time.Hour))))
	if err := os.Chtimes(path, at, at); err != nil {
		return fmt.Errorf("set time of %s: %w", name, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p.Files++
	p.Bytes += info.Size()
	return nil
}

func work(ctx context.Context, workers int, jobs []job) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	queue := make(chan job)
	for range max(workers, 1) {
		wg.Go(func() {
			for j := range queue {
				err := ctx.Err()
				if err == nil {
					err = j()
				}
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	wg.Wait()
	return errors.Join(errs...)
}
