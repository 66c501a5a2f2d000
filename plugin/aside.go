package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/cli/cli/command/formatter"
	cliflags "github.com/docker/cli/cli/flags"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/restore"
)

// asideOptions are the flags of aside.
type asideOptions struct {
	lockOptions
	remove []string
	yes    bool
	format string
}

const (
	asideTable = "table {{.ID}}\t{{.Source}}\t{{.Time}}\t{{.Entries}}\t{{.Size}}\t{{.Until}}\t{{.Path}}"
	// allAside stands for every id.
	allAside = "all"
)

func (a *app) asideCommand() *cobra.Command {
	var opts asideOptions
	cmd := &cobra.Command{
		Use:   "aside [OPTIONS]",
		Short: "List what restores have set aside, or remove it",
		Long: `List the folders in which restores keep what they have replaced and no safety backup
has: there was no space for one, or it lacked something. They stay until a good backup
was made and at least for seven days; restore --undo puts the newest back.

With --remove ID they go at once, after asking. It is the last copy of what is in them.`,
		Example:           examples("docker memsys aside", "docker memsys aside --format json", "docker memsys aside --remove all"),
		Args:              noArgs,
		GroupID:           groupData,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.aside(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&opts.remove, "remove", nil, "Remove what the restore with this id has set aside, or all; may be repeated")
	flags.BoolVarP(&opts.yes, "yes", "y", false, "Do not ask")
	flags.StringVar(&opts.format, "format", "", cliflags.FormatHelp)
	lockFlags(cmd, &opts.lockOptions)
	_ = cmd.RegisterFlagCompletionFunc("remove", cobra.NoFileCompletions)
	return cmd
}

func (a *app) aside(ctx context.Context, opts asideOptions) error {
	s, err := a.openSession(ctx, compose.Overrides{})
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	all, err := s.findAside(ctx)
	if err != nil {
		return err
	}
	all = whole(all)
	if len(opts.remove) == 0 {
		a.noticeInterrupted(s.project)
		return a.printAside(all, opts.format)
	}
	chosen, err := chooseAside(all, opts.remove)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return a.printRemoved(chosen)
	}
	if err := a.confirm(ctx, "Remove "+asideWords(chosen)+"? No backup is known to have it.", opts.yes); err != nil {
		return err
	}
	s.leave(ctx) // who takes the lock removes every helper
	if ctx, err = s.begin(ctx, "aside", opts.lockOptions, map[string]any{"remove": opts.remove}); err != nil {
		return err
	}
	if all, err = s.findAside(ctx); err == nil {
		chosen = still(chosen, whole(all))
		err = s.removeAside(ctx, chosen)
	}
	if err = errors.Join(err, s.end(ctx, err)); err != nil {
		return err
	}
	return a.printRemoved(chosen)
}

// printRemoved says what is gone: of all that is set aside that may be nothing.
func (a *app) printRemoved(chosen []restore.Aside) error {
	if len(chosen) == 0 {
		return a.printf("nothing is set aside\n")
	}
	return a.printf("removed %s\n", asideWords(chosen))
}

// findAside finds what was set aside in the project's sources, as far as this process reaches them.
func (s *session) findAside(ctx context.Context) ([]restore.Aside, error) {
	f, err := s.reach(ctx, reads)
	if err != nil {
		return nil, err
	}
	var places []restore.Place
	for _, src := range s.Sources {
		root, err := s.place(ctx, src)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err == nil {
			places = append(places, restore.Place{Source: src.Name, Root: root})
		}
	}
	if f == nil {
		return restore.FindAside(ctx, places)
	}
	var all []restore.Aside
	return all, f.Call(ctx, callFindAside, places, &all)
}

// whole leaves out what interrupted removals have left.
func whole(all []restore.Aside) []restore.Aside {
	return slices.DeleteFunc(all, func(a restore.Aside) bool { return a.Remains() })
}

// still are those of asked that are there now: another run may have removed some, or put them back. What it has set aside meanwhile nobody
// was asked about.
func still(asked, now []restore.Aside) []restore.Aside {
	return slices.DeleteFunc(asked, func(a restore.Aside) bool {
		return !slices.ContainsFunc(now, func(n restore.Aside) bool { return n.Path == a.Path })
	})
}

// chooseAside are those of the ids.
func chooseAside(all []restore.Aside, ids []string) ([]restore.Aside, error) {
	if slices.Contains(ids, allAside) {
		return all, nil
	}
	var chosen []restore.Aside
	for _, id := range ids {
		before := len(chosen)
		for _, a := range all {
			if asideID(a) == id {
				chosen = append(chosen, a)
			}
		}
		if len(chosen) == before {
			return nil, &usageError{message: fmt.Sprintf("nothing was set aside under %q", id), hint: "docker memsys aside"}
		}
	}
	return chosen, nil
}

// asideID is the id of the restore, or the folder where that is not known.
func asideID(a restore.Aside) string {
	if a.ID == "" {
		return a.Path
	}
	return a.ID
}

// asideWords says how much of what is meant.
func asideWords(all []restore.Aside) string {
	var bytes int64
	var sources []string
	for _, a := range all {
		bytes += a.Bytes
		if !slices.Contains(sources, a.Source) {
			sources = append(sources, a.Source)
		}
	}
	return fmt.Sprintf("%s that was set aside of %s", size(bytes), strings.Join(sources, ", "))
}

// removeAside removes folders of entries set aside, where they are. A helper that may only read ends first.
func (s *session) removeAside(ctx context.Context, all []restore.Aside) error {
	if s.far != nil && s.far.access != writes {
		s.leave(ctx)
	}
	f, err := s.reach(ctx, writes)
	if err != nil {
		return err
	}
	for _, a := range all {
		if f == nil {
			err = restore.RemoveAside(ctx, a)
		} else {
			err = f.Call(ctx, callRemoveAside, a, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// expireAside removes what was set aside long enough ago, once a good backup was made after it. What cannot be removed is told, and
// changes nothing else.
func (s *session) expireAside(ctx context.Context, good time.Time) {
	report := func(status progress.Status, text string) {
		s.app.sink().Report(progress.Event{Step: "aside", Object: s.Name, Status: status, Text: text})
	}
	all, err := s.findAside(ctx)
	if err != nil {
		report(progress.Warning, err.Error())
		return
	}
	now := s.app.world.Now()
	for _, a := range slices.DeleteFunc(all, func(a restore.Aside) bool { return !a.Due(now, good) }) {
		if err := s.removeAside(ctx, []restore.Aside{a}); err != nil {
			report(progress.Warning, err.Error())
			continue
		}
		if a.Remains() {
			continue
		}
		report(progress.Done, "removed "+asideWords([]restore.Aside{a})+" on "+a.Time.Local().Format(time.DateOnly))
	}
}

// expireAfterRecovery is expireAside with the newest good backup.
func (s *session) expireAfterRecovery(ctx context.Context) {
	all, err := s.Store.List(ctx)
	if err != nil {
		return // who needs the list says so
	}
	if b, ok := s.Store.NewestGood(all); ok {
		s.expireAside(ctx, b.Created)
	}
}

// printAside prints what was set aside as --format asks.
func (a *app) printAside(all []restore.Aside, format string) error {
	var rows []*asideRow
	for _, one := range all {
		rows = append(rows, &asideRow{aside: one, now: a.world.Now()})
	}
	return printRows(a, format, asideTable, newAsideRow(), rows)
}

// asideRow is a folder of entries set aside as templates see it.
type asideRow struct {
	formatter.HeaderContext
	aside restore.Aside
	now   time.Time
}

// newAsideRow is the row of the headers.
func newAsideRow() *asideRow {
	row := &asideRow{}
	row.Header = formatter.SubHeaderContext{
		"ID": "ID", "Source": "SOURCE", "Time": "SET ASIDE", "Entries": "ENTRIES", "Size": "SIZE", "Until": "KEPT AT LEAST UNTIL",
		"Path": "FOLDER", "Backup": "RESTORED", "Why": "WHY",
	}
	return row
}

// ID is that of the restore.
func (r *asideRow) ID() string { return display.Clean(asideID(r.aside)) }

// Source is where it was.
func (r *asideRow) Source() string { return display.Clean(r.aside.Source) }

// Time is how long ago it was set aside.
func (r *asideRow) Time() string { return units.HumanDuration(r.now.Sub(r.aside.Time)) + " ago" }

// Entries is how many there are.
func (r *asideRow) Entries() string { return strconv.FormatInt(r.aside.Entries, 10) }

// Size is that of the files.
func (r *asideRow) Size() string { return size(r.aside.Bytes) }

// Until is the day before which no backup removes it.
func (r *asideRow) Until() string {
	if r.aside.Unknown {
		return "removed by hand"
	}
	return r.aside.Time.Add(restore.AsideTime).Local().Format(time.DateTime)
}

// Path is the folder.
func (r *asideRow) Path() string { return display.Clean(r.aside.Path) }

// Backup is what was restored then.
func (r *asideRow) Backup() string { return display.Clean(r.aside.Backup) }

// Why tells why no safety backup has it.
func (r *asideRow) Why() string { return display.Clean(r.aside.Why) }

// asideObject is a folder of entries set aside in JSON.
type asideObject struct {
	restore.Aside
	// Until is the time before which no backup removes it; zero for one that only goes by hand.
	Until *time.Time `json:"until,omitempty"`
}

// MarshalJSON is the folder with the time until it stays at least.
func (r *asideRow) MarshalJSON() ([]byte, error) {
	o := asideObject{Aside: r.aside}
	if !r.aside.Unknown {
		until := r.aside.Time.Add(restore.AsideTime)
		o.Until = &until
	}
	return json.Marshal(o)
}
