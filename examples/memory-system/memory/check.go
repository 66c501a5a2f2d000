package memory

import (
	"fmt"
	"maps"
)

// Status is what a check of the data found.
type Status struct {
	Memories int `json:"memories"`
	Vectors  int `json:"vectors"`
	Terms    int `json:"terms"`
	// Pending is how many memories no segment of the index holds yet; a restart would index them again.
	Pending int      `json:"pending"`
	Damage  []Damage `json:"damage"`
}

// Check compares the files with what the store knows of them. If another program has changed one, all data is read anew,
// so damage is found and a repair is seen without a restart. A store that cannot be read at all is an error.
func (s *Store) Check() (Status, error) {
	s.mu.RLock()
	same := maps.Equal(s.stamps, s.look())
	status := s.status()
	s.mu.RUnlock()
	if same {
		return status, nil
	}
	return s.Recheck()
}

// Recheck reads all data anew, whether it looks changed or not.
func (s *Store) Recheck() (Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// What the index holds in memory only is made again from the memories.
	if err := s.reload(); err != nil {
		return s.status(), fmt.Errorf("read data: %w", err)
	}
	return s.status(), nil
}

func (s *Store) status() Status {
	st := Status{Memories: len(s.summaries), Damage: append([]Damage{}, s.damage...)}
	if s.vectors != nil {
		st.Vectors = len(s.vectors.IDs())
	}
	if s.index != nil {
		st.Terms, st.Pending = s.index.Terms(), s.index.Pending()
	}
	return st
}
