package archive

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Output is where an archive is written to; an *os.File, empty and at its start.
type Output interface {
	io.Writer
	io.Seeker
	Truncate(size int64) error
}

// WriterOptions says how a Writer works; the zero value is fine.
type WriterOptions struct {
	Workers int // goroutines that compress; 0: one for each processor
	// OnBytes is told of the bytes of files' content as they are read; it may be called for bytes that are read again.
	OnBytes func(raw int64)
	// Spool opens the file that takes the contents table once it outgrows memory; the caller removes it. Nil keeps all in memory,
	// about 100 bytes for each entry.
	Spool func() (io.ReadWriteSeeker, error)

	spoolMemory int // 0: spoolMemory
}

// Summary is what an archive holds.
type Summary struct {
	Counts
	Size    int64             // of the archive
	Sources map[string]Counts // by prefix
}

// Writer writes an archive. Its methods are called by one goroutine; what they give to the file is the same whatever the number of workers.
type Writer struct {
	opts  WriterOptions
	emit  *emitter
	zeros *zeros

	work  chan *job // to the workers
	order chan *job // to the emitter
	free  chan *job
	wg    sync.WaitGroup
	ended chan struct{} // the emitter is done

	mu     sync.Mutex
	failed error

	group  *job
	closed bool
}

// jobsFor bounds the jobs in flight: each holds about one chunk raw and one compressed.
func jobsFor(workers int) int { return min(2*workers+3, 24) }

// NewWriter returns a Writer to out, which stays the caller's to close. Close or Abort must be called.
func NewWriter(out Output, o WriterOptions) *Writer {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.OnBytes == nil {
		o.OnBytes = func(int64) {}
	}
	if o.spoolMemory == 0 {
		o.spoolMemory = spoolMemory
	}
	jobs := jobsFor(o.Workers)
	w := &Writer{
		opts: o, zeros: newZeros(), ended: make(chan struct{}),
		work: make(chan *job, jobs), order: make(chan *job, jobs), free: make(chan *job, jobs),
		emit: &emitter{out: out, bw: bufio.NewWriterSize(out, 256<<10), counts: map[string]*Counts{}},
	}
	w.emit.spool, w.failed = newSpool(o.Spool, o.spoolMemory)
	for range jobs {
		w.free <- &job{done: make(chan struct{}, 1)}
	}
	for range o.Workers {
		w.wg.Go(w.compress)
	}
	go w.drain()
	return w
}

func (w *Writer) compress() {
	c := newCompressor()
	for j := range w.work {
		j.run(c, w.zeros)
		j.done <- struct{}{}
	}
}

// drain hands jobs to the emitter in the order of their making; after a failure it only gives them back.
func (w *Writer) drain() {
	defer close(w.ended)
	for j := range w.order {
		<-j.done
		if w.err() == nil {
			if err := w.emit.emit(j); err != nil {
				w.fail(err)
			}
		}
		w.free <- j
	}
}

func (w *Writer) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

func (w *Writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = fmt.Errorf("write archive: %w", err)
	}
}

// take waits for a job that is free: this is what bounds memory.
func (w *Writer) take(ctx context.Context, kind jobKind) (*job, error) {
	if err := w.err(); err != nil {
		return nil, err
	}
	select {
	case j := <-w.free:
		j.kind, j.manifest, j.zero, j.content, j.raw, j.items = kind, false, false, 0, j.raw[:0], j.items[:0]
		return j, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (w *Writer) submit(j *job) {
	w.work <- j
	w.order <- j
}

// AddBytes stores a file from memory.
func (w *Writer) AddBytes(ctx context.Context, name string, mode uint32, modTime time.Time, data []byte) error {
	e := &tree.Entry{Path: name, Kind: tree.File, Mode: mode, Size: int64(len(data)), ModTime: modTime}
	_, err := w.Add(ctx, name, e, func(context.Context) (*tree.Entry, tree.Reader, error) { return e, newMemoryFile(data), nil })
	return err
}

// Close writes manifest, contents table and footer. The manifest's counts of each source are set to what was stored. It does not close or sync the output.
func (w *Writer) Close(ctx context.Context, m *Manifest) (Summary, error) {
	if w.closed {
		return Summary{}, errors.New("close archive: closed already")
	}
	err := w.flushGroup()
	if err == nil {
		err = w.addManifest(ctx, m)
	}
	w.stop()
	if err == nil {
		err = w.err()
	}
	if err == nil {
		err = w.emit.finish()
	}
	if err != nil {
		return Summary{}, fmt.Errorf("close archive: %w", err)
	}
	return w.summary()
}

func (w *Writer) summary() (Summary, error) {
	s := Summary{Counts: w.emit.total, Sources: map[string]Counts{}}
	for prefix, c := range w.emit.counts {
		s.Sources[prefix] = *c
	}
	size, err := w.emit.out.Seek(0, io.SeekCurrent)
	s.Size = size
	return s, err
}

// Abort stops the Writer; the output is left as it is, to be removed by the caller. It may be called after Close.
func (w *Writer) Abort() error {
	if !w.closed {
		w.fail(errors.New("aborted"))
		w.stop()
	}
	return nil
}

func (w *Writer) stop() {
	w.closed = true
	close(w.work)
	close(w.order)
	w.wg.Wait()
	<-w.ended
}

// settled waits until everything that was added has gone to the output, and returns a job to go on with.
func (w *Writer) settled(ctx context.Context) (*job, error) {
	held := make([]*job, 0, cap(w.free))
	give := func(all []*job) {
		for _, j := range all {
			w.free <- j
		}
	}
	for range cap(w.free) {
		j, err := w.take(ctx, jobGroup)
		if err != nil {
			give(held)
			return nil, err
		}
		held = append(held, j)
	}
	give(held[1:])
	return held[0], w.err()
}

// addManifest waits until everything before is counted, then stores the manifest as a unit of its own.
func (w *Writer) addManifest(ctx context.Context, m *Manifest) error {
	j, err := w.settled(ctx)
	if err != nil {
		return err
	}
	w.count(m)
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	data = append(data, '\n')
	if len(data) > maxManifest-maxGroup {
		return fmt.Errorf("the manifest has %d bytes, too many", len(data))
	}
	e := &tree.Entry{Path: manifestName, Kind: tree.File, Mode: 0o600, Size: int64(len(data)), ModTime: m.Created}
	j.manifest = true
	if err := j.open(e); err != nil {
		return err
	}
	j.raw = append(j.raw, data...)
	j.pad(e)
	w.submit(j)
	return nil
}

func (w *Writer) count(m *Manifest) {
	for i := range m.Sources {
		s := &m.Sources[i]
		s.Files, s.Entries, s.Bytes = 0, 0, 0
		if c := w.emit.counts[s.Prefix]; c != nil {
			s.Files, s.Entries, s.Bytes = c.Files, c.Entries, c.Bytes
		}
	}
}
