package tree

import (
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// The built-in rules, as they stand in manifests and reports.
const (
	RuleLogs        = "logs/"        // the folder logs at the root of a source
	RuleLog         = "*.log"        // outside folders that look like a store
	RuleTmp         = "*.tmp"        // likewise
	RuleCache       = "*.cache"      // likewise
	RuleNodeModules = "node_modules" // a folder of that name at any depth
	RuleStaging     = ".memsys-*"    // staging of a restore, at any depth
)

// Identity is a folder or file of this machine, whatever its path.
type Identity struct{ Device, Inode uint64 }

// RuleOptions say what is left out of a source.
type RuleOptions struct {
	// Patterns are the user's: without a slash they match names at any depth, with one they are anchored at the source's
	// root and know **; a trailing slash matches folders only.
	Patterns []string
	// Defaults adds the built-in rules for logs, temporary files and node_modules. Staging is always left out.
	Defaults bool
	// IncludeLogs keeps what only RuleLogs and RuleLog would leave out.
	IncludeLogs bool
	// Exclude leaves out what lies elsewhere under a name of its own: the backups directory, roots of other sources. The value
	// is the rule that is reported.
	Exclude map[Identity]string
}

// Rules decide what is left out of a source.
type Rules struct {
	o        RuleOptions
	patterns []pattern
}

type pattern struct {
	text     string // as the user wrote it
	glob     string
	anchored bool
	folders  bool
}

// NewRules compiles the patterns; one that cannot be understood is an error that names it.
func NewRules(o RuleOptions) (*Rules, error) {
	r := &Rules{o: o}
	for _, text := range o.Patterns {
		p, err := compile(text)
		if err != nil {
			return nil, err
		}
		r.patterns = append(r.patterns, p)
	}
	return r, nil
}

func compile(text string) (pattern, error) {
	glob := strings.TrimPrefix(strings.TrimSuffix(text, "/"), "./")
	p := pattern{text: text, folders: strings.HasSuffix(text, "/"), anchored: strings.Contains(glob, "/")}
	p.glob = strings.TrimPrefix(glob, "/")
	if p.glob == "" || strings.HasPrefix(text, "!") || !doublestar.ValidatePattern(p.glob) {
		return p, fmt.Errorf("%q is not a pattern", text)
	}
	for part := range strings.SplitSeq(p.glob, "/") {
		if part == ".." || part == "." || part == "" {
			return p, fmt.Errorf("pattern %q has an empty, . or .. component", text)
		}
	}
	return p, nil
}

// Matches tells whether an entry matches one of the user's patterns, by its path and kind alone.
func (r *Rules) Matches(e *Entry) bool { return r.match(e) != "" }

// match is the user's pattern that an entry matches, "" for none.
func (r *Rules) match(e *Entry) string {
	_, name := splitPath(e.Path)
	for _, p := range r.patterns {
		subject := name
		if p.anchored {
			subject = e.Path
		}
		if p.folders && e.Kind != Dir {
			continue
		}
		if ok, _ := doublestar.Match(p.glob, subject); ok {
			return p.text
		}
	}
	return ""
}

// Skip is the function for WalkOptions, CompareOptions and PlanSwap over the tree at root. It looks into the tree to tell
// whether a folder looks like a store. The function is for one goroutine.
func (r *Rules) Skip(root string) func(*Entry) string {
	s := &stores{dirs: newDirs(root), known: map[string]bool{}}
	s.dirs.close() // keeps no folder open between calls
	return func(e *Entry) string {
		if e.Path == "." {
			return ""
		}
		_, name := splitPath(e.Path)
		if e.Kind == Dir && strings.HasPrefix(name, stagingPrefix) {
			return RuleStaging
		}
		if rule := r.o.Exclude[Identity{e.Device, e.Inode}]; rule != "" && e.Inode != 0 {
			return rule
		}
		if database := s.unit(e); database != nil {
			e = database
			_, name = splitPath(e.Path)
		}
		if rule := r.match(e); rule != "" || !r.o.Defaults {
			return rule
		}
		return r.builtin(e, name, s)
	}
}

func (r *Rules) builtin(e *Entry, name string, s *stores) string {
	if e.Kind == Dir {
		switch {
		case name == "node_modules":
			return RuleNodeModules
		case e.Path == "logs" && !r.o.IncludeLogs:
			return RuleLogs
		}
		return ""
	}
	for _, rule := range []string{RuleLog, RuleTmp, RuleCache} {
		if !strings.HasSuffix(name, rule[1:]) || (rule == RuleLog && (r.o.IncludeLogs || writeAheadLog(name))) {
			continue
		}
		if dir, _ := splitPath(e.Path); !s.store(dir) {
			return rule
		}
	}
	return ""
}

// Names tells whether a pattern of the user matches the entry.
func (r *Rules) Names(e *Entry) bool { return r.match(e) != "" }
