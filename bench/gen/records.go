package gen

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// RecordsOptions say how many memories to make.
type RecordsOptions struct {
	// Dir is the folder to fill; it must not exist or be empty.
	Dir string
	// Files are how many files there are, Each how many records are in one.
	Files, Each int
	Seed        uint64
	Workers     int
}

// filesPerFolder is how many of the files lie in one folder.
const filesPerFolder = 1000

// record is a memory of about 170 bytes.
type record struct {
	ID        string    `json:"id"`
	Text      string    `json:"text"`
	Tags      []string  `json:"tags"`
	CreatedAt time.Time `json:"created_at"`
}

// MakeRecords makes memory files of many small records each, half of them JSON arrays and half JSONL, and a compose file beside them.
func MakeRecords(ctx context.Context, o RecordsOptions) (Part, error) {
	m := &maker{Options: Options{Dir: o.Dir, Seed: o.Seed, Workers: o.Workers}}
	p := m.part("memories: JSON and JSONL files of many records", false)
	words := dictionary(m.random("words"))
	jobs := []job{m.compose()}
	for from := 0; from < o.Files; from += filesPerFolder {
		dir := fmt.Sprintf("data/memories/%04d", from/filesPerFolder)
		if err := os.MkdirAll(filepath.Join(o.Dir, filepath.FromSlash(dir)), 0o755); err != nil {
			return *p, fmt.Errorf("make memory folder: %w", err)
		}
		jobs = append(jobs, func() error {
			for i := from; i < min(from+filesPerFolder, o.Files); i++ {
				if err := m.records(p, words, dir, i, o.Each); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := work(ctx, o.Workers, jobs)
	return *p, err
}

func (m *maker) records(p *Part, words []string, dir string, i, each int) error {
	rng := m.random(fmt.Sprintf("records %d", i))
	text := newProse(rng, words)
	var data []byte
	ending, before, between, behind := "json", "[\n", ",\n", "\n]\n"
	if i%2 == 1 {
		ending, before, between, behind = "jsonl", "", "\n", "\n"
	}
	for n := range each {
		encoded, err := json.Marshal(record{
			ID: fmt.Sprintf("mem_%08x%04x%08x", i, n, rng.Uint32()), Text: text.text(20 + rng.IntN(80)), Tags: text.some(1 + rng.IntN(2)),
			CreatedAt: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i*each+n) * time.Second),
		})
		if err != nil {
			return fmt.Errorf("encode memory: %w", err)
		}
		if n == 0 {
			data = append(data, before...)
		} else {
			data = append(data, between...)
		}
		data = append(data, encoded...)
	}
	return m.write(p, fmt.Sprintf("%s/memories-%06d.%s", dir, i, ending), append(data, behind...))
}
