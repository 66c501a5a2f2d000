package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/cli/cli/command/formatter"
	cliflags "github.com/docker/cli/cli/flags"
	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/internal/audit"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/store"
)

// auditOptions are the flags of audit.
type auditOptions struct {
	backups string
	format  string
	limit   int
	since   string
	verify  bool
	noTrunc bool
}

// auditTable is the table of audit.
const auditTable = "table {{.Sequence}}\t{{.Ended}}\t{{.Operation}}\t{{.Result}}\t{{.User}}\t{{.Project}}\t{{.Archives}}"

func (a *app) auditCommand() *cobra.Command {
	var opts auditOptions
	cmd := &cobra.Command{
		Use:   "audit [OPTIONS]",
		Short: "List what was done, or check that the list is unchanged",
		Long: `List the audit log of the backups directory, newest last: every operation that
changed something, who ran it, when, and how it ended. Asks no engine.

With --verify the chain of hashes over all files of the log is checked, and the heads
that the state folder and the backups' records note: a changed byte, a line that is
removed or moved, a tail that is cut off, a missing file. Ends with 4 where one is
found.`,
		Example:           examples("docker memsys audit", "docker memsys audit --since 24h --format json", "docker memsys audit --limit 20", "docker memsys audit --verify"),
		Args:              noArgs,
		GroupID:           groupData,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.audit(cmd.Context(), opts) },
	}
	backupsFlag(cmd, &opts.backups)
	flags := cmd.Flags()
	flags.StringVar(&opts.format, "format", "", cliflags.FormatHelp)
	flags.IntVarP(&opts.limit, "limit", "n", 0, "Show so many of the newest records (default: all)")
	flags.StringVar(&opts.since, "since", "", "Show records that ended since then: 2026-01-31, 2026-01-31T06:00:00Z, or so long ago: 24h")
	flags.BoolVar(&opts.verify, "verify", false, "Check that no record was changed or taken out")
	flags.BoolVar(&opts.noTrunc, "no-trunc", false, "Print names in full")
	return cmd
}

func (a *app) audit(ctx context.Context, opts auditOptions) error {
	since, err := a.sinceTime(opts.since)
	if err != nil {
		return err
	}
	switch {
	case opts.limit < 0:
		return usagef("--limit: must not be negative, got %d", opts.limit)
	case opts.verify && (opts.limit > 0 || opts.since != ""):
		return usagef("--verify checks the whole log: it takes neither --limit nor --since")
	case opts.verify:
		if err := checkFormat(opts.format, &audit.Report{}); err != nil {
			return err
		}
	}
	dir, err := a.openArchives(ctx, opts.backups, nil)
	if err != nil {
		return err
	}
	if err := dir.named(opts.backups); err != nil {
		return err
	}
	if opts.verify {
		return a.verifyAudit(ctx, dir.Dir, opts.format)
	}
	all, err := a.auditLog(dir.Dir).List()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(r audit.Record) bool { return r.Ended.Before(since) })
	if opts.limit > 0 && len(all) > opts.limit {
		all = all[len(all)-opts.limit:]
	}
	return a.printAudit(all, opts)
}

// sinceTime reads --since.
func (a *app) sinceTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return a.world.Now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, time.DateTime, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--since: must be a date such as 2026-01-31, a time such as 2026-01-31T06:00:00Z, or a duration such as 24h, got %q", text)
}

// verifyAudit checks the log and prints the result.
func (a *app) verifyAudit(ctx context.Context, dir *store.Dir, format string) error {
	noted, err := dir.AuditHeads()
	if err != nil {
		return err
	}
	var anchors []audit.Anchor
	for name, head := range noted {
		anchors = append(anchors, audit.Anchor{Head: audit.Head(head), Source: name})
	}
	slices.SortFunc(anchors, func(x, y audit.Anchor) int { return strings.Compare(x.Source, y.Source) })
	report, err := a.auditLog(dir).Verify(ctx, anchors)
	if err != nil {
		return err
	}
	if format != "" {
		err = a.printFormatted(format, report)
	} else {
		err = writeClean(a.out, auditReportText(report))
	}
	if err == nil && len(report.Damage) > 0 {
		err = &outcome{
			code: exitDamaged, message: display.Clean(fmt.Sprintf("the audit log in %s is damaged: %v", dir.Path, report.Err())),
			hint: "compare it with a copy; docs/audit-log.md says what a finding means",
		}
	}
	return err
}

// auditReportText is the result of a check for a person.
func auditReportText(r *audit.Report) string {
	var b strings.Builder
	for _, f := range r.Damage {
		fmt.Fprintf(&b, "%s\n", f)
	}
	for _, f := range r.Notes {
		fmt.Fprintf(&b, "%s\n", f)
	}
	switch {
	case len(r.Damage) > 0:
		fmt.Fprintf(&b, "%s in %s\n", plural(int64(len(r.Damage)), "finding", "findings"), plural(int64(r.Records), "record", "records"))
	case r.Records == 0:
		b.WriteString("there is no audit log yet\n")
	default:
		fmt.Fprintf(&b, "sound: %s in %s, the last is %d %s\n", plural(int64(r.Records), "record", "records"),
			plural(int64(len(r.Files)), "file", "files"), r.Head.Sequence, r.Head.Hash)
	}
	return b.String()
}

// printAudit prints records as --format asks.
func (a *app) printAudit(all []audit.Record, opts auditOptions) error {
	var rows []*auditRow
	for _, r := range all {
		rows = append(rows, &auditRow{record: r, trunc: !opts.noTrunc})
	}
	return printRows(a, opts.format, auditTable, newAuditRow(), rows)
}

// auditRow is a record as templates see it.
type auditRow struct {
	formatter.HeaderContext
	record audit.Record
	trunc  bool
}

// newAuditRow is the row of the headers.
func newAuditRow() *auditRow {
	row := &auditRow{}
	row.Header = formatter.SubHeaderContext{
		"Sequence": "NO", "Began": "BEGAN", "Ended": "ENDED", "Operation": "OPERATION", "Result": "RESULT", "ExitCode": "EXIT", "User": "USER",
		"Host": "HOST", "Project": "PROJECT", "Archives": "ARCHIVES", "Message": "MESSAGE", "Hash": "HASH",
	}
	return row
}

// Sequence is the record's number.
func (r *auditRow) Sequence() string { return strconv.FormatInt(r.record.Sequence, 10) }

// Began is when the operation began, in local time.
func (r *auditRow) Began() string { return r.record.Began.Local().Format(time.DateTime) }

// Ended is when it ended, in local time.
func (r *auditRow) Ended() string { return r.record.Ended.Local().Format(time.DateTime) }

// Operation is what was done, and for a recovery from what.
func (r *auditRow) Operation() string {
	if i := r.record.Interrupted; i != nil {
		return display.Clean(r.record.Operation + " (" + i.Name + ")")
	}
	return display.Clean(r.record.Operation)
}

// Result is how it ended.
func (r *auditRow) Result() string { return display.Clean(r.record.Result) }

// ExitCode is that of the command.
func (r *auditRow) ExitCode() string { return strconv.Itoa(r.record.ExitCode) }

// User is who did it.
func (r *auditRow) User() string { return display.Clean(r.record.Who.User) }

// Host is where.
func (r *auditRow) Host() string { return display.Clean(r.record.Who.Host) }

// Project is whose data it was.
func (r *auditRow) Project() string { return display.Clean(r.record.Project.Name) }

// Archives are the archives that were made, restored or removed.
func (r *auditRow) Archives() string {
	var words []string
	for _, a := range r.record.Archives {
		if r.trunc { // every command takes the name without its end
			a.Name = strings.TrimSuffix(a.Name, ".tar.gz")
		}
		words = append(words, a.Change+" "+a.Name)
	}
	text := display.Clean(strings.Join(words, ", "))
	if r.trunc {
		return formatter.Ellipsis(text, 80)
	}
	return text
}

// Message is what went wrong.
func (r *auditRow) Message() string { return display.Clean(r.record.Message) }

// Hash binds the record to all before it.
func (r *auditRow) Hash() string { return r.record.Hash }

// MarshalJSON is the record as it stands in the log.
func (r *auditRow) MarshalJSON() ([]byte, error) { return json.Marshal(r.record) }
