package memory

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/memsys/docker-memsys/examples/memory-system/vector"
)

// The ways to search.
const (
	ModeText   = "text"
	ModeVector = "vector"
	ModeHybrid = "hybrid"
)

// Result is a memory found; a higher score is better, 1 is best.
type Result struct {
	Score float64 `json:"score"`
	Memory
}

// Search returns at most limit memories for a query, best first: by words, by the similarity of embeddings, or by both.
func (s *Store) Search(query, mode string, limit int) ([]Result, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	scores := map[string]float64{}
	switch mode {
	case ModeText:
		s.scoreText(query, 1, scores)
	case ModeVector:
		s.scoreVectors(query, 1, scores)
	case ModeHybrid:
		s.scoreText(query, 0.5, scores)
		s.scoreVectors(query, 0.5, scores)
	default:
		return nil, fmt.Errorf("%w: search mode %q", ErrInvalid, mode)
	}
	out := []Result{}
	for _, id := range best(scores, limit) {
		m, err := s.get(id)
		if err != nil {
			return nil, err
		}
		out = append(out, Result{scores[id], m})
	}
	return out, nil
}

func (s *Store) scoreText(query string, weight float64, scores map[string]float64) {
	hits := s.index.Search(query)
	for _, h := range hits {
		scores[h.ID] += weight * h.Score / hits[0].Score
	}
}

func (s *Store) scoreVectors(query string, weight float64, scores map[string]float64) {
	q := vector.Embed(query)
	s.vectors.Each(func(id string, v []float32) {
		if c := vector.Cosine(q, v); c > 0 {
			scores[id] += weight * c
		}
	})
}

func best(scores map[string]float64, limit int) []string {
	ids := make([]string, 0, len(scores))
	for id := range scores {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b))
	})
	return ids[:min(limit, len(ids))]
}
