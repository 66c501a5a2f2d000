package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/validate"
)

// checkLastGood refuses what says nothing beside --last-good: it finds the backups itself.
func (o restoreOptions) checkLastGood(args []string) error {
	if len(args) > 0 {
		return &usageError{message: "--last-good finds the backups itself: it takes none", hint: "docker memsys restore --path … " + strings.Join(args, " ")}
	}
	if len(o.paths) == 0 {
		return &usageError{message: "--last-good brings back files: it needs --path", hint: "docker memsys validate names what is damaged, and validate --repair brings it back"}
	}
	if _, err := tree.NewRules(tree.RuleOptions{Patterns: o.paths}); err != nil {
		return usagef("--path: %v", err)
	}
	for flag, given := range map[string]bool{"--to": o.to != "", "--service": len(o.services) > 0, "--map": len(o.maps) > 0} {
		if given {
			return usagef("--last-good and %s cannot be given together", flag)
		}
	}
	return nil
}

// restoreLastGood brings files back from the newest backups in which they are good, one backup after the other.
func (a *app) restoreLastGood(ctx context.Context, args []string, opts restoreOptions) error {
	if err := opts.checkLastGood(args); err != nil {
		return err
	}
	s, err := a.openSession(ctx, opts.overrides())
	if err != nil {
		return err
	}
	found, err := s.findLastGood(ctx, validate.LastGood{Patterns: opts.paths, Sources: opts.sources})
	if err != nil {
		return err
	}
	if err := notGood(found); err != nil {
		return err
	}
	return a.restoreUnits(ctx, found.ByBackup(), opts)
}

func (o restoreOptions) overrides() compose.Overrides {
	if o.backups == "" {
		return compose.Overrides{}
	}
	return compose.Overrides{Values: map[string][]string{"backups": {o.backups}}}
}

// findLastGood looks through the project's backups.
func (s *session) findLastGood(ctx context.Context, g validate.LastGood) (found *validate.Found, err error) {
	a := s.app
	all, err := s.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &store.NotFoundError{Dir: s.Store.Path, Empty: true}
	}
	if g.Options.Scratch, err = a.makeScratch(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, removeScratch(g.Options.Scratch)) }()
	g.Dir, g.Backups, g.Progress, g.Clock = s.Store, s.usable(all), a.sink(), a.world.Now
	return g.Find(ctx)
}

// usable are the backups in which a good state may be: those of this project that are no safety backups, whose state was wrong, and no imports, of
// which nobody knows what state they hold.
func (s *session) usable(all []store.Backup) []store.Backup {
	return slices.DeleteFunc(slices.Clone(all), func(b store.Backup) bool {
		return b.Former || b.State == store.Damaged || b.Reason == store.BeforeRestore || b.Reason == store.Import ||
			b.Owner.Name != s.Name || b.Owner.WorkingDir != s.WorkingDir
	})
}

// notGood is the error for what no backup has, or none has undamaged.
func notGood(found *validate.Found) error {
	looked := "none of this project's is there to be looked at"
	if len(found.Looked) > 0 {
		looked = "looked at " + strings.Join(shortened(found.Looked, 5), ", ")
	}
	if len(found.Unmatched) > 0 {
		return &outcome{
			code: exitNoBackup, message: fmt.Sprintf("no backup has %s; %s; nothing was changed", strings.Join(shortened(found.Unmatched, 5), ", "), looked),
			hint: "docker memsys list",
		}
	}
	bad := found.Bad()
	if len(bad) == 0 {
		return nil
	}
	var texts []string
	for _, u := range bad {
		texts = append(texts, fmt.Sprintf("%s (%s)", u.Where(), passedText(u)))
	}
	return &outcome{
		code: exitFailed, message: "no backup has a good " + strings.Join(shortened(texts, 3), ", ") + "; nothing was changed",
		hint: "docker memsys export --plain DIR BACKUP lays a backup out, to mend by hand what is in it",
	}
}

// shortened is a list of no more than most words, the last of which says how many more there are.
func shortened(words []string, most int) []string {
	if len(words) <= most {
		return words
	}
	return append(slices.Clone(words[:most]), fmt.Sprintf("%d more", len(words)-most))
}

// passedText says why newer backups are not used.
func passedText(u *validate.Unit) string {
	var texts []string
	for _, p := range u.Passed {
		texts = append(texts, p.Backup+": "+p.Why)
	}
	return strings.Join(shortened(texts, 3), "; ")
}

// exactPaths are what a restore is limited to, nil where it is not.
func exactPaths(units []*validate.Unit) map[string][]tree.RawPath {
	if units == nil {
		return nil
	}
	out := map[string][]tree.RawPath{}
	for _, u := range units {
		out[u.Source] = append(out[u.Source], u.Paths...)
	}
	return out
}

// restoreUnits restores the units of each backup, one backup after the other. Each is a restore of its own, with plan, question, safety backup and undo.
func (a *app) restoreUnits(ctx context.Context, groups [][]*validate.Unit, opts restoreOptions) error {
	var done []restoreResult
	for _, units := range groups {
		res, err := a.restoreSome(ctx, units, opts)
		if err != nil {
			return afterSome(done, len(groups), err)
		}
		if opts.dryRun {
			continue
		}
		if err := a.printRestore(res, opts.format); err != nil {
			return err
		}
		done = append(done, res)
	}
	if len(done) > 1 {
		a.sink().Report(progress.Event{Step: "undo", Status: progress.Warning, Text: severalUndone(done)})
	}
	return nil
}

// severalUndone says how several restores are undone: --undo knows the last.
func severalUndone(done []restoreResult) string {
	text := "docker memsys restore --undo takes back the last of these restores"
	if first := done[0].Safety; first != nil {
		text += "; the state from before the first is in " + first.Name
	}
	return text
}

// afterSome is the error of a restore before which others were done.
func afterSome(done []restoreResult, all int, err error) error {
	if len(done) == 0 {
		return err
	}
	var names []string
	for _, r := range done {
		names = append(names, r.Backup.Name)
	}
	return fmt.Errorf("%d of %d restores are done (from %s), then: %w", len(done), all, strings.Join(names, ", "), err)
}

// restoreSome restores some units of one backup, or shows the plan.
func (a *app) restoreSome(ctx context.Context, units []*validate.Unit, opts restoreOptions) (res restoreResult, err error) {
	s, err := a.openSession(ctx, opts.overrides())
	if err != nil {
		return res, err
	}
	b := units[0].From
	opts.units, opts.paths, opts.sources, opts.lastGood = units, nil, nil, false
	if opts.dryRun {
		defer s.leave(ctx)
		a.noticeInterrupted(s.project)
		return res, s.planned(ctx, b, opts, func(p *planned) error {
			return a.printRestorePlan(p.Plan, units, s.restoreHooks(p.Plan, opts), s.Warnings, opts.format)
		})
	}
	res, err = s.restoreLocked(ctx, b, &opts, func(ctx context.Context) (store.Backup, error) { return s.Store.Find(ctx, b.Path) })
	res.LastGood = units
	return res, err
}

// unitsText is what the plan of a restore from the last good backup has beside that of any other.
func (a *app) unitsText(units []*validate.Unit) string {
	var b strings.Builder
	for i, u := range units {
		if i == mostPaths {
			fmt.Fprintf(&b, "and %d more from %s\n", len(units)-i, u.Backup)
			break
		}
		age := (&backupRow{Backup: u.From, now: a.world.Now()}).Age()
		fmt.Fprintf(&b, "%s from %s (%s), the newest in which it is good\n", unitWords(u), u.Backup, age)
		if len(u.Passed) > 0 {
			fmt.Fprintf(&b, "  passed over %s\n", passedText(u))
		}
		for _, lost := range u.Lost {
			fmt.Fprintf(&b, "  lost: %s\n", lost)
		}
		if u.Unchecked != "" {
			fmt.Fprintf(&b, "  warning: not looked at: %s\n", u.Unchecked)
		}
	}
	return b.String()
}

// unitWords names a unit for a person.
func unitWords(u *validate.Unit) string {
	if u.Store {
		return "take the whole store " + u.Where() + " (its files make sense only together)"
	}
	return "take " + u.Where()
}
