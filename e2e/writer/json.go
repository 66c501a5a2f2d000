package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// document is one state of a JSON file: its first and its last field must agree.
type document struct {
	First int64    `json:"first"`
	Items []string `json:"items"`
	Last  int64    `json:"last"`
}

func newDocument(n int64) document {
	d := document{First: n, Last: n}
	for i := range 400 + n%100 { // of a size that changes
		d.Items = append(d.Items, fmt.Sprintf("memory %d of state %d: %s", i, n, strings.Repeat("x", int(i%50))))
	}
	return d
}

// documents writes one state of a file after the other.
func documents(ctx context.Context, dir, name string, put func(path string, data []byte) error) error {
	path := filepath.Join(dir, name)
	n, err := state(path)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		n++
		data, err := json.MarshalIndent(newDocument(n), "", " ")
		if err != nil {
			return err
		}
		if err := put(path, data); err != nil {
			return err
		}
	}
	return nil
}

// state is the number that a file has come to, 0 where there is none.
func state(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return 0, fmt.Errorf("%s is torn: %w", path, err)
	}
	if d.First != d.Last {
		return 0, fmt.Errorf("%s is torn: state %d at its begin, %d at its end", path, d.First, d.Last)
	}
	return d.First, nil
}

// replace writes by a temporary file and a rename, as careful programs do.
func replace(path string, data []byte) error {
	temporary := path + ".part"
	if err := overwrite(temporary, data); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// overwrite empties the file and writes it piece by piece, as careless programs do.
func overwrite(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	for len(data) > 0 {
		piece := data[:min(len(data), 512)]
		if _, err := f.Write(piece); err != nil {
			return err
		}
		data = data[len(piece):]
	}
	return f.Close()
}

// lines appends to a file of one JSON object a line, each in two writes.
func lines(ctx context.Context, dir string) error {
	path := filepath.Join(dir, "lines.jsonl")
	n, err := lastLine(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	for ctx.Err() == nil {
		n++
		line := fmt.Sprintf(`{"n":%d,"text":"%s"}`+"\n", n, strings.Repeat("y", int(n%300)))
		for _, piece := range []string{line[:len(line)/2], line[len(line)/2:]} {
			if _, err := f.WriteString(piece); err != nil {
				return err
			}
		}
		if n%20000 == 0 { // bounded: begin again
			if err := f.Truncate(0); err != nil {
				return err
			}
		}
	}
	return f.Close()
}

// lastLine is the number of the last line; every line must be whole and follow the one before.
func lastLine(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var n int64
	for line := range bytes.Lines(data) {
		var l struct{ N int64 }
		if err := json.Unmarshal(line, &l); err != nil || !bytes.HasSuffix(line, []byte("\n")) {
			return 0, fmt.Errorf("%s is torn after line %d: %q", path, n, line)
		}
		if n > 0 && l.N != n+1 {
			return 0, fmt.Errorf("%s is torn: line %d follows line %d", path, l.N, n)
		}
		n = l.N
	}
	return n, nil
}
