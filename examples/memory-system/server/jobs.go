package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/memsys/docker-memsys/examples/memory-system/atomicfile"
	"github.com/memsys/docker-memsys/examples/memory-system/corpus"
	"github.com/memsys/docker-memsys/examples/memory-system/memory"
)

const (
	exportPage = 100
	maxAnswer  = 256 << 20
)

// askHealth fails unless the service says that it is well. The image has no curl.
func (c config) askHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var answer json.RawMessage
	return c.ask(ctx, "/health", &answer)
}

// ask reads the JSON that the service gives for a path; a status that tells of a failure is an error.
func (c config) ask(ctx context.Context, path string, into any) error {
	body, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

func (c config) request(ctx context.Context, method, path string, content []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.serviceURL+path, bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("ask the service: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the service: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("ask the service: %w", err)
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("%s: %s", res.Status, bytes.TrimSpace(body))
	}
	return body, nil
}

// get prints an answer of the service.
func (c config) get(ctx context.Context, path string, out io.Writer) error {
	body, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	_, err = out.Write(body)
	return err
}

// fill adds made-up memories through the service, as its users add theirs.
func (c config) fill(ctx context.Context, n int, value uint64) error {
	notes := corpus.New(value)
	for range n {
		body, err := json.Marshal(contentOf(notes.Next()))
		if err != nil {
			return fmt.Errorf("encode made-up memory: %w", err)
		}
		if _, err := c.request(ctx, http.MethodPost, "/api/memories", body); err != nil {
			return fmt.Errorf("add made-up memory: %w", err)
		}
	}
	return nil
}

func contentOf(n corpus.Note) memory.Content {
	return memory.Content{Text: n.Text, Tags: n.Tags, Source: n.Source, Metadata: n.Metadata}
}

// seed adds made-up memories. It must not run beside the service.
func (c config) seed(n int, value uint64) error {
	store, err := memory.Open(c.dataDir, memory.Options{Now: c.now, Fast: true})
	if err != nil {
		return err
	}
	notes := corpus.New(value)
	for range n {
		note := notes.Next()
		if _, err := store.AddAt(note.ID, note.At, contentOf(note)); err != nil {
			return fmt.Errorf("add made-up memory: %w", err)
		}
	}
	return store.Close()
}

// reindex throws embeddings and indexes away and makes them anew. It must not run beside the service.
func (c config) reindex() error {
	for _, sub := range []string{"embeddings", "indexes"} {
		if err := os.RemoveAll(filepath.Join(c.dataDir, sub)); err != nil {
			return fmt.Errorf("remove old index: %w", err)
		}
	}
	store, err := memory.Open(c.dataDir, memory.Options{Now: c.now})
	if err != nil {
		return err
	}
	return store.Close()
}

// export writes all memories that the service tells to one JSONL file, newest first.
func (c config) export(ctx context.Context, path string) error {
	var out []byte
	for offset := 0; ; offset += exportPage {
		var page struct {
			Total    int               `json:"total"`
			Memories []json.RawMessage `json:"memories"`
		}
		if err := c.ask(ctx, fmt.Sprintf("/api/memories?offset=%d&limit=%d", offset, exportPage), &page); err != nil {
			return fmt.Errorf("export memories: %w", err)
		}
		for _, m := range page.Memories {
			out = append(append(out, m...), '\n')
		}
		if offset+exportPage >= page.Total {
			return atomicfile.Writer{Durable: true}.Write(path, out)
		}
	}
}
