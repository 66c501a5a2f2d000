package quiesce

import (
	"cmp"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/engine"
)

// dependsOnLabel is where Compose writes what a service depends on: db:service_started:false,cache:service_healthy:true.
const dependsOnLabel = "com.docker.compose.depends_on"

// serviceKey is a service of a project; containers of no project stand for themselves.
type serviceKey struct{ project, service string }

func keyOf(c engine.Container) serviceKey {
	if c.Project == "" || c.Service == "" {
		return serviceKey{service: c.ID}
	}
	return serviceKey{c.Project, c.Service}
}

// levelsOf tells how many services stand before each service: 0 where nothing depends on it.
func levelsOf(containers []engine.Container) map[serviceKey]int {
	dependents := map[serviceKey][]serviceKey{}
	levels := map[serviceKey]int{}
	for _, c := range containers {
		key := keyOf(c)
		levels[key] = 0
		for dependency := range strings.SplitSeq(c.Labels[dependsOnLabel], ",") {
			if name, _, _ := strings.Cut(dependency, ":"); name != "" && c.Project != "" {
				on := serviceKey{c.Project, name}
				dependents[on] = append(dependents[on], key)
			}
		}
	}
	for key := range levels {
		levels[key] = depth(key, dependents, map[serviceKey]bool{})
	}
	return levels
}

// depth is the longest way to a service from one that nothing depends on; seen ends circles.
func depth(key serviceKey, dependents map[serviceKey][]serviceKey, seen map[serviceKey]bool) int {
	if seen[key] {
		return 0
	}
	seen[key] = true
	defer delete(seen, key)
	deepest := 0
	for _, before := range dependents[key] {
		deepest = max(deepest, 1+depth(before, dependents, seen))
	}
	return deepest
}

// order sorts the items by level and closes the gaps between the levels.
func (p *Plan) order() {
	slices.SortStableFunc(p.Items, func(a, b Item) int { return cmp.Compare(a.Level, b.Level) })
	level, was := 0, -1
	for i := range p.Items {
		it := &p.Items[i]
		if i > 0 && it.Level != was {
			level++
		}
		was, it.Level = it.Level, level
	}
}

// byLevel groups items that are in order, level 0 first.
func byLevel(items []Item) [][]Item {
	var out [][]Item
	for i, it := range items {
		if i == 0 || it.Level != items[i-1].Level {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], it)
	}
	return out
}
