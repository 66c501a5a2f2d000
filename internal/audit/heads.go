package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/journal"
)

// known is a head as the state folder has it.
type known struct {
	Head
	// Volume names the file system that the log was on, where the system tells: another disk at the same path is no cut log.
	Volume string `json:"volume,omitempty"`
}

// heads is what the state folder knows of the logs of a directory.
type heads struct {
	Dir  string  `json:"dir"`
	Logs []known `json:"logs"`
}

// HeadsFile is the file in the state folder that keeps the heads of this directory's logs.
func (l *Log) HeadsFile() string {
	return filepath.Join(l.State, "audit", journal.Key(l.real())+".json")
}

// real is the directory by its one true path, as far as it can be told.
func (l *Log) real() string {
	if real, err := filepath.EvalSymlinks(l.Dir); err == nil {
		return real
	}
	return filepath.Clean(l.Dir)
}

// known returns the heads that the state folder has of the logs of this directory.
func (l *Log) known() (heads, error) {
	h := heads{Dir: l.real()}
	if l.State == "" {
		return h, nil
	}
	data, err := os.ReadFile(l.HeadsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("read the known head of the audit log: %w", err)
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return h, fmt.Errorf("read the known head of the audit log: %s: %w", l.HeadsFile(), err)
	}
	return h, nil
}

// setAside keeps known heads that cannot be read from being written over: a person may still find in them what the log has lost.
func (l *Log) setAside() error {
	if err := durable.Rename(l.HeadsFile(), l.HeadsFile()+".damaged"); err != nil {
		return fmt.Errorf("set the known head of the audit log aside: %w", err)
	}
	return nil
}

// Known tells whether the state folder knows a log of this directory.
func (l *Log) Known() bool {
	h, err := l.known()
	return err == nil && len(h.Logs) > 0
}

// of is the known head of a log; the zero value where it is not known.
func (h heads) of(log string) Head {
	for _, k := range h.Logs {
		if k.Log == log {
			return k.Head
		}
	}
	return Head{}
}

// missing are the heads of logs that were on this file system, other than log.
func (h heads) missing(volume, log string) []Head {
	var out []Head
	for _, k := range h.Logs {
		if k.Log != log && k.Volume == volume {
			out = append(out, k.Head)
		}
	}
	return out
}

// keep notes a head in the state folder.
func (l *Log) keep(h heads, head Head) error {
	if l.State == "" {
		return nil
	}
	entry := known{Head: head, Volume: volumeOf(l.Dir)}
	if i := slices.IndexFunc(h.Logs, func(k known) bool { return k.Log == head.Log }); i >= 0 {
		h.Logs[i] = entry
	} else {
		h.Logs = append(h.Logs, entry)
	}
	data, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(l.HeadsFile(), append(data, '\n'), 0o600)
}
