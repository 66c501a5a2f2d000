package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	cliflags "github.com/docker/cli/cli/flags"
	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/store"
)

// inspectOptions are the flags of inspect.
type inspectOptions struct {
	backups string
	format  string
}

// inspection is a backup with its manifest, as JSON output and templates see it.
type inspection struct {
	backupObject
	SHA256   string            `json:"sha256,omitempty"`
	Manifest *archive.Manifest `json:"manifest,omitempty"`
	// Validation is the last look at its data, with what was found.
	Validation *store.Validation `json:"validation,omitempty"`
}

func (a *app) inspectCommand() *cobra.Command {
	var opts inspectOptions
	cmd := &cobra.Command{
		Use:   "inspect [OPTIONS] BACKUP",
		Short: "Show what is in a backup",
		Long: `Show the manifest of a backup: the project, its services and sources with their
counts, the memories, tables, collections and vectors in them, what was left out and
why, and what the last look at the data has found. BACKUP is a name, a path, an id, latest, or
latest_backup.txt. Asks no engine.`,
		Example: examples("docker memsys inspect latest", "docker memsys inspect --format json memory_backup_20260102_030405.tar.gz",
			"docker memsys inspect --format '{{.Manifest.Project.Name}}' latest"),
		Args:              oneArg("backup"),
		GroupID:           groupData,
		ValidArgsFunction: a.completeBackups(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.inspect(cmd.Context(), args[0], opts) },
	}
	backupsFlag(cmd, &opts.backups)
	cmd.Flags().StringVar(&opts.format, "format", "", cliflags.InspectFormatHelp)
	return cmd
}

// inspect prints what is known of one backup.
func (a *app) inspect(ctx context.Context, arg string, opts inspectOptions) error {
	dir, err := a.openArchives(ctx, opts.backups, []string{arg})
	if err != nil {
		return err
	}
	b, err := dir.Find(ctx, arg)
	if err != nil {
		return err
	}
	seen := inspection{backupObject: backupJSON(b), Validation: b.Validation}
	if seen.SHA256, err = storeOf(dir.Dir, b).SHA256(b.Name); err != nil {
		return err
	}
	seen.Manifest, err = store.ReadManifest(b.Path)
	if err != nil && !errors.Is(err, archive.ErrNotOurs) {
		return &outcome{code: exitDamaged, message: fmt.Sprintf("%s cannot be read: %v", b.Name, err), hint: "docker memsys verify " + b.Name, err: err}
	}
	if opts.format != "" {
		return a.printFormatted(opts.format, seen)
	}
	return a.printInspection(b, seen)
}

// printInspection prints an inspection for a person.
func (a *app) printInspection(b store.Backup, seen inspection) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	row := &backupRow{Backup: b, now: a.world.Now()}
	field(w, "Backup", b.Name)
	field(w, "Path", b.Path)
	field(w, "Created", fmt.Sprintf("%s (%s)", row.Created(), row.Age()))
	field(w, "State", row.State())
	field(w, "Why", b.Why)
	field(w, "Proven", row.Proven())
	field(w, "Data", dataWords(b.Validation))
	field(w, "SHA-256", seen.SHA256)
	field(w, "Size", row.Size())
	field(w, "Reason", row.Reason())
	field(w, "Note", b.Note)
	if seen.Manifest != nil {
		manifestFields(w, seen.Manifest)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	if seen.Manifest == nil {
		return nil
	}
	return errors.Join(a.printManifestTables(seen.Manifest), a.printInventory(seen.Manifest), a.printFindings(b.Validation))
}

// field prints one line of an inspection, nothing for an empty value.
func field(w *tabwriter.Writer, name, value string) {
	if value != "" {
		fmt.Fprintf(w, "%s:\t%s\n", name, display.Clean(value))
	}
}

// manifestFields prints what a manifest says of the whole.
func manifestFields(w *tabwriter.Writer, m *archive.Manifest) {
	field(w, "Project", fmt.Sprintf("%s in %s", m.Project.Name, m.Project.WorkingDir))
	field(w, "Compose files", strings.Join(m.Project.ConfigFiles, ", "))
	held := m.Quiesce.Mode
	if len(m.Quiesce.Services) > 0 {
		held += fmt.Sprintf(" of %s for %s", strings.Join(m.Quiesce.Services, ", "),
			time.Duration(m.Quiesce.Seconds*float64(time.Second)).Round(time.Millisecond))
	}
	field(w, "Quiesce", held)
	for _, warning := range m.Warnings {
		field(w, "Warning", warning)
	}
	field(w, "Written by", "docker memsys "+m.Tool)
}

// printManifestTables prints sources, services, exclusions and problems.
func (a *app) printManifestTables(m *archive.Manifest) error {
	sources := [][]string{}
	for _, s := range m.Sources {
		where := s.Path
		if s.Volume != nil {
			where = s.Volume.Name
		}
		state := "in the backup"
		if s.Missing != "" {
			state = "missing: " + s.Missing
		}
		sources = append(sources, []string{s.Name, s.Kind, where, fmt.Sprint(s.Files), size(s.Bytes), state})
	}
	services := [][]string{}
	for _, s := range m.Services {
		services = append(services, []string{s.Name, s.Image, cmp.Or(s.State, "-")})
	}
	left := [][]string{}
	for _, e := range m.Exclusions {
		left = append(left, []string{e.Source, e.Rule, fmt.Sprint(e.Count), size(e.Bytes), e.Why})
	}
	problems := [][]string{}
	for _, p := range m.Problems {
		problems = append(problems, []string{p.Source, p.Path, p.Kind, p.Error})
	}
	return errors.Join(
		a.printSection([]string{"SOURCE", "KIND", "WHERE", "FILES", "SIZE", "STATE"}, sources),
		a.printSection([]string{"SERVICE", "IMAGE", "STATE"}, services),
		a.printSection([]string{"LEFT OUT OF", "RULE", "ENTRIES", "SIZE", "WHY"}, left),
		a.printSection([]string{"PROBLEM IN", "PATH", "KIND", "ERROR"}, problems))
}

// printSection prints a table below a blank line, nothing where it has no rows.
func (a *app) printSection(header []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if err := a.printf("\n"); err != nil {
		return err
	}
	return a.printTable(header, rows)
}

// printTable prints rows in columns.
func (a *app) printTable(header []string, rows [][]string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, row := range rows {
		clean := make([]string, len(row))
		for i, cell := range row {
			clean[i] = display.Clean(cell)
		}
		fmt.Fprintln(w, strings.Join(clean, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}
