package plugin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/display"
)

// printBackup prints the result line; a backup that lacks something ends with its own exit code.
func (a *app) printBackup(r backupResult, format string) error {
	if err := a.printBackupResult(r, format); err != nil {
		return err
	}
	if r.Backup.Damaged() {
		return damagedData(r.Result)
	}
	if r.Complete {
		return hooksFailed(r.Hooks, "the backup is complete")
	}
	return &outcome{
		code: exitIncomplete, hint: "docker memsys inspect " + r.Name,
		message: fmt.Sprintf("the backup is incomplete: %s", strings.Join(incomplete(r.Result), "; ")),
	}
}

func (a *app) printBackupResult(r backupResult, format string) error {
	if format != "" {
		return a.printFormatted(format, r)
	}
	return a.printf("%s  %s  %s  %.1f s  ratio %.1f%s\n", r.Name, size(r.Size), plural(r.Files, "file", "files"), r.Seconds.Total, r.Ratio, longestHold(r.Result))
}

// incomplete says what is missing, the first few by name.
func incomplete(r *backup.Result) []string {
	const most = 3
	var out []string
	for _, s := range r.Missing {
		out = append(out, fmt.Sprintf("source %s: %s", s.Name, s.Why))
	}
	for i, p := range r.Problems {
		if i == most {
			return append(out, fmt.Sprintf("and %d more", len(r.Problems)-most))
		}
		out = append(out, problemText(p))
	}
	return out
}

// problemText is an entry that could not be read as it should, and the reason without the words that its place says already; of a problem
// that has no place, such as a service that was not held still, all that is said of it.
func problemText(p archive.Problem) string {
	if p.Source == "" {
		return display.Clean(p.Error)
	}
	text, why := strings.TrimSuffix(p.Source+"/"+p.Path, "/.")+": "+p.Kind, p.Error
	if i := strings.LastIndex(why, ": "); i >= 0 && strings.HasSuffix(why[:i], p.Path) {
		why = why[i+2:]
	}
	if why != "" {
		text += " (" + why + ")"
	}
	return display.Clean(text)
}

// plural is a number with the right form of its noun.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

// backupPlan is the plan of a backup in JSON output.
type backupPlan struct {
	Directory string             `json:"directory"`
	Through   string             `json:"through"`
	Why       string             `json:"why,omitempty"`
	Sources   []backupPlanSource `json:"sources"`
	Left      []backupPlanLeft   `json:"left"`
	Quiesce   string             `json:"quiesce"`
	Hold      []string           `json:"hold"`
	Stopped   []backupPlanStop   `json:"stopped,omitempty"`
	Entries   int64              `json:"entries"`
	Bytes     int64              `json:"bytes"`
	Expected  int64              `json:"expected"`
	Free      int64              `json:"free"`
	Warnings  []string           `json:"warnings"`
	Hooks     []plannedHook      `json:"hooks,omitempty"`
}

type backupPlanSource struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Path    string `json:"path"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"`
	Missing string `json:"missing,omitempty"`
}

// backupPlanStop is a service that auto stops, and why.
type backupPlanStop struct {
	Service string `json:"service"`
	Why     string `json:"why"`
}

type backupPlanLeft struct {
	Name string `json:"name"`
	Path string `json:"path"`
	Why  string `json:"why"`
}

// printBackupPlan prints what a backup would do. Warnings that were said already are not said to a person again.
func (a *app) printBackupPlan(p *backup.Plan, around hooks.Plan, said []string, format string) error {
	out := backupPlan{
		Directory: p.Dir.Path, Quiesce: string(p.Quiesce.Action()), Entries: p.Entries, Bytes: p.Bytes, Expected: p.Expected,
		Free: p.Free, Warnings: p.Warnings, Hooks: plannedHooks(around), Through: p.Through, Why: p.Why,
	}
	for _, s := range p.Sources {
		out.Sources = append(out.Sources, backupPlanSource{s.Name, string(s.Kind), s.Root, s.Entries, s.Bytes, s.Missing})
	}
	for _, s := range p.Left {
		out.Left = append(out.Left, backupPlanLeft{s.Name, s.Path, s.Excluded})
	}
	for _, it := range p.Quiesce.Items {
		out.Hold = append(out.Hold, it.Label())
		if it.Why != "" {
			out.Stopped = append(out.Stopped, backupPlanStop{it.Label(), it.Why})
		}
	}
	if format != "" {
		return a.printFormatted(format, out)
	}
	out.Warnings = slices.DeleteFunc(slices.Clone(p.Warnings), func(w string) bool { return slices.Contains(said, w) })
	return a.printBackupSteps(out, around)
}

func (a *app) printBackupSteps(p backupPlan, around hooks.Plan) error {
	var b strings.Builder
	b.WriteString(throughText(p.Through, p.Why))
	b.WriteString(hookLines(around.Before))
	if len(p.Hold) > 0 {
		fmt.Fprintf(&b, "%s %s\n", heldWord(p.Quiesce), strings.Join(p.Hold, ", "))
	}
	for _, s := range p.Stopped {
		fmt.Fprintf(&b, "stop %s: %s\n", s.Service, s.Why)
	}
	for _, s := range p.Sources {
		if s.Missing != "" {
			fmt.Fprintf(&b, "miss %s %s: %s\n", s.Kind, s.Name, s.Missing)
			continue
		}
		fmt.Fprintf(&b, "read %s %s: %s, %s, %s\n", s.Kind, s.Name, s.Path, plural(s.Entries, "entry", "entries"), size(s.Bytes))
	}
	for _, s := range p.Left {
		fmt.Fprintf(&b, "leave %s: %s\n", s.Name, s.Why)
	}
	if len(p.Hold) > 0 {
		fmt.Fprintf(&b, "resume %s\n", strings.Join(p.Hold, ", "))
	}
	b.WriteString(hookLines(around.After))
	fmt.Fprintf(&b, "write about %s into %s (%s free), read it back and verify it\n", size(p.Expected), p.Directory, size(p.Free))
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	for line := range strings.Lines(b.String()) {
		if err := a.printf("%s\n", display.Clean(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// heldWord is how services are held in the words of a plan; auto stands for some of each.
func heldWord(mode string) string {
	if mode == "auto" {
		return "hold still"
	}
	return mode
}

// longestHold is the longest time in one go that a service was held still, as a part of the result line.
func longestHold(r *backup.Result) string {
	if len(r.Held) == 0 {
		return ""
	}
	text := fmt.Sprintf("  held %.2f s", r.Seconds.Longest)
	if r.Tries > 1 {
		text += fmt.Sprintf(" at most, %d tries", r.Tries)
	}
	return text
}
