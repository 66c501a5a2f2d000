package plugin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/validate"
)

// maxShown is how many findings of one check are printed for a person; JSON and JUnit have them all.
const maxShown = 20

// checkObject is a check in JSON output.
type checkObject struct {
	ID    string `json:"id"`
	Group string `json:"group"`
	Title string `json:"title"`
}

// printChecks lists all checks.
func (a *app) printChecks(format string) error {
	rows := [][]string{}
	for _, c := range validate.Checks() {
		if format == "" {
			rows = append(rows, []string{c.ID, c.Title})
			continue
		}
		if err := a.printFormatted(format, checkObject{c.ID, string(c.Group()), c.Title}); err != nil {
			return err
		}
	}
	if format != "" {
		return nil
	}
	return a.printTable([]string{"CHECK", "WHAT"}, rows)
}

// validatePlan is what a validation would do, in JSON output.
type validatePlan struct {
	*validate.Plan
	// Through says where live files are read: direct, or helper; Why says why.
	Through string `json:"through,omitempty"`
	Why     string `json:"why,omitempty"`
}

func (a *app) printValidatePlan(p validatePlan, format string) error {
	if format != "" {
		return a.printFormatted(format, p)
	}
	var b strings.Builder
	b.WriteString(throughText(p.Through, p.Why))
	for _, s := range p.Sources {
		if s.Missing != "" {
			fmt.Fprintf(&b, "miss %s %s: %s\n", s.Kind, s.Name, s.Missing)
			continue
		}
		fmt.Fprintf(&b, "look at %s %s: %s\n", s.Kind, s.Name, s.Where)
	}
	if c := p.Copy; c != nil {
		fmt.Fprintf(&b, "copy the stores and databases (%s) and look at the copy", size(c.Bytes))
		if len(c.Hold) > 0 {
			fmt.Fprintf(&b, "; %s %s meanwhile", heldWord(c.Mode), strings.Join(c.Hold, ", "))
		}
		b.WriteString("\n")
		if len(c.MayStop) > 0 {
			fmt.Fprintf(&b, "stop %s instead, and start again, if nothing else gives a copy that is not torn\n", strings.Join(c.MayStop, ", "))
		}
		if c.Doubt != "" {
			fmt.Fprintf(&b, "damage in what changes between two copies does not count: %s\n", c.Doubt)
		}
	}
	fmt.Fprintf(&b, "make %s at depth %s: %s\n", plural(int64(len(p.Checks)), "check", "checks"), p.Depth, strings.Join(p.Checks, ", "))
	return writeClean(a.out, b.String())
}

// printValidation prints a report.
func (a *app) printValidation(r *validate.Report, opts validateOptions) error {
	switch opts.format {
	case "":
		return writeClean(a.out, reportText(r))
	case formatJUnit:
		return a.printJUnit(r, opts)
	}
	return a.printFormatted(opts.format, r)
}

// checked is what one check came to in all sources.
type checked struct {
	check   inventory.Check
	results []inventory.Result
}

// byCheck are the results of one check together, in the order of the report.
func byCheck(results []inventory.Result) []checked {
	var out []checked
	for _, r := range results {
		if len(out) == 0 || out[len(out)-1].check.ID != r.Check.ID {
			out = append(out, checked{check: r.Check})
		}
		last := &out[len(out)-1]
		last.results = append(last.results, r)
	}
	return out
}

// reportText is a report for a person: a line for each check, below it one for each finding.
func reportText(r *validate.Report) string {
	var b strings.Builder
	group := inventory.Group("")
	for _, c := range byCheck(r.Results) {
		if g := c.check.Group(); g != group {
			group = g
			fmt.Fprintf(&b, "%s\n", group)
		}
		fmt.Fprintf(&b, "  %-11s %s%s\n", inventory.Worst(c.results), c.check.Title, c.details())
		b.WriteString(c.findings())
	}
	fmt.Fprintf(&b, "%s\n", sumText(r))
	return b.String()
}

// details are how many things were looked at, and what there is to know.
func (c checked) details() string {
	var n int64
	var notes []string
	for _, r := range c.results {
		n += r.Checked
		if r.Why != "" && len(r.Findings) == 0 && !slices.Contains(notes, r.Why) {
			notes = append(notes, r.Why)
		}
	}
	text := ""
	if n > 0 {
		text = fmt.Sprintf(": %d", n)
	}
	if len(notes) > 0 {
		text += " (" + strings.Join(notes, "; ") + ")"
	}
	return text
}

// findings are the lines of what was found, the worst first.
func (c checked) findings() string {
	var b strings.Builder
	var more int64
	var all []inventory.Finding
	for _, r := range c.results {
		all, more = append(all, r.Findings...), more+r.More
	}
	slices.SortStableFunc(all, func(x, y inventory.Finding) int { return cmp.Compare(rank(x.Status), rank(y.Status)) })
	for i, f := range all {
		if i == maxShown {
			more += int64(len(all) - i)
			break
		}
		word := ""
		if f.Status != inventory.Damaged {
			word = string(f.Status) + ": "
		}
		fmt.Fprintf(&b, "    %s\n", strings.TrimPrefix(findingPlace(f)+": ", ": ")+word+f.Text)
	}
	if more > 0 {
		fmt.Fprintf(&b, "    and %d more\n", more)
	}
	return b.String()
}

// rank orders by how bad something is.
func rank(s inventory.Status) int {
	return slices.Index([]inventory.Status{inventory.Damaged, inventory.Warning, inventory.Unchecked, inventory.OK}, s)
}

// findingPlace is where a finding is: SOURCE/PATH:LINE:COLUMN (OBJECT).
func findingPlace(f inventory.Finding) string {
	at := f.Source
	if f.Path != "" && f.Path != "." {
		at = strings.TrimPrefix(at+"/"+f.Path, "/")
	}
	switch {
	case f.Line > 0 && f.Column > 0:
		at += fmt.Sprintf(":%d:%d", f.Line, f.Column)
	case f.Line > 0:
		at += fmt.Sprintf(":%d", f.Line)
	case f.At:
		at += fmt.Sprintf(" at byte %d", f.Offset)
	}
	switch {
	case f.Object == "":
		return at
	case at == "":
		return f.Object
	}
	return at + " (" + f.Object + ")"
}

// findingText is a finding with its place.
func findingText(f inventory.Finding) string {
	return display.Clean(strings.TrimPrefix(findingPlace(f)+": ", ": ") + f.Text)
}

// sumText is the last line: the verdict and what was counted.
func sumText(r *validate.Report) string {
	subject := "the live data"
	if r.Backup != "" {
		subject = r.Backup
	}
	var files, records int64
	for _, inv := range r.Inventories {
		files += inv.Files
		for _, c := range inv.Collections {
			records += c.Records
		}
		records += inv.MoreRecords
	}
	word := string(r.Status)
	if r.Status == inventory.Unchecked {
		word = "ok as far as it was looked at"
	}
	return fmt.Sprintf("%s: %s (%s, %s, depth %s, %s)", subject, word, plural(files, "file", "files"), plural(records, "record", "records"),
		r.Depth, time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond))
}

// verdictText says how many findings of a status there are, and where the first is.
func verdictText(r *validate.Report, status inventory.Status) string {
	var n int64
	first := ""
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if f.Status != status {
				continue
			}
			if n++; first == "" {
				first = findingText(f)
			}
		}
		if res.Status == status {
			n += res.More
		}
	}
	word := "damage was found in %s"
	if status == inventory.Warning {
		word = "there is a warning about %s"
	}
	return display.Clean(fmt.Sprintf(word+", first: %s", plural(n, "place", "places"), first))
}

// nextCommand is what to do about the worst that was found.
func nextCommand(r *validate.Report) string {
	if slices.ContainsFunc(r.Results, damagedBytes) {
		return "docker memsys verify " + r.Backup + ", and restore from a backup that is verified: docker memsys list"
	}
	if r.Backup != "" {
		return "docker memsys list: latest is a backup in which no damage was found"
	}
	files, whole := map[string]inventory.Finding{}, false // whole: a source that is one file, or a store
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if f.Status == inventory.Damaged && f.Path != "" {
				files[f.Source+"/"+f.Path] = f
			}
			whole = whole || f.Status == inventory.Damaged && f.Path == "" && validate.Mendable(res.Check)
		}
	}
	if r.Status != inventory.Damaged {
		return "docker memsys validate --format json has all of it"
	}
	switch {
	case len(files) == 0 && whole:
		return "docker memsys validate --repair"
	case len(files) == 0:
		return "docker memsys inspect latest"
	}
	first := files[slices.Min(slices.Collect(maps.Keys(files)))]
	one := "docker memsys restore --last-good --source " + quoted(first.Source) + " --path " + quoted(first.Path)
	if len(files) > 1 || whole {
		return "docker memsys validate --repair, or " + display.Clean(one)
	}
	return display.Clean(one)
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if !strings.ContainsAny(word, " '\"\\$&;|<>()*?[]!`~#\t\n") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
