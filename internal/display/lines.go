package display

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/progress"
)

// key names what an event is about.
type key struct{ step, object string }

// lines renders every event as a line of its own. Counting is thinned out.
type lines struct {
	format func(progress.Event) string
	// every is the shortest time between two lines that only count, for each step and object.
	every time.Duration
	// patient keeps the first count of a step back too: one that is over soon is not counted at all.
	patient bool
	// only is the one status that is shown; empty for all.
	only    progress.Status
	counted map[key]time.Time
	pending strings.Builder
}

func (l *lines) report(e progress.Event, now time.Time) {
	if l.only != "" && e.Status != l.only || l.thinned(e, now) {
		return
	}
	l.pending.WriteString(l.format(e))
	l.pending.WriteByte('\n')
}

// thinned tells whether e only counts and comes too soon after the last such event.
func (l *lines) thinned(e progress.Event, now time.Time) bool {
	k := key{e.Step, e.Object}
	if e.Status != progress.Working || e.Text != "" {
		return false
	}
	if l.counted == nil {
		l.counted = map[key]time.Time{}
	}
	last, seen := l.counted[k]
	if !seen || now.Sub(last) >= l.every {
		l.counted[k] = now
		return !seen && l.patient && e.Unit != ""
	}
	return true
}

func (l *lines) frame(time.Time) string {
	s := l.pending.String()
	l.pending.Reset()
	return s
}

func (l *lines) clear(now time.Time) string { return l.frame(now) }

func (l *lines) last(time.Time) string { return "" }

// plainLine is an event as a person reads it in a log.
func plainLine(e progress.Event) string {
	parts := []string{Clean(e.Step)}
	if e.Object != "" {
		parts = append(parts, Clean(e.Object))
	}
	head := strings.Join(parts, " ")
	if e.Status == progress.Warning && e.Object == "" && e.Text != "" {
		return string(e.Status) + ": " + Clean(e.Text) // a sentence that names its object itself
	}
	if e.Status == progress.Warning || e.Status == progress.Failed {
		head = string(e.Status) + ": " + head
	}
	rest := []string{}
	if count := countOf(e); count != "" {
		rest = append(rest, count)
	}
	if e.Text != "" {
		rest = append(rest, Clean(e.Text))
	}
	if e.Status == progress.Done && len(rest) == 0 {
		rest = append(rest, "done")
	}
	if len(rest) == 0 {
		return head
	}
	return head + ": " + strings.Join(rest, ", ")
}

// countOf is what an event counts: "1.2GB of 3.4GB (35%)"; empty where it counts nothing.
func countOf(e progress.Event) string {
	switch {
	case e.Done == 0 && e.Total == 0:
		return ""
	case e.Total <= 0 || e.Status == progress.Done:
		return amount(e.Done, e.Unit)
	}
	return fmt.Sprintf("%s of %s (%d%%)", amount(e.Done, e.Unit), amount(e.Total, e.Unit), percent(e))
}

// percent is how much of an event's total is done.
func percent(e progress.Event) int {
	if e.Total <= 0 {
		return 0
	}
	return int(min(100, float64(e.Done)/float64(e.Total)*100))
}

// amount is a count with its unit.
func amount(n int64, unit progress.Unit) string {
	if unit == progress.Entries {
		return fmt.Sprintf("%d entries", n)
	}
	return progress.Size(n)
}

// jsonEvent is an event on the wire: docs/json-output.md.
type jsonEvent struct {
	Step   string          `json:"step"`
	Object string          `json:"object,omitempty"`
	Status progress.Status `json:"status"`
	Text   string          `json:"text,omitempty"`
	Done   int64           `json:"done,omitempty"`
	Total  int64           `json:"total,omitempty"`
	Unit   progress.Unit   `json:"unit,omitempty"`
}

// jsonLine is an event as one JSON object.
func jsonLine(e progress.Event) string {
	line, _ := json.Marshal(jsonEvent(e))
	return string(line)
}
