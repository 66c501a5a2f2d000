package validate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// LastGood looks for the newest backup in which files are good: the archive is sound, and nothing in them is damaged.
type LastGood struct {
	// Dir has the Backups, which are looked at in their order: the newest first.
	Dir     *store.Dir
	Backups []store.Backup
	// Patterns are those of files, as tree.RuleOptions has them. Which files a pattern means, the newest backup tells in which it matches any.
	Patterns []string
	// Exact are further files, by source and path.
	Exact map[string][]string
	// Sources limits both to some sources; empty for all.
	Sources []string
	// Options are those of the inspections; Depth, Checks and Skip are decided here.
	Options  inventory.Options
	Progress progress.Sink
	Clock    func() time.Time
}

// Unit is what comes back as a whole: a file, a database with what stands beside it, or a store.
type Unit struct {
	Source string `json:"source"`
	// Path is that of the file, or of the folder of the store.
	Path string `json:"path"`
	// Store tells that it is a store: its files make sense only together, so all of them come back.
	Store bool `json:"store,omitempty"`
	// Backup is the newest in which it is good, Created when that was made; empty where there is none.
	Backup  string    `json:"backup,omitempty"`
	Created time.Time `json:"created,omitzero"`
	// Passed are newer backups that have it and in which it is not good.
	Passed []Passed `json:"passed,omitempty"`
	// Unchecked says what of it could not be looked at in that backup.
	Unchecked string `json:"unchecked,omitempty"`
	// Records are how many it holds in that backup, by collection: those that are its own alone.
	Records map[string]int64 `json:"records,omitempty"`
	// Lost is what the live data has beyond that, as far as it can be counted.
	Lost []string `json:"lost,omitempty"`

	// Paths are what has to be restored of the source.
	Paths []tree.RawPath `json:"-"`
	// From is the backup.
	From store.Backup `json:"-"`

	files map[string]bool // in the backup of the moment
	empty bool            // it is there, and has no bytes
	spare *Unit           // the newest backup in which it is there, and empty
}

// Passed is a backup that is not used, and why.
type Passed struct {
	Backup string `json:"backup"`
	Why    string `json:"why"`
}

// Found is what a search came to.
type Found struct {
	// Units are all that was meant, sorted; those without Backup are good in none.
	Units []*Unit
	// Unmatched are the patterns and paths that no backup has.
	Unmatched []string
	// Looked are the names of the backups that were looked at.
	Looked []string
}

// Bad are the units that are good in no backup.
func (f *Found) Bad() []*Unit {
	return slices.DeleteFunc(slices.Clone(f.Units), func(u *Unit) bool { return u.Backup != "" })
}

// ByBackup are the units that are good somewhere, those of one backup together, the newest backup first.
func (f *Found) ByBackup() [][]*Unit {
	at := map[string]int{}
	var out [][]*Unit
	for _, name := range f.Looked {
		for _, u := range f.Units {
			if u.Backup != name {
				continue
			}
			if _, ok := at[name]; !ok {
				at[name] = len(out)
				out = append(out, nil)
			}
			out[at[name]] = append(out[at[name]], u)
		}
	}
	return out
}

// Find searches. An archive that cannot be read is passed over; only what hinders the search as a whole is an error.
func (g LastGood) Find(ctx context.Context) (*Found, error) {
	h := &hunt{LastGood: g, units: map[unitKey]*Unit{}, wanted: map[string]bool{}}
	if err := h.compile(); err != nil {
		return nil, err
	}
	for _, b := range g.Backups {
		if h.done() {
			break
		}
		g.Progress.Report(progress.Event{Step: "search", Object: b.Name, Status: progress.Working})
		if err := h.look(ctx, b); err != nil {
			return nil, err
		}
		h.found.Looked = append(h.found.Looked, b.Name)
		g.Progress.Report(progress.Event{Step: "search", Object: b.Name, Status: progress.Done})
	}
	return h.result(), nil
}

// Where names the unit for a person: SOURCE/PATH, or the source alone where it is all of it.
func (u *Unit) Where() string { return whereOf(u.Source, u.Path) }

func whereOf(source, path string) string {
	if path == "." {
		return source
	}
	return source + "/" + path
}

type unitKey struct{ source, path string }

// hunt is one search.
type hunt struct {
	LastGood
	rules  map[string]*tree.Rules // of the patterns that matched nothing yet
	wanted map[string]bool        // exact paths that were not seen yet: SOURCE\x00PATH
	units  map[unitKey]*Unit
	blind  []Passed // backups that could not be read
	found  Found
}

func (h *hunt) compile() error {
	h.rules = map[string]*tree.Rules{}
	for _, p := range h.Patterns {
		rules, err := tree.NewRules(tree.RuleOptions{Patterns: []string{p}})
		if err != nil {
			return fmt.Errorf("--path: %w", err)
		}
		h.rules[p] = rules
	}
	for source, paths := range h.Exact {
		for _, path := range paths {
			if dir, ok := inventory.StoreDir(path); ok {
				path = dir // which files it has now says nothing
			}
			h.wanted[source+"\x00"+path] = true
		}
	}
	return nil
}

// done tells whether nothing is left to look for.
func (h *hunt) done() bool {
	if len(h.rules)+len(h.wanted) > 0 {
		return false
	}
	for _, u := range h.units {
		if u.Backup == "" {
			return false
		}
	}
	return true
}

func (h *hunt) result() *Found {
	for _, u := range h.units {
		if u.Backup == "" && u.spare != nil {
			spare := u.spare
			u.Backup, u.Created, u.From, u.Paths, u.Passed = spare.Backup, spare.Created, spare.From, spare.Paths, spare.Passed
		}
		h.found.Units = append(h.found.Units, u)
	}
	slices.SortFunc(h.found.Units, func(a, b *Unit) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), tree.ComparePaths(a.Path, b.Path))
	})
	for p := range h.rules {
		h.found.Unmatched = append(h.found.Unmatched, p)
	}
	for key := range h.wanted {
		source, path, _ := strings.Cut(key, "\x00")
		h.found.Unmatched = append(h.found.Unmatched, whereOf(source, path))
	}
	slices.Sort(h.found.Unmatched)
	return &h.found
}

// look looks for what is still wanted in one backup.
func (h *hunt) look(ctx context.Context, b store.Backup) error {
	return withReader(b, func(r *archive.Reader, err error) error {
		if err != nil {
			return h.unreadable(ctx, b, err)
		}
		if err := h.meant(ctx, r); err != nil {
			return h.unreadable(ctx, b, err)
		}
		if err := h.gather(ctx, r); err != nil {
			return h.unreadable(ctx, b, err)
		}
		good, err := h.judge(ctx, b, r)
		if err != nil || len(good) == 0 {
			return err
		}
		return h.prove(ctx, b, good)
	})
}

// unreadable passes over an archive of which nobody can tell what is in it: also for what is found later.
func (h *hunt) unreadable(ctx context.Context, b store.Backup, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p := Passed{b.Name, "it cannot be read: " + err.Error()}
	h.blind = append(h.blind, p)
	for _, u := range h.units {
		if u.Backup == "" {
			u.Passed = append(u.Passed, p)
		}
	}
	return nil
}

// prove reads all of an archive before something of it counts as good, as a restore of it does.
func (h *hunt) prove(ctx context.Context, b store.Backup, good []*Unit) error {
	p, err := h.Dir.ProveAndRecord(ctx, b, h.Clock(), archive.VerifyOptions{})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, u := range good {
		switch {
		case err != nil:
			u.Passed = append(u.Passed, Passed{b.Name, "it cannot be read: " + err.Error()})
		case !p.Sound():
			u.Passed = append(u.Passed, Passed{b.Name, "the archive is damaged: " + p.Damage[0]})
		case u.empty:
			if u.spare == nil {
				u.spare = &Unit{Backup: b.Name, Created: b.Created, From: b, Paths: u.exact(), Passed: slices.Clone(u.Passed)}
			}
			u.Passed = append(u.Passed, Passed{b.Name, "it is empty"})
		default:
			u.Backup, u.Created, u.From, u.Paths = b.Name, b.Created, b, u.exact()
		}
	}
	return nil
}
