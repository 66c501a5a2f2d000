package plugin

import (
	"github.com/mattn/go-runewidth"
)

// The narrowest that columns are cut to, the most that the last one counts, and how the table sets columns apart.
const (
	narrowWhere    = 20
	narrowServices = 12
	mostReason     = 30
	columnGap      = 3
	columnLeast    = 10
)

// fitSources cuts places, then services, as far as it takes for the rows to fit on a terminal of so many columns.
// The rest is never cut: a narrower terminal wraps.
func fitSources(rows []*sourceRow, terminal int) {
	if terminal <= 0 {
		return
	}
	others := min(mostReason, widest(rows, "IN BACKUP", (*sourceRow).InBackup)) + 2*columnGap
	for title, cell := range map[string]func(*sourceRow) string{"SOURCE": (*sourceRow).Name, "KIND": (*sourceRow).Kind, "SIZE": (*sourceRow).Size} {
		others += max(columnLeast, widest(rows, title, cell)+columnGap)
	}
	where, services := widest(rows, "WHERE", (*sourceRow).Where), widest(rows, "SERVICES", (*sourceRow).Services)
	cutWhere := max(min(where, narrowWhere), min(where, terminal-others-services))
	cutServices := max(min(services, narrowServices), min(services, terminal-others-cutWhere))
	for _, row := range rows {
		row.cutWhere, row.cutServices = cutWhere, cutServices
	}
}

// widest is the width of a column.
func widest(rows []*sourceRow, title string, cell func(*sourceRow) string) int {
	width := len(title)
	for _, row := range rows {
		width = max(width, runewidth.StringWidth(cell(row)))
	}
	return width
}

// fitEnd cuts text to so many columns and keeps its end, where paths differ; 0 cuts nothing.
func fitEnd(text string, width int) string {
	over := runewidth.StringWidth(text) - width
	if width <= 0 || over <= 0 {
		return text
	}
	return runewidth.TruncateLeft(text, over+1, "…")
}
