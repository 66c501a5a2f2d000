package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/validate"
)

// repairOptions are the flags of validate that mend.
type repairOptions struct {
	repair  bool
	yes     bool
	noHooks bool
}

func repairFlags(cmd *cobra.Command, o *repairOptions) {
	cmd.Flags().BoolVar(&o.repair, "repair", false, "Bring damaged files back from the newest backup in which each is good, and look again")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "Do not ask before --repair restores")
	noHooksFlag(cmd, &o.noHooks)
}

// check refuses what says nothing beside --repair, or without it.
func (o repairOptions) check(args []string, format string) error {
	switch {
	case !o.repair && (o.yes || o.noHooks):
		return usagef("--yes and --no-hooks are for --repair")
	case !o.repair:
		return nil
	case len(args) > 0:
		return &usageError{message: "--repair mends the live data: a backup is never changed", hint: "docker memsys validate --repair"}
	case format != "" && format != "json":
		return usagef("--repair prints restores and a report: of formats it takes json alone")
	}
	return nil
}

// validateRepair looks at the live data, mends what is provably safe to mend, and looks again.
func (a *app) validateRepair(ctx context.Context, opts validateOptions) error {
	look, dryRun := opts, opts.dryRun
	look.dryRun = false
	var first *validate.Report
	verdict := a.validateLive(ctx, look, func(r *validate.Report) error {
		if opts.format == "" {
			if err := a.printValidation(r, look); err != nil {
				return err // nobody has read what is to be mended
			}
		}
		first = r
		return look.validated(r)
	})
	if first == nil {
		return verdict
	}
	m := mending{}
	if first.Status == inventory.Damaged {
		var err error
		if m, err = a.repair(ctx, first, opts.restores(dryRun)); err != nil {
			return err
		}
	}
	switch {
	case len(m.groups) == 0:
		return a.unmended(first, m, opts, verdict)
	case dryRun:
		return verdict
	}
	return a.validateLive(ctx, look, func(r *validate.Report) error {
		err := a.reported(r, look)
		if r.Status == inventory.Damaged {
			return m.failed(r, "still damaged: ")
		}
		return err
	})
}

// unmended ends a run that has nothing to restore, or nothing to restore it from. verdict is that of the look.
func (a *app) unmended(first *validate.Report, m mending, opts validateOptions, verdict error) error {
	if opts.format != "" {
		if err := a.printValidation(first, opts); err != nil {
			return err
		}
	}
	switch {
	case first.Status == inventory.Damaged && opts.dryRun:
		return verdict
	case first.Status == inventory.Damaged:
		return m.failed(first, "nothing could be mended: ")
	case opts.format == "":
		return errors.Join(writeClean(a.err, "nothing is damaged: there is nothing to mend\n"), verdict)
	}
	return verdict
}

// restores are the options of the restores that mend.
func (o *validateOptions) restores(dryRun bool) restoreOptions {
	return restoreOptions{lockOptions: o.lockOptions, backups: o.backups, yes: o.yes, noHooks: o.noHooks, dryRun: dryRun, format: o.format}
}

// mending is what --repair can do about a report.
type mending struct {
	groups [][]*validate.Unit
	// person are words for what is damaged and not mended: what must be done is theirs to know.
	person []string
}

// failed is the outcome of a mending after which something is damaged.
func (m mending) failed(r *validate.Report, prefix string) error {
	return &outcome{code: exitDamaged, message: prefix + verdictText(r, inventory.Damaged), hint: m.next()}
}

// next is what is left for a person to do.
func (m mending) next() string {
	if len(m.person) == 0 {
		return "docker memsys validate --repair tries once more, docker memsys restore --undo takes back what was restored last"
	}
	return "what was not mended is named above; docker memsys export --plain DIR BACKUP lays an older state out beside it"
}

// repair brings damaged files of a validation of the live data back: each from the newest backup in which it is good, by a restore of its own with plan,
// safety backup and undo.
func (a *app) repair(ctx context.Context, report *validate.Report, o restoreOptions) (mending, error) {
	m, err := a.mend(ctx, report, o)
	if err != nil {
		return m, err
	}
	for _, text := range m.person {
		a.sink().Report(progress.Event{Step: "repair", Status: progress.Warning, Text: "not mended: " + text})
	}
	return m, a.restoreUnits(ctx, m.groups, o)
}

// mend decides what is restored.
func (a *app) mend(ctx context.Context, report *validate.Report, o restoreOptions) (m mending, err error) {
	files, person := validate.Repairable(report)
	for _, f := range person {
		m.person = append(m.person, findingWords(f)+": a person must look at it")
	}
	if n := validate.Unlisted(report); n > 0 {
		m.person = append(m.person, plural(n, "further finding is", "further findings are")+" not listed: run it again after this")
	}
	if len(files) == 0 {
		return m, nil
	}
	s, err := a.openSession(ctx, o.overrides())
	if err != nil {
		return m, err
	}
	found, err := s.findLastGood(ctx, validate.LastGood{Exact: files})
	if none := (*store.NotFoundError)(nil); errors.As(err, &none) {
		m.person = append(m.person, plural(countPaths(files), "damaged file", "damaged files")+": there is no backup to take them from")
		return m, nil
	}
	if err != nil {
		return m, err
	}
	for _, path := range found.Unmatched {
		m.person = append(m.person, path+": no backup has it")
	}
	for _, u := range found.Units {
		at := u.Where()
		switch {
		case u.Backup == "":
			m.person = append(m.person, at+": no backup has it undamaged ("+passedText(u)+")")
		case u.Unchecked != "":
			m.person = append(m.person, fmt.Sprintf("%s: in %s it could not be looked at in full (%s); docker memsys restore --last-good --path takes it all the same", at, u.Backup, u.Unchecked))
			u.Backup = ""
		default:
			u.Lost = u.Loses(report.Inventories[u.Source])
		}
	}
	m.groups = found.ByBackup()
	return m, nil
}

// isGone tells whether the folder of a source is not there, as far as this process can see that.
func (s *session) isGone(ctx context.Context, src compose.Source) bool {
	if s.way == nil || s.way.helper {
		return false
	}
	at, err := s.place(ctx, src)
	if err != nil {
		return false
	}
	_, err = tree.Lstat(at)
	return errors.Is(err, fs.ErrNotExist)
}

func countPaths(files map[string][]string) (n int64) {
	for _, paths := range files {
		n += int64(len(paths))
	}
	return n
}

// findingWords names a finding for a person.
func findingWords(f inventory.Finding) string {
	words := slices.DeleteFunc([]string{strings.Trim(f.Source+"/"+f.Path, "/"), f.Object, f.Text}, func(s string) bool { return s == "" })
	return display.Clean(strings.Join(words, ": "))
}

// checkKept compares what was counted with the inventory of the last good backup.
func (s *session) checkKept(ctx context.Context, wants func(string) bool, found *validate.Report) []inventory.Result {
	all, err := s.Store.List(ctx)
	if err != nil {
		return nil // the checks of the backups say so
	}
	b, ok := s.Store.NewestGood(all)
	if !ok {
		return nil
	}
	m, err := store.ReadManifest(b.Path)
	if err != nil {
		return nil
	}
	before := validate.Before{Backup: b.Name, Inventories: map[string]inventory.Inventory{}}
	for _, src := range s.Sources {
		if src.Excluded == "" && found.Inventories[src.Name].Files == 0 && s.isGone(ctx, src) {
			before.Gone = append(before.Gone, src.Name)
		}
	}
	for _, src := range m.Sources {
		if src.Inventory != nil && src.Missing == "" {
			before.Inventories[src.Name] = *src.Inventory
		}
	}
	results := validate.CheckKept(found.Inventories, before, wants)
	if len(results) == 0 {
		return nil
	}
	older := slices.DeleteFunc(s.usable(all), func(one store.Backup) bool { return one.Name == b.Name })
	return validate.CheckEmptied(results, s.emptied(ctx, found, b, older))
}

// emptied are the files that hold nothing now and held records in the last good backup. One that was just about to be written is not among them.
func (s *session) emptied(ctx context.Context, found *validate.Report, newest store.Backup, older []store.Backup) []validate.Emptied {
	scratch, err := s.app.makeScratch()
	if err != nil {
		s.warn("validate", err.Error())
		return nil
	}
	defer func() { _ = removeScratch(scratch) }() // the next command sweeps it
	all, err := validate.FindEmptied(ctx, found, newest, older, inventory.Options{Scratch: scratch})
	if err != nil && ctx.Err() == nil {
		s.warn("validate", err.Error())
	}
	if len(all) == 0 || looksAgain(ctx, secondLook) != nil {
		return nil
	}
	return slices.DeleteFunc(all, func(e validate.Emptied) bool { return !e.Zeros && !s.stillEmpty(ctx, e) })
}

// secondLook is the wait before a file that looks emptied is looked at again: the longest.
const secondLook = 100

// stillEmpty looks at a file once more.
func (s *session) stillEmpty(ctx context.Context, e validate.Emptied) bool {
	for _, src := range s.Sources {
		if src.Name != e.Source {
			continue
		}
		place, err := s.place(ctx, src)
		if err != nil {
			return false
		}
		c := sizesCall{Paths: []string{path.Join(place, e.Path)}, Sized: true}
		found := []sized{sizeOf(ctx, c.Paths[0], true)}
		if s.far != nil {
			err = s.far.Call(ctx, callSizes, c, &found)
		}
		return err == nil && len(found) == 1 && found[0].Size == 0
	}
	return false
}
