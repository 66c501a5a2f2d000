package inventory

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"

	"github.com/memsys/docker-memsys/internal/archive"
)

// most is how many findings of one check are kept; further ones are counted.
const most = 1000

// Recorder gathers what validators find in one source. Its methods may be called from several goroutines.
type Recorder struct {
	source string
	wants  func(check string) bool
	calls  Calls

	// Options are those of the inspection.
	Options Options

	// Of a fork, what comes once it is merged.
	fork bool
	held held
	then []func(*Recorder)
	// unended is damage at the very end of files, in lines that have no end.
	unended []unended

	mu          sync.Mutex
	results     map[string]*Result
	collections map[[2]string]*tally
}

// unended is damage that is none where the file is being appended to.
type unended struct {
	check Check
	found Finding
}

// tally is a collection that is being counted.
type tally struct {
	Collection
	ids, content Digest
	named        bool // some record has an id
}

// NewRecorder is a recorder for a source.
func NewRecorder(source string, o Options, calls Calls) *Recorder {
	return &Recorder{
		source: source, calls: calls, Options: o, wants: selection(o.Checks, o.Skip),
		results: map[string]*Result{}, collections: map[[2]string]*tally{},
	}
}

// selection tells whether a check is wanted.
func selection(checks, skip []string) func(string) bool {
	match := func(list []string, id string) bool {
		group, _, _ := strings.Cut(id, ".")
		return slices.Contains(list, id) || slices.Contains(list, group)
	}
	return func(id string) bool { return (len(checks) == 0 || match(checks, id)) && !match(skip, id) }
}

// Wants tells whether a check is to be made: what nobody asked for need not be computed.
func (r *Recorder) Wants(check string) bool { return r.wants(check) }

// Checked counts n things that a check has looked at.
func (r *Recorder) Checked(c Check, n int64) {
	if !r.wants(c.ID) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result(c).Checked += n
}

// Find records a finding of a check; Check and Source of f are filled in. A finding of a check that nobody wants is dropped.
func (r *Recorder) Find(c Check, f Finding) {
	if !r.wants(c.ID) {
		return
	}
	f.Check, f.Source = c.ID, r.source
	if f.Path == "." {
		f.Path = ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result(c).add(f)
}

// FindUnended records damage of the last line of a file, which has no end: of a live file it counts only if nobody is writing to it.
func (r *Recorder) FindUnended(c Check, f Finding) {
	if !r.fork || !r.wants(c.ID) {
		r.Find(c, f)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unended = append(r.unended, unended{c, f})
}

// onlyUnended tells whether there is damage, and none but in last lines that have no end.
func (r *Recorder) onlyUnended() bool {
	for _, res := range r.results {
		if res.Status == Damaged {
			return false
		}
	}
	return len(r.unended) > 0
}

// forgive takes back what was found in last lines that have no end.
func (r *Recorder) forgive() { r.unended = nil }

// Note adds what there is to know of a check that has looked at something.
func (r *Recorder) Note(c Check, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if res := r.results[c.ID]; res != nil {
		res.Why = why
	}
}

// Fork is an empty recorder with the same source and options, for Merge or Drop. What it is told of records is kept until then: few of them
// in memory, the rest in Options.Scratch.
func (r *Recorder) Fork() *Recorder {
	f := NewRecorder(r.source, r.Options, r.calls)
	f.fork = true
	f.held.dir = r.Options.Scratch
	if f.calls.Record != nil {
		f.calls.Record = f.hold
	}
	return f
}

// Then calls f with the recorder that what was found so far counts for: at once, or of a fork when it is merged, if ever.
func (r *Recorder) Then(f func(*Recorder)) {
	if !r.fork {
		f(r)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.then = append(r.then, f)
}

func (r *Recorder) hold(one Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held.add(one)
}

// Drop gives up what a fork keeps for Merge; what it has found can still be asked for.
func (r *Recorder) Drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held.drop()
	r.then = nil
}

// Merge takes over what a fork has found, and drops it. A fork that is not merged leaves no trace: damage of a live file counts only if a
// second look shows it, so each look has a fork of its own. Its error is that records could not be kept until now: then not all were told.
func (r *Recorder) Merge(other *Recorder) error {
	other.mu.Lock()
	defer other.mu.Unlock()
	if err := other.held.tell(r.calls.Record); err != nil {
		return err
	}
	for _, f := range other.then {
		r.Then(f)
	}
	other.then = nil
	for _, u := range other.unended {
		r.Find(u.check, u.found)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, res := range other.results {
		mine := r.result(res.Check)
		mine.Checked += res.Checked
		for _, f := range res.Findings {
			mine.add(f)
		}
		mine.More += res.More
		mine.Status = Worst([]Result{{Status: mine.Status}, {Status: res.Status}})
	}
	for key, t := range other.collections {
		r.collection(key[0], key[1]).merge(t)
	}
	return nil
}

// merge adds what another tally of the same collection has counted.
func (t *tally) merge(other *tally) {
	t.Files += other.Files
	t.Records += other.Records
	t.Dimension = max(t.Dimension, other.Dimension)
	t.named = t.named || other.named
	t.ids.Add(other.ids)
	t.content.Add(other.content)
}

// add keeps a finding, or counts it where there are too many. Damage takes the place of what is milder.
func (r *Result) add(f Finding) {
	r.Status = Worst([]Result{{Status: r.Status}, {Status: f.Status}})
	if len(r.Findings) < most {
		r.Findings = append(r.Findings, f)
		if len(r.Findings) == most {
			slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(milder(a), milder(b)) })
		}
		return
	}
	r.More++
	if f.Status == Damaged {
		if first, ok := slices.BinarySearchFunc(r.Findings, 1, func(kept Finding, rank int) int { return cmp.Compare(milder(kept), rank) }); ok {
			r.Findings[first] = f
		}
	}
}

// milder is 0 for damage and 1 for all else.
func milder(f Finding) int {
	if f.Status == Damaged {
		return 0
	}
	return 1
}

// Damaged tells whether anything damaged was found.
func (r *Recorder) Damaged() bool { return len(r.damaged()) > 0 }

// damaged are the checks that found damage.
func (r *Recorder) damaged() []Check {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Check
	for _, res := range r.results {
		if res.Status == Damaged {
			out = append(out, res.Check)
		}
	}
	for _, u := range r.unended {
		if !slices.Contains(out, u.check) {
			out = append(out, u.check)
		}
	}
	return out
}

func (r *Recorder) result(c Check) *Result {
	res := r.results[c.ID]
	if res == nil {
		res = &Result{Check: c, Source: r.source, Status: OK}
		r.results[c.ID] = res
	}
	return res
}

func (r *Recorder) collection(kind, name string) *tally {
	key := [2]string{kind, name}
	t := r.collections[key]
	if t == nil {
		t = &tally{Collection: Collection{Kind: kind, Name: name}}
		r.collections[key] = t
	}
	return t
}

// Batch counts records of one collection without a lock for each; Done adds them to the recorder.
type Batch struct {
	r    *Recorder
	t    tally
	file string
}

// Batch begins a batch of a collection: of one file, say. A name that is no UTF-8 is escaped, for inventories are kept as JSON.
func (r *Recorder) Batch(kind, name string) *Batch {
	name = archive.Text(name)
	return &Batch{r: r, t: tally{Collection: Collection{Kind: kind, Name: name}}}
}

// In tells the file, relative to the source, that the records to come are in; of a store its database. Without it nobody knows.
func (b *Batch) In(path string) { b.file = path }

// Add counts a record. id may be empty: then content is not kept either.
func (b *Batch) Add(id string, content [32]byte) {
	b.t.Records++
	if id == "" {
		return
	}
	b.t.named = true
	sum := sha256.Sum256([]byte(id))
	b.t.ids.Add(sum)
	both := sha256.Sum256(append(sum[:], content[:]...))
	b.t.content.Add(both)
	if b.r.calls.Record != nil {
		b.r.calls.Record(Record{Source: b.r.source, Kind: b.t.Kind, Collection: b.t.Name, File: b.file, ID: id, Content: content})
	}
}

// Count adds n records without ids.
func (b *Batch) Count(n int64) { b.t.Records += n }

// Dimension tells the length of the collection's vectors.
func (b *Batch) Dimension(n int) { b.t.Dimension = n }

// Done adds the batch to the recorder, as files files. It is called once.
func (b *Batch) Done(files int64) {
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	b.t.Files = files
	b.r.collection(b.t.Kind, b.t.Name).merge(&b.t)
}

// Results are what was found so far, by check, each with its findings by path.
func (r *Recorder) Results() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []Result{}
	for _, res := range r.results {
		one := *res
		one.Findings = slices.Clone(res.Findings)
		slices.SortStableFunc(one.Findings, func(a, b Finding) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Object, b.Object), cmp.Compare(a.Line, b.Line),
				cmp.Compare(a.Column, b.Column), cmp.Compare(a.Offset, b.Offset), strings.Compare(a.Text, b.Text))
		})
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Result) int { return strings.Compare(a.Check.ID, b.Check.ID) })
	return out
}

// Collections are what was counted so far, sorted by kind and name.
func (r *Recorder) Collections() []Collection {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []Collection{}
	for _, t := range r.collections {
		c := t.Collection
		if t.named {
			c.IDs, c.Content = t.ids.String(), t.content.String()
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Collection) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	return out
}
