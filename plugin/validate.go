package plugin

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/validate"
)

// The words of --fail-on.
const (
	failOnDamaged = "damaged"
	failOnWarning = "warning"
)

// formatJUnit is the word of --format for the report that build servers read.
const formatJUnit = "junit"

// validateOptions are the flags of validate.
type validateOptions struct {
	lockOptions
	repairOptions
	backups    string
	checks     []string
	skip       []string
	sources    []string
	depth      string
	failOn     string
	quiesce    string
	noPause    bool
	format     string
	dryRun     bool
	listChecks bool
}

func (a *app) validateCommand() *cobra.Command {
	var opts validateOptions
	cmd := &cobra.Command{
		Use:   "validate [OPTIONS] [BACKUP]",
		Short: "Tell whether the data makes sense, live or in a backup",
		Long: `Look into the data: JSON memory files, SQLite databases, Chroma folders, files of
vectors, certificates; at the services and what they have mounted; at the age of the
backups. Nothing is changed. Without an argument the live data is looked at: of
stores and databases a private copy, for which the services that write them are held
still as for a backup. BACKUP is a name, a path, an id, latest, or latest_backup.txt:
its data is looked at inside the archive, no engine is asked, and the result is kept
beside it.

Damage is told only where a second look shows it too. Ends with 4 where something is
damaged, with 3 where something could not be looked at.

With --repair each damaged file, database or store comes back from the newest backup in
which it is good, after a plan and a question, with a safety backup, by restores that can
be undone; then all is looked at again. Nothing else is changed: what no backup has
undamaged, and what is damaged outside of files, is named for a person.`,
		Example: examples("docker memsys validate", "docker memsys validate latest", "docker memsys validate --checks memories,databases.integrity --depth quick",
			"docker memsys validate --fail-on warning --format junit > validate.xml", "docker memsys validate --dry-run",
			"docker memsys validate --repair --dry-run"),
		Args:              atMostOne("backup"),
		GroupID:           groupData,
		ValidArgsFunction: a.completeBackups(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.validate(cmd.Context(), args, opts) },
	}
	flags := cmd.Flags()
	backupsFlag(cmd, &opts.backups)
	flags.StringSliceVar(&opts.checks, "checks", nil, "Make these checks or groups of checks only, separated by commas")
	flags.StringSliceVar(&opts.skip, "skip", nil, "Leave these checks or groups of checks out")
	flags.StringArrayVar(&opts.sources, "source", nil, "Look at this source only; may be repeated")
	flags.StringVar(&opts.depth, "depth", string(inventory.Full), "How closely to look: quick, full")
	flags.StringVar(&opts.failOn, "fail-on", failOnDamaged, "What ends with 4: damaged, warning (or worse)")
	flags.StringVar(&opts.quiesce, "quiesce", "", "How writers are held still while stores are copied: auto, pause, stop, none (default: the project's)")
	flags.BoolVar(&opts.noPause, "no-pause", false, "Hold nobody still: as --quiesce none")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "Show what would be looked at and who would be held still")
	flags.BoolVar(&opts.listChecks, "list-checks", false, "List all checks")
	flags.StringVar(&opts.format, "format", "", strings.Replace(formatHelp, "'TEMPLATE'", "'junit':            Print a JUnit report in XML\n'TEMPLATE'", 1))
	lockFlags(cmd, &opts.lockOptions)
	repairFlags(cmd, &opts.repairOptions)
	completeWords(cmd, "depth", string(inventory.Quick), string(inventory.Full))
	completeWords(cmd, "fail-on", failOnDamaged, failOnWarning)
	completeWords(cmd, "quiesce", string(quiesce.Auto), string(quiesce.Pause), string(quiesce.Stop), string(quiesce.None))
	_ = cmd.RegisterFlagCompletionFunc("checks", completeChecks)
	_ = cmd.RegisterFlagCompletionFunc("skip", completeChecks)
	return cmd
}

// completeChecks completes the groups and the checks.
func completeChecks(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var words []string
	for _, g := range inventory.Groups() {
		words = append(words, string(g))
	}
	for _, c := range validate.Checks() {
		words = append(words, cobra.CompletionWithDesc(c.ID, c.Title))
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// check refuses flags that mean nothing, before anything is done.
func (o *validateOptions) check(args []string) error {
	for _, f := range []struct {
		flag, value string
		words       []string
	}{
		{"--depth", o.depth, []string{string(inventory.Quick), string(inventory.Full)}},
		{"--fail-on", o.failOn, []string{failOnDamaged, failOnWarning}},
	} {
		if !slices.Contains(f.words, f.value) {
			return usagef("%s %s means nothing: use %s", f.flag, f.value, strings.Join(f.words, " or "))
		}
	}
	if err := validate.Known(append(slices.Clone(o.checks), o.skip...), compose.Nearest); err != nil {
		return &usageError{message: err.Error(), hint: "docker memsys validate --list-checks"}
	}
	if !o.listChecks && !validate.Some(inventory.Options{Checks: trimmed(o.checks), Skip: trimmed(o.skip)}, len(args) > 0) {
		return &usageError{message: "--checks and --skip leave no check that can be made of " + subjectOf(args), hint: "docker memsys validate --list-checks"}
	}
	if len(args) > 0 && (o.quiesce != "" || o.noPause) {
		return usagef("a backup has no writers to hold still: --quiesce and --no-pause are for live data")
	}
	if o.noPause && o.quiesce != "" && o.quiesce != string(quiesce.None) {
		return usagef("--no-pause and --quiesce %s cannot be given together", o.quiesce)
	}
	if err := o.repairOptions.check(args, o.format); err != nil {
		return err
	}
	return o.checkFormat()
}

// checkFormat refuses formats that say nothing: of words json, and junit for a report. A wrong word would be taken for a template that prints itself.
func (o *validateOptions) checkFormat() error {
	report := !o.listChecks && !o.dryRun
	switch {
	case report && o.format == formatJUnit, o.format == "", o.format == "json":
		return nil
	case o.format == formatJUnit:
		return usagef("--format junit is for reports: --dry-run and --list-checks take json or a template")
	case !strings.Contains(o.format, "{{"):
		return usagef("--format %s means nothing: use json, junit or a template such as '{{.Status}}'", o.format)
	case o.listChecks:
		return checkFormat(o.format, checkObject{})
	case o.dryRun:
		return checkFormat(o.format, validatePlan{Plan: &validate.Plan{}})
	}
	return checkFormat(o.format, validate.Report{})
}

// subjectOf is what is looked at in words.
func subjectOf(args []string) string {
	if len(args) > 0 {
		return "a backup"
	}
	return "live data"
}

// overrides are the settings that the flags give.
func (o *validateOptions) overrides() compose.Overrides {
	v := map[string][]string{}
	if o.backups != "" {
		v["backups"] = []string{o.backups}
	}
	if o.quiesce != "" {
		v["quiesce"] = []string{o.quiesce}
	}
	if o.noPause {
		v["quiesce"] = []string{string(quiesce.None)}
	}
	return compose.Overrides{Values: v}
}

func (a *app) validate(ctx context.Context, args []string, opts validateOptions) error {
	if err := opts.check(args); err != nil {
		return err
	}
	if opts.listChecks {
		return a.printChecks(opts.format)
	}
	if len(args) > 0 {
		return a.validateBackup(ctx, args[0], opts)
	}
	if opts.repair {
		return a.validateRepair(ctx, opts)
	}
	return a.validateLive(ctx, opts, func(r *validate.Report) error { return a.reported(r, opts) })
}

// inspection are the options of each inspection. c is nil where there is no project.
func (o *validateOptions) inspection(a *app, c *compose.Config, scratch string) (inventory.Options, error) {
	out := inventory.Options{
		Depth: inventory.Depth(o.depth), Checks: trimmed(o.checks), Skip: trimmed(o.skip), Scratch: scratch, Now: a.world.Now(),
	}
	return out, inspectionOf(c, &out)
}

// inspectionOf takes what the project's settings say of its data. c is nil where there is no project.
func inspectionOf(c *compose.Config, o *inventory.Options) error {
	if c == nil {
		return nil
	}
	o.Dimension, o.Raw = c.Vectors.Dimension, c.Vectors.Raw
	if c.Schema == "" {
		return nil
	}
	schema, err := os.ReadFile(c.Schema)
	if err != nil {
		return fmt.Errorf("%s: memories.schema: %w", c.Origins["memories.schema"], err)
	}
	o.Schema = schema
	return nil
}

func trimmed(words []string) []string {
	var out []string
	for _, w := range words {
		out = append(out, strings.TrimSpace(w))
	}
	return out
}

// validated is how a validation ends.
func (o *validateOptions) validated(r *validate.Report) error {
	switch {
	case r.Status == inventory.Damaged:
		return &outcome{code: exitDamaged, message: verdictText(r, inventory.Damaged), hint: nextCommand(r)}
	case r.Status == inventory.Warning && o.failOn == failOnWarning:
		return &outcome{code: exitDamaged, message: verdictText(r, inventory.Warning), hint: nextCommand(r)}
	case r.Unread() > 0:
		return &outcome{code: exitIncomplete, message: "validated, but " + plural(r.Unread(), "thing", "things") + " could not be looked at", hint: ""}
	}
	return nil
}
