package plugin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// A journal that can be read only in part says too little to act on: starting a service on data between two states would be worse than
// to leave it. So recover looks at what can be seen without it, says what is where, and leaves it to a person.

// recoverDamaged says what is known of an operation whose journal is damaged.
func (s *session) recoverDamaged(ctx context.Context, damaged *journal.DamagedError, format string) error {
	p := &recoveryPlan{Interrupted: true}
	if damaged.Known != nil {
		if known, err := plannedRecovery(damaged.Known); err == nil {
			p = known
		}
	}
	p.Damaged, p.Actions = damaged.Error(), []string{}
	for _, svc := range p.Services {
		p.Actions = append(p.Actions, "service "+svc.Name+" was held still ("+svc.Held+"), container "+svc.Container)
	}
	p.Actions = append(p.Actions, s.standingStill()...)
	found := s.stagings(ctx)
	for _, folder := range found {
		p.Actions = append(p.Actions, filepath.Dir(folder)+" is between two states: former entries that are not in place are in "+folder+
			"/old, restored ones in "+folder+"/new, the moves in "+filepath.Join(folder, tree.SwapFile))
	}
	for _, path := range s.unfinishedArchives() {
		p.Actions = append(p.Actions, "an unfinished archive is in "+path+": it may go")
	}
	if err := s.app.printDamage(p, format); err != nil {
		return err
	}
	hint := "start what stands still, and move " + damaged.Path + " away: the next command begins a new one"
	if len(found) > 0 {
		hint = "put the data in order by hand, or restore a backup once that is done; then " + hint
	}
	return &outcome{code: exitNeedsPerson, message: damaged.Error(), hint: hint, err: damaged}
}

// printDamage prints what is known.
func (a *app) printDamage(p *recoveryPlan, format string) error {
	if format != "" {
		return a.printFormatted(format, p)
	}
	text := ""
	if p.Step != "" {
		text = "the last step on record is " + p.Step + "\n"
	}
	for _, line := range p.Actions {
		text += line + "\n"
	}
	return writeClean(a.out, text)
}

// standingStill are the project's containers that are paused or stopped.
func (s *session) standingStill() (out []string) {
	if !s.reachable() {
		return []string{"no engine answers: what stands still cannot be seen"}
	}
	for _, c := range s.Containers {
		if c.Project != s.Name || c.OneOff {
			continue
		}
		switch c.State {
		case engine.Paused:
			out = append(out, "container "+c.Name+" is paused: docker unpause "+c.Name)
		case engine.Exited, engine.Created:
			out = append(out, "container "+c.Name+" is stopped: docker start "+c.Name+", if it was running before")
		}
	}
	slices.Sort(out)
	return out
}

// stagings are the folders of swaps that were neither finished nor reverted, in all sources that can be reached.
func (s *session) stagings(ctx context.Context) (out []string) {
	for _, src := range s.Sources {
		root, err := s.locate(ctx, src)
		if err != nil {
			continue
		}
		for _, dir := range []string{root, filepath.Dir(root)} { // that of a single file lies beside it
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				folder := filepath.Join(dir, e.Name())
				if swapping, err := tree.Swapping(folder); err == nil && swapping && !slices.Contains(out, folder) {
					out = append(out, folder)
				}
			}
		}
	}
	return out
}

// unfinishedArchives are those in the backups directory.
func (s *session) unfinishedArchives() (out []string) {
	entries, _ := os.ReadDir(s.Store.Path)
	for _, e := range entries {
		if store.IsTemporary(e.Name()) {
			out = append(out, filepath.Join(s.Store.Path, e.Name()))
		}
	}
	return out
}

// damagedJournal is the error as a *journal.DamagedError; nil if it is none.
func damagedJournal(err error) *journal.DamagedError {
	var damaged *journal.DamagedError
	errors.As(err, &damaged)
	return damaged
}
