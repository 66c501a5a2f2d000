package display

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/memsys/docker-memsys/internal/progress"
)

// maxLive is how many lines are kept updating; older ones stay as they are.
const maxLive = 8

// rateWindow is the time over which the rate is taken.
const rateWindow = 3 * time.Second

// live renders one updating line for each step that is under way, and leaves a line for each that ended.
type live struct {
	width   func() int
	color   bool
	steps   []*step
	ended   []string
	drawn   int
	changed bool
}

// step is something under way.
type step struct {
	event   progress.Event
	samples []sample
}

// sample is how much was done at a time.
type sample struct {
	at   time.Time
	done int64
}

func newLive(opts Options) *live { return &live{width: opts.Width, color: !opts.NoColor} }

func (l *live) report(e progress.Event, now time.Time) {
	l.changed = true
	i := l.find(e)
	if e.Status == progress.Working {
		if i < 0 {
			i = l.begin(e)
		}
		l.steps[i].update(e, now)
		return
	}
	if i >= 0 && e.Status != progress.Warning {
		l.steps = append(l.steps[:i], l.steps[i+1:]...)
	}
	l.ended = append(l.ended, l.mark(e.Status)+" "+plainText(e))
}

// find is the index of the step that e is about, or -1.
func (l *live) find(e progress.Event) int {
	for i, s := range l.steps {
		if s.event.Step == e.Step && s.event.Object == e.Object {
			return i
		}
	}
	return -1
}

// begin adds a step; the oldest gives way where there are too many.
func (l *live) begin(e progress.Event) int {
	if len(l.steps) == maxLive {
		l.steps = l.steps[1:]
	}
	l.steps = append(l.steps, &step{event: e})
	return len(l.steps) - 1
}

// update takes in what e counts and keeps the samples of the rate's window.
func (s *step) update(e progress.Event, now time.Time) {
	if e.Text == "" {
		e.Text = s.event.Text
	}
	s.event = e
	s.samples = append(s.samples, sample{now, e.Done})
	for len(s.samples) > 2 && now.Sub(s.samples[1].at) >= rateWindow {
		s.samples = s.samples[1:]
	}
	if len(s.samples) > 64 {
		s.samples = append(s.samples[:1], s.samples[32:]...)
	}
}

// rate is the progress in units a second, 0 where it is not known yet.
func (s *step) rate() float64 {
	if len(s.samples) < 2 {
		return 0
	}
	first, last := s.samples[0], s.samples[len(s.samples)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds < 0.2 || last.done < first.done {
		return 0
	}
	return float64(last.done-first.done) / seconds
}

// text is the step's line: what, how much, how fast, how long still.
func (s *step) text() string {
	e := s.event
	parts := []string{plainText(e)}
	rate := s.rate()
	if rate > 0 && e.Unit == progress.Bytes {
		parts = append(parts, amount(int64(rate), progress.Bytes)+"/s")
	}
	if rate > 0 && e.Total > e.Done {
		left := time.Duration(float64(e.Total-e.Done) / rate * float64(time.Second))
		parts = append(parts, "ETA "+left.Round(time.Second).String())
	}
	return strings.Join(parts, "  ")
}

// plainText is an event without the word for its status.
func plainText(e progress.Event) string {
	switch e.Status {
	case progress.Warning, progress.Failed:
		return strings.TrimPrefix(plainLine(e), string(e.Status)+": ")
	}
	return plainLine(e)
}

func (l *live) frame(time.Time) string {
	if !l.changed {
		return ""
	}
	l.changed = false
	var b strings.Builder
	l.rise(&b)
	for _, s := range l.steps {
		b.WriteString(l.fit(l.mark(progress.Working)+" ", s.text()) + "\n")
	}
	l.drawn = len(l.steps)
	return b.String()
}

// rise erases the updating lines and writes those that stay.
func (l *live) rise(b *strings.Builder) {
	if l.drawn > 0 {
		fmt.Fprintf(b, "\r\x1b[%dA", l.drawn)
	}
	b.WriteString("\x1b[J")
	for _, line := range l.ended {
		b.WriteString(line + "\n")
	}
	l.ended, l.drawn = nil, 0
}

func (l *live) clear(time.Time) string {
	if l.drawn == 0 && len(l.ended) == 0 {
		return ""
	}
	var b strings.Builder
	l.rise(&b)
	l.changed = len(l.steps) > 0
	return b.String()
}

func (l *live) last(now time.Time) string {
	for _, s := range l.steps {
		l.ended = append(l.ended, l.mark(progress.Working)+" "+plainText(s.event))
		l.changed = true
	}
	l.steps = nil
	return l.frame(now)
}

// fit cuts text so that the line does not wrap: a wrapped line could not be drawn over. The mark counts two columns.
func (l *live) fit(mark, text string) string {
	width := 80
	if l.width != nil {
		if w := l.width(); w > 0 {
			width = w
		}
	}
	return mark + runewidth.Truncate(text, max(1, width-3), "…")
}

// mark is the sign of a status, in colour where there may be any.
func (l *live) mark(status progress.Status) string {
	sign, color := "·", "36"
	switch status {
	case progress.Done:
		sign, color = "✔", "32"
	case progress.Warning:
		sign, color = "!", "33"
	case progress.Failed:
		sign, color = "✘", "31"
	}
	if !l.color {
		return sign
	}
	return "\x1b[" + color + "m" + sign + "\x1b[0m"
}
