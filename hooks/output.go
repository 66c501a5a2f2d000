package hooks

import (
	"bytes"
	"fmt"

	"github.com/memsys/docker-memsys/internal/progress"
)

// How much of what a command prints is shown.
const (
	mostLines = 50
	mostBytes = 400 // of one line
)

// output shows what a command prints, line by line, the first lines of it. It goes to the display alone, never into a record.
type output struct {
	sink         progress.Sink
	step, object string

	line  []byte
	cut   bool // the line is longer than what is kept of it
	lines int
}

// Write takes what the command prints.
func (o *output) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte("\n"))
		room := mostBytes - len(o.line)
		o.cut = o.cut || len(part) > room
		o.line = append(o.line, part[:min(len(part), room)]...)
		if ended {
			o.flush()
		}
		rest = after
	}
	return len(p), nil
}

func (o *output) flush() {
	text := string(bytes.TrimSuffix(o.line, []byte("\r")))
	if o.cut {
		text += " …"
	}
	o.line, o.cut = o.line[:0], false
	o.lines++
	if o.lines <= mostLines && text != "" {
		o.show(text)
	}
}

// end shows a last line without an end, and how much was not shown.
func (o *output) end() {
	if len(o.line) > 0 {
		o.flush()
	}
	if more := o.lines - mostLines; more > 0 {
		o.show(fmt.Sprintf("and %d more lines", more))
	}
}

func (o *output) show(text string) {
	o.sink.Report(progress.Event{Step: o.step, Object: o.object, Status: progress.Working, Text: text})
}
