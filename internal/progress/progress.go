// Package progress is what operations report while they work. Operations never print: internal/display renders.
package progress

// Event is one report of an operation.
type Event struct {
	// Step names the step, such as "write", "verify", "pause"; Object what it works on.
	Step   string
	Object string
	Status Status
	// Text is a sentence for a person; empty for pure counting.
	Text string
	// Done and Total count bytes or entries as Unit says; Total is 0 where it is unknown.
	Done  int64
	Total int64
	Unit  Unit
}

// Status is where a step stands.
type Status string

// The states of a step.
const (
	Working Status = "working"
	Done    Status = "done"
	Warning Status = "warning"
	Failed  Status = "failed"
)

// Unit is what Done and Total count.
type Unit string

// The units of counting.
const (
	Bytes   Unit = "bytes"
	Entries Unit = "entries"
)

// Sink takes events. Report is called from several goroutines and returns at once.
type Sink interface {
	Report(Event)
}

// Func is a function as a Sink.
type Func func(Event)

// Report calls f.
func (f Func) Report(e Event) { f(e) }

// Discard drops every event.
var Discard Sink = Func(func(Event) {})
