package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/store"
)

// operationDiff is the operation of a comparison for which services are held still.
const operationDiff = "diff"

// diffOptions are the flags of diff.
type diffOptions struct {
	lockOptions
	backups  string
	sources  []string
	limit    int
	all      bool
	quiet    bool
	exitCode bool
	noPause  bool
	format   string
}

func (a *app) diffCommand() *cobra.Command {
	var opts diffOptions
	cmd := &cobra.Command{
		Use:   "diff [OPTIONS] BACKUP [BACKUP]",
		Short: "Show which memories came, went and changed",
		Long: `Compare the records of a backup with those of another, or with the live data: memories
in JSON files, rows of SQLite databases, records of Chroma collections, by their ids.
Files that hold no records are compared by their content. What came, went and
changed is counted for each collection and named. BACKUP is a name, a path, an id,
latest, or latest_backup.txt; two backups are compared without asking an engine.

Of live stores and databases a private copy is looked at, for which the services that
write them are held still as for a backup. What is damaged has no records: it is named,
and the command ends with 3. Differences end with 0, or with 9 where --exit-code or
--quiet asks for it.`,
		Example: examples("docker memsys diff latest", "docker memsys diff --all latest", "docker memsys diff memory_backup_20260102_030405 memory_backup_20260103_030405",
			"docker memsys diff --quiet latest || echo 'something differs'", "docker memsys diff --format json latest"),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return argError(cmd, "%s needs one backup, or two, got %d", cmd.CommandPath(), len(args))
		},
		GroupID:           groupData,
		ValidArgsFunction: a.completeBackups(2),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.diff(cmd.Context(), args, opts) },
	}
	flags := cmd.Flags()
	backupsFlag(cmd, &opts.backups)
	flags.StringArrayVar(&opts.sources, "source", nil, "Compare this source alone; may be repeated")
	flags.IntVar(&opts.limit, "limit", 20, "Name at most so many records of each change in a collection")
	flags.BoolVar(&opts.all, "all", false, "Name every record that differs")
	flags.BoolVarP(&opts.quiet, "quiet", "q", false, "Print nothing, end with 9 where anything differs")
	flags.BoolVar(&opts.exitCode, "exit-code", false, "End with 9 where anything differs")
	flags.BoolVar(&opts.noPause, "no-pause", false, "Hold nobody still while live stores are copied")
	flags.StringVar(&opts.format, "format", "", formatHelp)
	lockFlags(cmd, &opts.lockOptions)
	_ = cmd.RegisterFlagCompletionFunc("source", a.completeSources)
	return cmd
}

// check refuses flags that mean nothing, before anything is read.
func (o *diffOptions) check() error {
	if o.limit < 0 {
		return usagef("--limit: must not be negative, got %d", o.limit)
	}
	if o.all {
		o.limit = -1
	}
	if o.quiet {
		o.limit, o.exitCode = 0, true
	}
	return checkFormat(o.format, diffObject{})
}

func (o *diffOptions) overrides() compose.Overrides {
	v := map[string][]string{}
	if o.backups != "" {
		v["backups"] = []string{o.backups}
	}
	if o.noPause {
		v["quiesce"] = []string{string(quiesce.None)}
	}
	return compose.Overrides{Values: v}
}

func (a *app) diff(ctx context.Context, args []string, opts diffOptions) error {
	if err := opts.check(); err != nil {
		return err
	}
	var out diffObject
	var err error
	if len(args) == 2 {
		out, err = a.diffBackups(ctx, args, opts)
	} else {
		out, err = a.diffLive(ctx, args[0], opts)
	}
	if err != nil {
		return err
	}
	if !opts.quiet {
		if err := a.printDiff(out, opts.format); err != nil {
			return err
		}
	}
	return out.outcome(opts)
}

// outcome is how a comparison ends.
func (d diffObject) outcome(opts diffOptions) error {
	switch {
	case len(d.Notes) > 0:
		return &outcome{code: exitIncomplete, message: "the comparison is incomplete: " + d.Notes[0] + moreWords(len(d.Notes)-1), hint: d.hint()}
	case opts.exitCode && !d.Same && opts.quiet:
		return &outcome{code: exitDiffers}
	case opts.exitCode && !d.Same:
		return &outcome{code: exitDiffers, message: "there are differences"}
	}
	return nil
}

// hint is where what could not be compared is told in full.
func (d diffObject) hint() string {
	for _, side := range []diffSide{d.After, d.Before} {
		if side.unsound {
			return strings.TrimSpace("docker memsys validate " + side.Backup)
		}
	}
	return ""
}

func moreWords(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// diffBackups compares two backups.
func (a *app) diffBackups(ctx context.Context, args []string, opts diffOptions) (diffObject, error) {
	dir, err := a.openArchives(ctx, opts.backups, args)
	if err != nil {
		return diffObject{}, err
	}
	c := a.comparison(opts)
	for i, arg := range args {
		b, err := dir.Find(ctx, arg)
		if err == nil {
			err = c.side(i, b)
		}
		if err != nil {
			return diffObject{}, err
		}
	}
	if err := c.chosen(append(c.names(0), c.names(1)...)); err != nil {
		return diffObject{}, err
	}
	c.skipAlike()
	for i, take := range []func(inventory.Record){c.before, c.after} {
		if err := c.read(ctx, i, take); err != nil {
			return diffObject{}, err
		}
	}
	if err := c.name(ctx); err != nil {
		return diffObject{}, err
	}
	if err := c.compareFiles(ctx); err != nil {
		return diffObject{}, err
	}
	return c.result(), nil
}

// diffLive compares a backup with the live data. Only where somebody is held still for it, it is an operation with lock and record.
func (a *app) diffLive(ctx context.Context, arg string, opts diffOptions) (out diffObject, err error) {
	s, err := a.openSession(ctx, opts.overrides())
	if err != nil {
		return out, err
	}
	b, err := s.Store.Find(ctx, arg)
	if err != nil {
		return out, err
	}
	c := a.comparison(opts)
	if err := c.side(0, b); err != nil {
		return out, err
	}
	if !s.mayHold(ctx) {
		defer s.leave(ctx)
		a.noticeInterrupted(s.project)
		return c.live(ctx, s)
	}
	if ctx, err = s.begin(ctx, operationDiff, opts.lockOptions, map[string]any{"backup": b.Path}); err != nil {
		return out, err
	}
	out, err = c.live(ctx, s)
	return out, errors.Join(err, s.end(ctx, err))
}

// live compares with what the session's sources hold.
func (c *comparison) live(ctx context.Context, s *session) (diffObject, error) {
	known := c.names(0)
	for _, src := range s.Sources {
		if src.Excluded == "" {
			known = append(known, src.Name)
		}
	}
	if err := c.chosen(known); err != nil {
		return diffObject{}, err
	}
	s.Sources = slices.Clone(s.Sources)
	for i := range s.Sources {
		if s.Sources[i].Excluded == "" && !slices.Contains(c.sources, s.Sources[i].Name) {
			s.Sources[i].Excluded = "not asked for"
		}
	}
	if err := c.read(ctx, 0, c.before); err != nil {
		return diffObject{}, err
	}
	if err := c.readLive(ctx, s); err != nil {
		return diffObject{}, err
	}
	if err := c.name(ctx); err != nil {
		return diffObject{}, err
	}
	if err := c.compareLiveFiles(ctx, s); err != nil {
		return diffObject{}, err
	}
	return c.result(), nil
}

// side takes a backup as one of the two sides.
func (c *comparison) side(i int, b store.Backup) error {
	if b.Former {
		return &outcome{
			code: exitFailed, message: fmt.Sprintf("%s was made by another program: its records cannot be compared", b.Name),
			hint: "docker memsys import " + b.Path + ", and compare with that",
		}
	}
	m, err := store.ReadManifest(b.Path)
	if err != nil {
		return &outcome{code: exitDamaged, message: fmt.Sprintf("%s cannot be read: %v", b.Name, err), hint: "docker memsys verify " + b.Name, err: err}
	}
	c.backups[i], c.manifests[i] = b, m
	return nil
}
