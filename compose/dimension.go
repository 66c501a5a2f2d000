package compose

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// Dimension is an embedding dimension that a service's environment declares.
type Dimension struct {
	Service  string
	Variable string
	Value    int
}

// Dimensions are the embedding dimensions that services declare, in variables such as EMBEDDING_DIMENSION or VECTOR_SIZE.
func (p *Project) Dimensions() []Dimension {
	named := regexp.MustCompile(`^(?i:(.*_)?(embeddings?|embed|vectors?)_(dims?|dimensions?|size))$`)
	var out []Dimension
	services := p.resolved()
	for _, service := range slices.Sorted(maps.Keys(services)) {
		env := services[service].Environment
		for _, name := range slices.Sorted(maps.Keys(env)) {
			if n, err := strconv.Atoi(value(env, name)); err == nil && n > 0 && named.MatchString(name) {
				out = append(out, Dimension{Service: service, Variable: name, Value: n})
			}
		}
	}
	return out
}
