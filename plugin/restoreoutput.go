package plugin

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/validate"
)

// absolute is a path as it is meant in the working directory.
func (a *app) absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	dir, err := a.world.Dir()
	if err != nil {
		return "", fmt.Errorf("find working directory: %w", err)
	}
	return filepath.Join(dir, path), nil
}

// mostPaths is how many paths of a kind a plan names; JSON has them all.
const mostPaths = 10

// printRestorePlan prints the plan as the result of a dry run.
func (a *app) printRestorePlan(p *restore.Plan, units []*validate.Unit, around hooks.Plan, said []string, format string) error {
	if format != "" {
		return a.printFormatted(format, restorePlan{p, units, plannedHooks(around)})
	}
	return writeClean(a.out, a.unitsText(units)+restorePlanText(p, around, said))
}

// showRestorePlan shows the plan to the person who is asked.
func (a *app) showRestorePlan(p *restore.Plan, units []*validate.Unit, around hooks.Plan, said []string) error {
	a.pauseDisplay()
	return writeClean(a.err, a.unitsText(units)+restorePlanText(p, around, said))
}

// writeClean writes text line by line, without control characters that a file's name may hold.
func writeClean(w io.Writer, text string) error {
	for line := range strings.Lines(text) {
		if _, err := fmt.Fprintln(w, display.Clean(strings.TrimSuffix(line, "\n"))); err != nil {
			return fmt.Errorf("write plan: %w", err)
		}
	}
	return nil
}

// restorePlanText is the plan for a person. Warnings that were said already are not said again.
func restorePlanText(p *restore.Plan, around hooks.Plan, said []string) string {
	var b strings.Builder
	b.WriteString(throughText(p.Through, p.Why))
	b.WriteString(undoText(p))
	if p.Backup.Path != "" {
		fmt.Fprintf(&b, "verify %s of %s (%s)\n", p.Backup.Name, p.Backup.Created.Local().Format(time.DateTime), p.Backup.Reason)
	}
	b.WriteString(hookLines(around.Before))
	if len(p.Stop) > 0 {
		fmt.Fprintf(&b, "stop %s\n", containerNames(p.Stop))
	}
	if len(p.Targets) > 0 {
		fmt.Fprintf(&b, "%s\n", safetyText(p.Safety))
	}
	for _, t := range p.Targets {
		targetText(&b, t)
	}
	for _, s := range p.Skipped {
		fmt.Fprintf(&b, "leave out %s: %s\n", s.Name, s.Why)
	}
	if len(p.Targets) > 0 {
		fmt.Fprintf(&b, "compare every file with the backup, and count what is in them\n")
	}
	if len(p.Stop) > 0 {
		fmt.Fprintf(&b, "start %s\n", containerNames(p.Stop))
	}
	b.WriteString(hookLines(around.After))
	for _, d := range p.Differences {
		fmt.Fprintf(&b, "warning: %s\n", d)
	}
	for _, w := range p.Warnings {
		if slices.Contains(said, w) {
			continue
		}
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	for _, r := range p.Refusals {
		fmt.Fprintf(&b, "refused: %s\n", r.Text)
	}
	return b.String()
}

func safetyText(s restore.Safety) string {
	switch s.Mode {
	case restore.SafetyBackup:
		return "back up the present state (before-restore)"
	case restore.SafetyAside:
		return "set the present entries aside, in a folder .memsys-… of each source: " + s.Why
	}
	return "keep nothing of the present state: " + s.Why
}

func containerNames(all []restore.Container) string {
	var names []string
	for _, c := range all {
		name := c.Service
		if name == "" || c.Foreign {
			name = c.Name
		}
		if c.Foreign {
			name += " (not of this project)"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func targetText(b *strings.Builder, t *restore.Target) {
	root := t.Root
	switch {
	case t.Volume != nil:
		root = "new volume " + t.Volume.Name
	case t.Missing:
		root += " (new)"
	}
	name := t.Name
	if t.Was != "" {
		name += " (" + t.Was + " in the backup)"
	}
	fmt.Fprintf(b, "restore %s %s -> %s: %s, %s%s\n", t.Kind, name, root, plural(t.Entries, "entry", "entries"), size(t.Bytes), fromText(t))
	if t.Missing {
		return
	}
	c := t.Changes
	if c.None() {
		fmt.Fprintf(b, "  nothing differs from the backup\n")
	}
	pathsText(b, "add", c.Added)
	pathsText(b, "change", c.Changed)
	pathsText(b, "set mode, owner or time of", c.Attributes)
	pathsText(b, "remove", c.Removed)
	pathsText(b, "keep untouched", c.Kept)
	if t.Aside != "" {
		fmt.Fprintf(b, "  what is replaced stays in a folder .memsys-… of the source: %s\n", t.Aside)
	}
}

func pathsText(b *strings.Builder, what string, paths []string) {
	if len(paths) == 0 {
		return
	}
	shown := slices.Clone(paths[:min(len(paths), mostPaths)])
	if i := slices.Index(shown, "."); i >= 0 {
		shown[i] = "the source itself"
	}
	names := strings.Join(shown, ", ")
	if more := len(paths) - mostPaths; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	fmt.Fprintf(b, "  %s %d: %s\n", what, len(paths), names)
}

// printRestore prints the result; a restore that lacks something ends with its own exit code.
func (a *app) printRestore(r restoreResult, format string) error {
	if err := a.printRestoreResult(r, format); err != nil {
		return err
	}
	if r.Complete {
		return hooksFailed(r.Hooks, "the data is restored")
	}
	hint := "docker memsys inspect " + r.Backup.Name
	if r.Undoes != nil || len(r.Aside) > 0 {
		hint = "docker memsys aside"
	}
	return &outcome{
		code: exitIncomplete, hint: hint,
		message: "the restore is incomplete: " + strings.Join(lacking(r.Result), "; "),
	}
}

func (a *app) printRestoreResult(r restoreResult, format string) error {
	if format != "" {
		return a.printFormatted(format, r)
	}
	what := "restored " + r.Backup.Name
	if r.Undoes != nil {
		what = "undid the restore of " + r.Undoes.Backup
	}
	line := fmt.Sprintf("%s  %s  %s  %.1f s", what, plural(r.Entries, "entry", "entries"), size(r.Bytes), r.Seconds.Total)
	if r.Safety != nil {
		line += "  safety backup " + r.Safety.Name
	}
	text := line + "\n"
	for _, folder := range r.Aside {
		text += "the entries that were replaced are in " + folder + " (docker memsys aside)\n"
	}
	return writeClean(a.out, text)
}

// lacking says why a restore is not complete, the first few by name.
func lacking(r *restore.Result) []string {
	const most = 3
	var out []string
	for _, s := range r.Skipped {
		if s.Wanted {
			out = append(out, s.Name+": "+s.Why)
		}
	}
	for i, p := range r.Problems {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(r.Problems)-most))
			break
		}
		out = append(out, display.Clean(p.Source+"/"+p.Path+": "+p.Text))
	}
	if len(out) == 0 {
		out = append(out, "the backup itself is")
	}
	return out
}
