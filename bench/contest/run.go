package contest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/memsys/docker-memsys/bench/measure"
)

// The two things that are measured.
const (
	Backup  = "backup"
	Restore = "restore"
)

// Run is one measurement.
type Run struct {
	Tool   string `json:"tool"`
	Action string `json:"action"`
	Round  int    `json:"round"`
	measure.Cost
	// Bytes is the size of the archive or repository.
	Bytes int64 `json:"bytes"`
	// Phases are the seconds that docker memsys tells for its own phases.
	Phases map[string]float64 `json:"phases,omitempty"`
}

// Contest is rounds of all tools on one store.
type Contest struct {
	Place  Place
	Rounds int
	// Expected is how many bytes of files a restore must bring back at least.
	Expected int64
	// Only are the names of the tools to run; empty means all.
	Only []string
	// Report is called with every run.
	Report func(Run)
}

// Missing returns the tools that are not installed.
func (c Contest) Missing() []Tool {
	var out []Tool
	for _, t := range c.tools() {
		for _, program := range t.Needs {
			if _, err := exec.LookPath(program); err != nil {
				out = append(out, t)
				break
			}
		}
	}
	return out
}

// Run runs the rounds. Each round starts with another tool, so that none has always the same place.
func (c Contest) Run(ctx context.Context) ([]Run, error) {
	missing := map[string]bool{}
	for _, t := range c.Missing() {
		missing[t.Name] = true
	}
	tools := c.tools()
	var out []Run
	for round := range c.Rounds {
		if err := c.warm(ctx); err != nil {
			return out, err
		}
		for i := range tools {
			t := tools[(i+round)%len(tools)]
			if missing[t.Name] {
				continue
			}
			runs, err := c.round(ctx, t, round+1)
			out = append(out, runs...)
			if err != nil {
				return out, fmt.Errorf("round %d of %s: %w", round+1, t.Name, err)
			}
		}
	}
	return out, nil
}

func (c Contest) tools() []Tool {
	if len(c.Only) == 0 {
		return c.Place.Tools()
	}
	var out []Tool
	for _, t := range c.Place.Tools() {
		for _, name := range c.Only {
			if t.Name == name {
				out = append(out, t)
			}
		}
	}
	return out
}

// warm reads the store, so that the tool that comes next finds it in the cache, whoever came before.
func (c Contest) warm(ctx context.Context) error {
	_, err := measure.Run(ctx, measure.Step{Pipeline: [][]string{{"tar", "-cf", "-", "-C", c.Place.Store, "data"}, {"cat"}}, Out: os.DevNull})
	if err != nil {
		return fmt.Errorf("read store: %w", err)
	}
	return nil
}

func (c Contest) round(ctx context.Context, t Tool, round int) (runs []Run, err error) {
	if err := c.clean(t); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.clean(t)) }()
	for _, dir := range []string{filepath.Join(c.Place.Work, "out"), t.Restored} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make folder: %w", err)
		}
	}
	if _, err := measure.Run(ctx, t.Prepare...); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	if err := c.warm(ctx); err != nil { // some kernels take pages back that nobody has read for a minute
		return nil, err
	}
	run, err := c.measure(ctx, t, Backup, round, t.Backup)
	if err != nil {
		return nil, err
	}
	runs = append(runs, run)
	if t.Restore == nil {
		return runs, nil
	}
	run, err = c.measure(ctx, t, Restore, round, t.Restore)
	if err != nil {
		return runs, err
	}
	if err := c.checkRestored(t); err != nil {
		return append(runs, run), err
	}
	return append(runs, run), c.setAside(t, round)
}

// setAside empties the restored files and moves them away. They are not removed before all is measured: ext4 takes no inode
// again that was freed in the last minutes, and searches past thousands of them for every file that the next tool makes.
func (c Contest) setAside(t Tool, round int) error {
	err := filepath.WalkDir(t.Restored, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return os.Truncate(path, 0)
	})
	if err != nil {
		return fmt.Errorf("empty restored files: %w", err)
	}
	used := filepath.Join(c.Place.Store, "used")
	if err := os.MkdirAll(used, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.Rename(t.Restored, filepath.Join(used, fmt.Sprintf("%s-%d", filepath.Base(t.Restored), round))); err != nil {
		return fmt.Errorf("move restored files: %w", err)
	}
	return nil
}

func (c Contest) measure(ctx context.Context, t Tool, action string, round int, steps []measure.Step) (Run, error) {
	// What other tools have left to write must not slow this one down.
	if _, err := measure.Run(ctx, measure.Step{Pipeline: [][]string{{"sync"}}}); err != nil {
		return Run{}, err
	}
	cost, err := measure.Run(ctx, steps...)
	if err != nil {
		return Run{}, err
	}
	size, err := resultSize(t.Result)
	if err != nil {
		return Run{}, err
	}
	run := Run{Tool: t.Name, Action: action, Round: round, Cost: cost, Bytes: size, Phases: phases(cost.Output)}
	if c.Report != nil {
		c.Report(run)
	}
	return run, nil
}

// clean removes what a tool has written.
func (c Contest) clean(t Tool) error {
	if err := os.RemoveAll(t.Restored); err != nil {
		return fmt.Errorf("remove restored files: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(c.Place.Work, "out")); err != nil {
		return fmt.Errorf("remove archives: %w", err)
	}
	if t.Name != Memsys {
		return nil
	}
	backups := filepath.Join(c.Place.Store, "backups")
	entries, err := os.ReadDir(backups)
	if err != nil {
		return fmt.Errorf("read backups folder: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.Contains(e.Name(), "backup") {
			if err := os.RemoveAll(filepath.Join(backups, e.Name())); err != nil {
				return fmt.Errorf("remove archive: %w", err)
			}
		}
	}
	return nil
}

// checkRestored refuses a restore that did not bring everything back.
func (c Contest) checkRestored(t Tool) error {
	got, err := treeSize(t.Restored)
	if err != nil {
		return err
	}
	if got < c.Expected {
		return fmt.Errorf("restored %d bytes of %d", got, c.Expected)
	}
	return nil
}

func resultSize(pattern string) (int64, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return 0, fmt.Errorf("look for %s: %w", pattern, err)
	}
	if len(names) != 1 {
		return 0, fmt.Errorf("%d results match %s", len(names), pattern)
	}
	return treeSize(names[0])
}

func treeSize(path string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}
