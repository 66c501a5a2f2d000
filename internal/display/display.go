// Package display shows what operations report: as updating lines on a terminal, as plain lines, as JSON, or only what failed.
package display

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/progress"
)

// Mode is how progress is shown.
type Mode string

// The modes. Auto is TTY on a terminal and Plain elsewhere.
const (
	Auto  Mode = "auto"
	TTY   Mode = "tty"
	Plain Mode = "plain"
	JSON  Mode = "json"
	Quiet Mode = "quiet"
)

// ModeNames are the names of all modes.
func ModeNames() []string {
	return []string{string(Auto), string(TTY), string(Plain), string(JSON), string(Quiet)}
}

// Modes are the names of all modes in one string, for a help text.
func Modes() string { return strings.Join(ModeNames(), ", ") }

// ParseMode checks the name of a mode.
func ParseMode(s string) (Mode, error) {
	if !slices.Contains(ModeNames(), s) {
		return "", fmt.Errorf("invalid progress mode %q: use one of %s", s, Modes())
	}
	return Mode(s), nil
}

// Options say how and where to show.
type Options struct {
	Mode Mode
	Out  io.Writer
	// Terminal tells that Out is a terminal that can move its cursor.
	Terminal bool
	// Width is the width of that terminal in columns; 0 or nil is taken as 80.
	Width   func() int
	NoColor bool
	Now     func() time.Time
}

// renderer turns events into text. Its methods are never called at the same time.
type renderer interface {
	// report takes in an event.
	report(e progress.Event, now time.Time)
	// frame is the text to write now; empty where there is nothing new.
	frame(now time.Time) string
	// clear is the text that leaves the cursor below all that stays: what else is written then is not drawn over.
	clear(now time.Time) string
	// last is the text that ends the output.
	last(now time.Time) string
}

// Display shows events. It is safe for use from several goroutines; Report never waits for the output.
type Display struct {
	out      io.Writer
	now      func() time.Time
	interval time.Duration
	writing  sync.Mutex // held while something is written; taken before mu
	mu       sync.Mutex
	renderer renderer
	closed   bool
	wake     chan struct{}
	done     chan struct{}
	finished chan struct{}
}

// New starts a display. The caller closes it.
func New(opts Options) *Display {
	d := &Display{
		out: opts.Out, now: opts.Now, renderer: newRenderer(opts),
		wake: make(chan struct{}, 1), done: make(chan struct{}), finished: make(chan struct{}),
	}
	if _, live := d.renderer.(*live); live {
		d.interval = 100 * time.Millisecond
	}
	go d.run()
	return d
}

// newRenderer picks the renderer of a mode.
func newRenderer(opts Options) renderer {
	mode := opts.Mode
	if mode == Auto || mode == "" {
		mode = Plain
		if opts.Terminal {
			mode = TTY
		}
	}
	switch mode {
	case TTY:
		return newLive(opts)
	case JSON:
		return &lines{format: jsonLine, every: 500 * time.Millisecond}
	case Messages:
		return &lines{format: messageLine, every: 5 * time.Second, patient: true}
	case Quiet:
		return &lines{format: plainLine, only: progress.Failed}
	}
	return &lines{format: plainLine, every: 5 * time.Second, patient: true}
}

// Report takes an event.
func (d *Display) Report(e progress.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.renderer.report(e, d.now())
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Close shows what is left and ends the display. It may be called more than once.
func (d *Display) Close() {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	d.mu.Unlock()
	if first {
		close(d.done)
	}
	<-d.finished
}

// run writes frames until the display is closed: at once when something happened, then not before the interval is over.
func (d *Display) run() {
	defer close(d.finished)
	for {
		select {
		case <-d.wake:
			d.write(d.renderer.frame)
		case <-d.done:
			d.write(d.renderer.frame)
			d.write(d.renderer.last)
			return
		}
		d.rest()
	}
}

// rest waits for the interval, so that a terminal is not redrawn for every event.
func (d *Display) rest() {
	if d.interval == 0 {
		return
	}
	timer := time.NewTimer(d.interval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.done:
	}
}

// Print calls write, which writes to the same terminal as the display, after all that was reported before, and where
// the display does not draw over it.
func (d *Display) Print(write func()) {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.emit(d.renderer.clear)
	write()
}

// write takes text from the renderer and writes it.
func (d *Display) write(text func(time.Time) string) {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.emit(text)
}

// emit is write for a caller that holds writing. Nobody who reports waits for the output.
func (d *Display) emit(text func(time.Time) string) {
	d.mu.Lock()
	s := text(d.now())
	d.mu.Unlock()
	if s != "" {
		_, _ = io.WriteString(d.out, s)
	}
}
