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
	known := slices.Clone(also)
	for _, s := range Settings() {
		known = append(known, s.Env)
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
		if !strings.HasPrefix(name, variablePrefix) || slices.Contains(known, name) {
			continue
		}
		if hint := didYouMean(name, known); hint != "" {
			out = append(out, fmt.Sprintf("the variable %s is no setting%s", name, hint))
		}
	}
	return out
}
