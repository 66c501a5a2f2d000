package helper

import (
	"context"
	"encoding/json"
	"io"
)

// helloMethod is the first call to a helper.
const helloMethod = "helper.hello"

// greeting is a helper's answer.
type greeting struct {
	Version string `json:"version"`
}

// Serve is the main of a helper: it answers calls on in and out until in ends, then returns the exit code at once, whatever is
// still being done: the process must end with it, as if it had been killed. What is being done does not learn of it.
func Serve(in io.Reader, out io.Writer, version string, h func(*Line) map[string]Handler, codecs ...Codec) int {
	l := newLine(nil, codecs...)
	l.last = true
	l.handlers = h(l)
	if l.handlers == nil {
		l.handlers = map[string]Handler{}
	}
	l.handlers[helloMethod] = func(context.Context, json.RawMessage) (any, error) { return greeting{version}, nil }
	l.begin(inOut{in, out})
	<-l.Done()
	return 0
}

// inOut is stdin and stdout as one.
type inOut struct {
	io.Reader
	io.Writer
}

// Close leaves both as they are: their ends come with the end of the process.
func (inOut) Close() error { return nil }
