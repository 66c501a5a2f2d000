package progress

import "sync/atomic"

// Counter returns a function that reports, with each number of bytes that it is told of, how many there were so far: e with Done set. It may be
// called from several goroutines.
func Counter(to Sink, e Event) func(int64) {
	e.Status, e.Unit = Working, Bytes
	var done atomic.Int64
	return func(n int64) {
		counted := e
		counted.Done = done.Add(n)
		to.Report(counted)
	}
}
