package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/memsys/docker-memsys/bench/contest"
)

// Text writes the report for a terminal.
func (r Report) Text(w io.Writer) error {
	var b strings.Builder
	for _, s := range r.Stores {
		s.text(&b)
	}
	rows := [][]string{{"goal", "wanted", "measured: median (range)", "verdict"}}
	for _, g := range r.Goals() {
		rows = append(rows, []string{g.Name, g.Wanted, g.Got, g.Verdict()})
	}
	columns(&b, rows)
	if len(r.Missing) > 0 {
		fmt.Fprintf(&b, "\nNot installed, so not measured: %s\n", strings.Join(r.Missing, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s Store) text(b *strings.Builder) {
	files, bytes := s.Read()
	for _, action := range []string{contest.Backup, contest.Restore} {
		fmt.Fprintf(b, "%s of %d files, %s\n", action, files, megabytes(bytes))
		rows := [][]string{header()}
		for _, l := range s.lines(action) {
			rows = append(rows, l.cells())
		}
		columns(b, rows)
		b.WriteByte('\n')
	}
	if n := s.Disturbed(); n > 0 {
		fmt.Fprintf(b, "Others used over %.0f %% of the machine during %d of %d runs.\n\n", MaxOther*100, n, len(s.Runs))
	}
}

// columns writes rows under each other, the first column to the left and the others to the right.
func columns(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString(cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func header() []string {
	return []string{"tool", "seconds", "range", "CPU s", "MB", "peak MiB", "times docker-memsys"}
}

func (l line) cells() []string {
	out := []string{l.name, fmt.Sprintf("%.2f", l.seconds.Median), fmt.Sprintf("%.2f to %.2f", l.seconds.Min, l.seconds.Max)}
	if l.cpu.Count == 0 {
		return append(out, "", "", "", "")
	}
	out = append(out, fmt.Sprintf("%.1f", l.cpu.Median), fmt.Sprint((l.bytes+500_000)/1_000_000), fmt.Sprint(l.peak/mib))
	if l.ratio.Count == 0 || l.name == contest.Memsys {
		return append(out, "")
	}
	return append(out, fmt.Sprintf("%.2f (%.2f to %.2f)", l.ratio.Median, l.ratio.Min, l.ratio.Max))
}
