package restore

import (
	"fmt"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Rules by which an entry of the live source stays in place although no exclusion pattern says so.
const (
	keepUnread   = "could not be read by the backup"
	keepExcluded = "excluded by the backup"
	keepBackups  = "backups directory"
	keepSource   = "another source"
	keepForeign  = "a mount, another source or the backups directory"
	keepUnchosen = "not asked for"
)

// builtin tells the rules of tree that are no user's patterns.
func builtin(rule string) bool {
	switch rule {
	case tree.RuleLogs, tree.RuleLog, tree.RuleTmp, tree.RuleCache, tree.RuleNodeModules, tree.RuleStaging, tree.RuleSocket:
		return true
	}
	return false
}

// keeper tells what stays in place in one target: what the backup left out, and what backups leave out now, for no safety backup
// has it. What the archive holds is restored all the same.
type keeper struct {
	now   func(*tree.Entry) string
	then  func(*tree.Entry) string
	paths map[string]string
	view  *view
	// clashes are entries that the archive holds and that rules of now leave out: only the entries set aside keep them.
	clashes []string
}

// skip is the function for Walk, Compare and PlanSwap.
func (k *keeper) skip(e *tree.Entry) string {
	if e.Path == "." {
		return ""
	}
	archived := k.view.archived[e.Path]
	if rule := k.paths[e.Path]; rule != "" && !archived {
		return rule
	}
	rule := k.now(e)
	switch {
	case k.view.isBlocked(e.Path):
		return keepForeign
	case rule == tree.RuleStaging || rule == keepBackups || rule == keepSource:
		return rule
	case !k.view.covers(e.Path):
		return keepUnchosen
	case rule != "" && archived:
		k.clashes = append(k.clashes, e.Path)
		return ""
	case rule == "" && !archived && k.belowUnread(e.Path):
		return keepUnread
	case rule == "" && !archived:
		return k.then(e)
	}
	return rule
}

// belowUnread tells whether a path lies in a folder that the backup has, but could not look into.
func (k *keeper) belowUnread(path string) bool {
	for path != "." {
		path = parentOf(path)
		if k.paths[path] == keepUnread {
			return true
		}
	}
	return false
}

// keeper makes the keeper of a target whose root exists.
func (p *Plan) keeper(t *Target) (*keeper, error) {
	k := &keeper{paths: map[string]string{}, view: t.view}
	for _, path := range t.kept {
		k.paths[string(path)] = keepExcluded
	}
	patterns := p.leftOut(t, k)
	then, err := tree.NewRules(tree.RuleOptions{Patterns: patterns})
	if err != nil {
		return nil, fmt.Errorf("read exclusions of the backup: %w", err)
	}
	now, err := tree.NewRules(tree.RuleOptions{Patterns: p.req.Exclude, Defaults: true, Exclude: p.places(t)})
	if err != nil {
		return nil, fmt.Errorf("read exclusions: %w", err)
	}
	k.then, k.now = then.Skip(t.Root), now.Skip(t.Root)
	return k, nil
}

// leftOut notes the paths that the backup left out of a target, and returns the patterns by which it did.
func (p *Plan) leftOut(t *Target, k *keeper) (patterns []string) {
	if t.From != "" && t.From != FromBackup {
		return nil // the archive says nothing of what was set aside
	}
	for _, x := range p.manifest.Exclusions {
		if x.Source != t.source.Name {
			continue
		}
		for _, path := range x.Paths {
			k.paths[path] = keepExcluded
		}
		if len(x.Paths) == 0 && !builtin(x.Rule) {
			patterns = append(patterns, x.Rule)
		}
	}
	for _, problem := range p.manifest.Problems {
		if problem.Source == t.source.Name && problem.Kind == problemUnreadable {
			k.paths[problem.Path] = keepUnread
		}
	}
	return patterns
}

// problemUnreadable is the kind of a manifest's problem with an entry that is not in the archive.
const problemUnreadable = "unreadable"

// places are the backups directory and the roots of the other sources: they may lie inside this one.
func (p *Plan) places(t *Target) map[tree.Identity]string {
	out := map[tree.Identity]string{}
	add := func(path, rule string) {
		if path == "" {
			return
		}
		if id, err := tree.Identify(path); err == nil && id != (tree.Identity{}) { // what does not exist is not inside
			out[id] = rule
		}
	}
	for _, s := range p.req.Sources {
		if s.Name != t.Name {
			add(s.Path, keepSource)
		}
	}
	for _, other := range p.Targets {
		if other != t {
			add(other.Root, keepSource)
		}
	}
	add(p.req.Backups, keepBackups)
	return out
}
