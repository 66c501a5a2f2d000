package plugin

import (
	"cmp"
	"context"
	"encoding/json"
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
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
)

// listOptions are the flags of list.
type listOptions struct {
	backups string
	format  string
	quiet   bool
	noTrunc bool
}

// listTable is the table of list.
const listTable = "table {{.Name}}\t{{.Age}}\t{{.Size}}\t{{.Files}}\t{{.Reason}}\t{{.State}}"

func (a *app) listCommand() *cobra.Command {
	var opts listOptions
	cmd := &cobra.Command{
		Use:     "list [OPTIONS]",
		Aliases: []string{"ls"},
		Short:   "List the backups",
		Long: `List the archives in the backups directory, newest first, with what is known of
them, and the retention in force. Archives of the former script are listed too.
Asks no engine.`,
		Example:           examples("docker memsys list", "docker memsys list --format json", "docker memsys list -q --backups /opt/memory-system/backups"),
		Args:              noArgs,
		GroupID:           groupData,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.list(cmd.Context(), opts) },
	}
	backupsFlag(cmd, &opts.backups)
	cmd.Flags().StringVar(&opts.format, "format", "", cliflags.FormatHelp)
	cmd.Flags().BoolVarP(&opts.quiet, "quiet", "q", false, "Print names alone")
	cmd.Flags().BoolVar(&opts.noTrunc, "no-trunc", false, "Print notes and reasons in full")
	return cmd
}

// backupsFlag adds --backups.
func backupsFlag(cmd *cobra.Command, target *string) {
	cmd.Flags().StringVar(target, "backups", "", "Backups directory (default: the project's, see docker memsys config)")
	_ = cmd.RegisterFlagCompletionFunc("backups", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

// list prints the backups.
func (a *app) list(ctx context.Context, opts listOptions) error {
	dir, err := a.openArchives(ctx, opts.backups, nil)
	if err != nil {
		return err
	}
	if err := dir.named(opts.backups); err != nil {
		return err
	}
	all, err := dir.List(ctx)
	if err != nil {
		return err
	}
	if err := a.printBackups(all, opts); err != nil {
		return err
	}
	if opts.quiet || opts.format != "" && opts.format != formatter.TableFormatKey {
		return nil
	}
	return a.printf("\n%s\n", retentionLine(dir))
}

// retentionLine says what is kept, and where.
func retentionLine(dir *archives) string {
	if dir.Config == nil {
		return fmt.Sprintf("Backups in %s; no project, so no retention is in force.", display.Clean(dir.Path))
	}
	r := dir.Config.Retention
	return fmt.Sprintf("Retention: %s. Backups in %s.", retentionWords(r), display.Clean(dir.Path))
}

// retentionWords is a policy as a person says it.
func retentionWords(r compose.Retention) string {
	return fmt.Sprintf("%d daily, %d weekly, %d monthly, the last %d", r.Daily, r.Weekly, r.Monthly, r.Last)
}

// tableOf is the table of list, with the notes where there are any, and with why nothing is known of an archive.
func tableOf(all []store.Backup) string {
	table := listTable
	if slices.ContainsFunc(all, func(b store.Backup) bool { return b.Note != "" && b.Reason != store.BeforeRestore }) {
		table += "\t{{.Note}}"
	}
	if slices.ContainsFunc(all, func(b store.Backup) bool { return !described(b) && !b.Former }) {
		table += "\t{{.Why}}"
	}
	return table
}

// described tells whether the archive or its record says what is in it.
func described(b store.Backup) bool { return b.ID != "" }

// printBackups prints backups as --format and --quiet ask.
func (a *app) printBackups(all []store.Backup, opts listOptions) error {
	if opts.quiet {
		opts.format = "{{.Name}}"
	}
	var rows []*backupRow
	for _, b := range all {
		rows = append(rows, &backupRow{Backup: b, now: a.world.Now(), trunc: !opts.noTrunc})
	}
	return printRows(a, opts.format, tableOf(all), newBackupRow(), rows)
}

// backupRow is a backup as templates see it.
type backupRow struct {
	formatter.HeaderContext
	store.Backup
	now   time.Time
	trunc bool
}

// newBackupRow is the row of the headers.
func newBackupRow() *backupRow {
	row := &backupRow{}
	row.Header = formatter.SubHeaderContext{
		"Name": "BACKUP", "Age": "AGE", "Created": "CREATED", "Size": "SIZE", "Files": "FILES", "Reason": "REASON",
		"Note": "NOTE", "State": "STATE", "Why": "WHY", "ID": "ID", "Path": "PATH", "Proven": "PROVEN", "Validation": "VALIDATION",
	}
	return row
}

// Name is the archive's file name.
func (r *backupRow) Name() string { return display.Clean(r.Backup.Name) }

// Path is where the archive lies.
func (r *backupRow) Path() string { return display.Clean(r.Backup.Path) }

// ID is the backup's own id, whatever its name.
func (r *backupRow) ID() string { return r.Backup.ID }

// Age is how long ago the backup was made.
func (r *backupRow) Age() string { return age(r.now, r.Backup.Created) }

// Created is when the backup was made.
func (r *backupRow) Created() string { return r.Backup.Created.Format(time.RFC3339) }

// Proven is when every byte was last read and checked.
func (r *backupRow) Proven() string {
	if r.Backup.Proven.IsZero() {
		return "never"
	}
	return r.Backup.Proven.Format(time.RFC3339)
}

// Validation is what the last look at the data came to.
func (r *backupRow) Validation() string {
	if r.Backup.Validation == nil {
		return "never"
	}
	return string(r.Backup.Validation.Status)
}

// Size is the size of the archive's file.
func (r *backupRow) Size() string { return size(r.Backup.Size) }

// Files is the number of files in the backup; a former script's archive does not say, nor does one that cannot be read.
func (r *backupRow) Files() string {
	if !described(r.Backup) {
		return "-"
	}
	return strconv.FormatInt(r.Backup.Files, 10)
}

// Reason is why the backup was made.
func (r *backupRow) Reason() string {
	if r.Former {
		return "former script"
	}
	return cmp.Or(display.Clean(r.Backup.Reason), "-")
}

// Note is what the person who made the backup wrote.
func (r *backupRow) Note() string { return r.cut(r.Backup.Note, 30) }

// Why is what is wrong with a backup that is not verified.
func (r *backupRow) Why() string { return r.cut(r.Backup.Why, 60) }

// State is what is known of the backup.
func (r *backupRow) State() string {
	state := string(r.Backup.State)
	if r.Backup.Damaged() {
		state += ", its data is damaged"
	}
	if len(r.Selected) > 0 {
		state += " (only " + display.Clean(strings.Join(r.Selected, ", ")) + ")"
	}
	return state
}

// cut shortens text in a table.
func (r *backupRow) cut(text string, width int) string {
	text = display.Clean(text)
	if r.trunc {
		return formatter.Ellipsis(text, width)
	}
	return text
}

// MarshalJSON is the backup as docs/json-output.md describes it.
func (r *backupRow) MarshalJSON() ([]byte, error) { return json.Marshal(backupJSON(r.Backup)) }

// backupObject is a backup in JSON output.
type backupObject struct {
	Name     string     `json:"name"`
	Path     string     `json:"path"`
	ID       string     `json:"id,omitempty"`
	Created  time.Time  `json:"created"`
	Size     int64      `json:"size"`
	Files    int64      `json:"files"`
	Bytes    int64      `json:"bytes"`
	Reason   string     `json:"reason,omitempty"`
	Note     string     `json:"note,omitempty"`
	Services []string   `json:"services,omitempty"`
	State    string     `json:"state"`
	Why      string     `json:"why,omitempty"`
	Proven   *time.Time `json:"proven,omitempty"`
	Former   bool       `json:"former"`
	// Validation is the last look at its data.
	Validation *validationObject `json:"validation,omitempty"`
}

// validationObject is in JSON output what the last look at the data in a backup came to.
type validationObject struct {
	Status inventory.Status           `json:"status"`
	Depth  inventory.Depth            `json:"depth"`
	Time   time.Time                  `json:"time"`
	Counts map[inventory.Status]int64 `json:"counts,omitempty"`
}

// validationJSON is v for JSON output.
func validationJSON(v *store.Validation) *validationObject {
	if v == nil {
		return nil
	}
	return &validationObject{Status: v.Status, Depth: v.Depth, Time: v.Time, Counts: v.Counts}
}

// backupJSON is b for JSON output.
func backupJSON(b store.Backup) backupObject {
	object := backupObject{
		Name: b.Name, Path: b.Path, ID: b.ID, Created: b.Created, Size: b.Size, Files: b.Files, Bytes: b.Bytes, Reason: b.Reason,
		Note: b.Note, Services: b.Selected, State: string(b.State), Why: b.Why, Former: b.Former,
		Validation: validationJSON(b.Validation),
	}
	if !b.Proven.IsZero() {
		object.Proven = &b.Proven
	}
	return object
}

// age is how long ago t was.
func age(now, t time.Time) string {
	d := now.Sub(t)
	if d < 0 {
		return "in the future"
	}
	return units.HumanDuration(d) + " ago"
}

// size is a number of bytes for a person.
func size(n int64) string { return progress.Size(n) }
