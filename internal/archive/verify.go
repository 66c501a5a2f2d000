package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
)

// VerifyOptions says how to verify; the zero value is fine.
type VerifyOptions struct {
	Workers int              // goroutines that unpack; 0: one for each processor
	OnBytes func(file int64) // is told of the bytes of the archive's file as they are read
}

// maxDamage bounds the list in a report.
const maxDamage = 10000

// Verify reads every byte of an archive and checks everything that can be checked: see docs/archive-format.md. What is wrong stands in the report, whose sums are
// always those of the whole file; the error is nil for a damaged archive, and wraps ErrNotOurs or ErrNewer where this is no archive that can be judged.
func Verify(ctx context.Context, r io.ReaderAt, size int64, o VerifyOptions) (*Report, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.OnBytes == nil {
		o.OnBytes = func(int64) {}
	}
	v := &verifier{ctx: ctx, r: r, size: size, onBytes: o.OnBytes, report: &Report{Size: size}}
	v.start(o.Workers)
	rd, judged := Open(r, size)
	if judged == nil {
		v.archive(rd)
	}
	err := v.rest()
	v.stop()
	if err != nil {
		return nil, err
	}
	v.finish(judged)
	if errors.Is(judged, ErrNotOurs) || errors.Is(judged, ErrNewer) {
		return v.report, judged
	}
	return v.report, nil
}

// verifier is one run of Verify. The calling goroutine reads the file from start to end; workers unpack, two more sum.
type verifier struct {
	ctx     context.Context
	r       io.ReaderAt
	size    int64
	at      int64 // everything before was read
	onBytes func(int64)
	failed  error // reading the file failed

	free chan *block
	work chan *block
	sums []*summer
	wg   sync.WaitGroup

	mu     sync.Mutex
	report *Report

	counts map[string]*Counts
	last   *unit
}

func (v *verifier) start(workers int) {
	blocks := jobsFor(workers) + 2
	v.free, v.work = make(chan *block, blocks), make(chan *block, blocks)
	for range blocks {
		v.free <- new(block)
	}
	v.sums = newSummers(blocks, v.free)
	for range workers {
		v.wg.Go(v.unpack)
	}
}

func (v *verifier) stop() {
	close(v.work)
	v.wg.Wait()
	for _, s := range v.sums {
		s.stop()
	}
}

func (v *verifier) damage(d ...Damage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range d {
		if len(v.report.Damage) < maxDamage {
			v.report.Damage = append(v.report.Damage, one)
		}
	}
}

func (v *verifier) unpack() {
	var d decoder
	for b := range v.work {
		v.part(&d, b)
		b.release(v.free)
	}
}

func (v *verifier) part(d *decoder, b *block) {
	p := b.part
	var err error
	switch p.chunk {
	case groupPart:
		_, damage := d.group(p.u, b.data)
		v.damage(damage...)
	case headerPart:
		err = d.header(p.u.entries[0], b.data)
	default:
		_, _, err = d.chunk(p.u.entries[0], p.chunk, b.data)
	}
	if err != nil {
		v.damage(damageOf(p, err))
	}
}

// archive checks all units.
func (v *verifier) archive(rd *Reader) {
	v.counts = map[string]*Counts{}
	s, err := rd.scan(v.ctx)
	if err != nil {
		v.damage(Damage{tocName, rd.toc, err.Error()})
		return
	}
	watch := newNames()
	for {
		u, err := s.units()
		if err == nil && u == nil {
			err = s.finish()
		}
		if err != nil {
			v.damage(Damage{tocName, rd.toc, "contents table: " + err.Error()})
			return
		}
		if u == nil {
			v.manifest(rd)
			return
		}
		if !v.unit(u, watch) {
			return
		}
	}
}

// unit reads the bytes of a unit and gives them to the workers; false tells that going on makes no sense.
func (v *verifier) unit(u *unit, watch *names) bool {
	v.last = u
	for _, e := range u.entries {
		if err := watch.add(e); err != nil {
			v.damage(Damage{e.Path, u.start, err.Error()})
		}
		v.count(e)
	}
	if u.start != v.at {
		v.damage(Damage{u.entries[0].Path, u.start, fmt.Sprintf("unit begins at %d, the one before ends at %d", u.start, v.at)})
		return false
	}
	return u.parts(v.read) == nil
}

func (v *verifier) count(e *Entry) {
	if e.Path == manifestName {
		return
	}
	v.report.Entries++
	v.report.Bytes += e.Size
	source := sourceOf(e.Path)
	if v.counts[source] == nil {
		v.counts[source] = new(Counts)
	}
	v.counts[source].add(&e.Entry)
}

func (v *verifier) read(p part) error {
	if p.start != v.at || p.end > v.size {
		v.damage(damageOf(p, errors.New("parts overlap")))
		return errTooLong
	}
	if p.end-p.start > p.packedLimit() {
		v.damage(damageOf(p, errTooLong))
		return v.skip(p.end)
	}
	b, err := v.block(p.end - p.start)
	if err != nil {
		return err
	}
	b.part = p
	v.hand(b, 1)
	v.work <- b
	return nil
}

// block reads the next n bytes of the file.
func (v *verifier) block(n int64) (*block, error) {
	if v.failed != nil {
		return nil, v.failed
	}
	select {
	case b := <-v.free:
		b.data = slices.Grow(b.data[:0], int(n))[:n]
		if err := readAt(v.r, b.data, v.at); err != nil {
			v.failed = fmt.Errorf("read archive at %d: %w", v.at, err)
			v.free <- b
			return nil, v.failed
		}
		v.at += n
		v.onBytes(n)
		return b, nil
	case <-v.ctx.Done():
		v.failed = context.Cause(v.ctx)
		return nil, v.failed
	}
}

// hand gives a block to the sums; others is how many more will release it.
func (v *verifier) hand(b *block, others int32) {
	b.users.Store(others + int32(len(v.sums)))
	for _, s := range v.sums {
		s.in <- b
	}
}

// skip reads up to an offset for the sums alone.
func (v *verifier) skip(end int64) error {
	for v.at < end {
		b, err := v.block(min(chunkSize, end-v.at))
		if err != nil {
			return err
		}
		v.hand(b, 0)
	}
	return nil
}

// rest reads what no unit covered: contents table and footer, or everything behind the place where checking had to stop.
func (v *verifier) rest() error { return v.skip(v.size) }

// manifest compares the manifest with the contents table.
func (v *verifier) manifest(rd *Reader) {
	bad := func(format string, args ...any) {
		v.damage(Damage{manifestName, rd.manifestAt, fmt.Sprintf(format, args...)})
	}
	if u := v.last; u == nil || len(u.entries) != 1 || u.entries[0].Path != manifestName {
		bad("the manifest is not the last entry, or not alone in its unit")
	} else if rd.manifestEnd != 0 && (rd.manifestAt != u.start || rd.manifestEnd != u.end) {
		bad("the contents table and its header disagree about where the manifest is")
	}
	known := map[string]bool{}
	for _, s := range rd.manifest.Sources {
		known[s.Prefix] = true
		var c Counts
		if v.counts[s.Prefix] != nil {
			c = *v.counts[s.Prefix]
		}
		if got := (Counts{s.Files, s.Entries, s.Bytes}); got != c {
			bad("source %s: the manifest says %d files, %d entries, %d bytes; the archive holds %d, %d, %d", s.Name, got.Files, got.Entries, got.Bytes, c.Files, c.Entries, c.Bytes)
		}
	}
	for prefix := range v.counts {
		if len(prefix) > 5 && prefix[:5] == "data/" && !known[prefix] {
			bad("%s is in the archive but no source of the manifest", prefix)
		}
	}
}

func (v *verifier) finish(judged error) {
	v.report.SHA256, v.report.MD5 = v.sums[0].hex(), v.sums[1].hex()
	if judged != nil {
		v.report.Damage = append(v.report.Damage, Damage{"", 0, judged.Error()})
	}
	slices.SortStableFunc(v.report.Damage, func(a, b Damage) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
}
