package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// variablePrefix is how the names of our variables of the environment begin.
const variablePrefix = "MEMSYS_"

// MistypedVariables says which variables of the environment, and of the project's .env, are no setting but nearly have the name of one. Others with
// our prefix may be the project's own. also are names that mean something beside the settings.
func (p *Project) MistypedVariables(environ []string, also ...string) []string {
	var known []string // without the prefix: what all have in common makes nothing alike
	for _, name := range also {
		known = append(known, strings.TrimPrefix(name, variablePrefix))
	}
	for _, s := range Settings() {
		known = append(known, strings.TrimPrefix(s.Env, variablePrefix))
	}
	names := map[string]bool{}
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		names[name] = true
	}
	for name := range p.environment {
		names[name] = true
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		word, ours := strings.CutPrefix(name, variablePrefix)
		if !ours || slices.Contains(known, word) {
			continue
		}
		if near := Nearest(word, known); near != "" {
			out = append(out, fmt.Sprintf("the variable %s is no setting, did you mean %q?", name, variablePrefix+near))
		}
	}
	return out
}
