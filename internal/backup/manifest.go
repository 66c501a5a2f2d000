package backup

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree"
)

// manifest is the archive's description as the plan knows it; the copy fills in what it finds.
func (r *Runner) manifest(p *Plan, now time.Time) (*archive.Manifest, error) {
	id, err := r.NewID()
	if err != nil {
		return nil, fmt.Errorf("draw id: %w", err)
	}
	m := &archive.Manifest{
		Format: archive.FormatVersion, Tool: p.req.Tool, ID: id, Sequence: p.Sequence,
		Created: now, Reason: p.req.Reason, Note: p.req.Note,
		Project: p.req.Project, Services: p.req.Services, Warnings: slices.Clone(p.Warnings), Problems: slices.Clone(p.req.Problems),
	}
	m.Project.Selected = p.req.Only
	for _, s := range p.Sources {
		m.Sources = append(m.Sources, describe(s))
		if s.shrunk != "" {
			m.Problems = append(m.Problems, archive.Problem{Source: s.Name, Path: ".", Kind: problemShrunk, Error: s.shrunk})
		}
	}
	for _, s := range p.Left {
		m.Exclusions = append(m.Exclusions, archive.Exclusion{Source: s.Name, Rule: "source", Why: s.Excluded})
	}
	return m, nil
}

func describe(s Source) archive.Source {
	out := archive.Source{
		Name: s.Name, Prefix: prefix(s.Name), Kind: string(s.Kind), Path: s.Root, Within: s.within, Missing: s.Missing,
	}
	if s.Missing != "" {
		out.Path = s.Path
	}
	if v := s.Volume; v != nil {
		out.Volume = &archive.Volume{
			Key: v.Key, Name: v.Name, Driver: v.Driver, Options: v.Options, Labels: v.Labels, External: v.External,
		}
	}
	for _, m := range s.Mounts {
		out.Mounts = append(out.Mounts, archive.Mount(m))
	}
	return out
}

// heldMode is how the services of a plan are held still in fact: auto is what was chosen for them, mixed where that differs.
func heldMode(p quiesce.Plan) quiesce.Mode {
	switch {
	case len(p.Items) == 0:
		return quiesce.None
	case p.Action() == quiesce.Auto:
		return "mixed"
	}
	return p.Action()
}

// services are the names of what is held still, each once.
func services(p quiesce.Plan) []string {
	var names []string
	for _, it := range p.Items {
		name := it.Service
		if name == "" {
			name = it.Name
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// why explains a rule in the manifest.
func why(rule string) string {
	switch rule {
	case ruleBackups:
		return "archives are not backed up"
	case ruleSource:
		return "backed up, or left out, as a source of its own"
	case ruleOnly:
		return "the copy is limited to other paths"
	case tree.RuleStaging:
		return "set aside by a restore"
	case tree.RuleSocket:
		return "a socket holds no data"
	case tree.RuleLogs, tree.RuleLog, tree.RuleTmp, tree.RuleCache, tree.RuleNodeModules:
		return "left out by default"
	}
	return "pattern of the user"
}

// projectName is the archive name of one of the project's own files: below project/ as it lies below the working
// directory, else below project/.outside/ with its absolute path.
func projectName(workingDir, path string) string {
	rel, err := filepath.Rel(workingDir, path)
	if err == nil && filepath.IsLocal(rel) {
		return "project/" + filepath.ToSlash(rel)
	}
	abs := filepath.ToSlash(path)
	abs = strings.ReplaceAll(strings.TrimPrefix(abs, "/"), ":", "")
	return "project/.outside/" + abs
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
