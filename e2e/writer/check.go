package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// check looks at a copy of the folder, prints how far each subject had come, and fails with all that is torn.
func check(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: writer check DIR")
	}
	found := map[string]int64{}
	var errs []error
	for name, look := range map[string]func(string) (int64, error){
		"atomic.json": state, "inplace.json": state, "lines.jsonl": lastLine, "wal.db": sound, "delete.db": sound,
		"chroma.sqlite3": func(path string) (int64, error) { return chroma(filepath.Dir(path)) },
	} {
		path := filepath.Join(args[0], name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		n, err := look(path)
		found[name] = n
		errs = append(errs, err)
	}
	if len(found) == 0 {
		return fmt.Errorf("nothing to check in %s", args[0])
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}
