package inventory

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// idMap is which element of an index belongs to which id: the content of index_metadata.pickle. It takes about 100 bytes for each id.
type idMap struct {
	dimension int64 // 0: not kept there (1.x)
	added     int64 // how many elements were ever added
	sequence  int64 // the last operation of the queue that is in the index, where inPickle is set (up to 0.5.6)
	inPickle  bool
	// labels are the labels by id. The highest bit is set once the other direction has confirmed the pair, or ids were compared.
	labels map[string]uint64
	first  string          // the direction that came first
	second int64           // how many pairs the other one has
	fields map[string]bool // those of the outermost dictionary
}

// seenLabel marks a label.
const seenLabel = 1 << 63

// readIDMap reads a pickle of size bytes.
func readIDMap(in io.Reader, size int64) (*idMap, error) {
	m := &idMap{labels: map[string]uint64{}, fields: map[string]bool{}}
	if err := unpickle(in, size, m.pair); err != nil {
		return nil, err
	}
	if !m.fields["total_elements_added"] {
		return nil, errors.New("is no map of an index")
	}
	if m.second != int64(len(m.labels)) {
		return nil, fmt.Errorf("maps %d ids to elements, but %d elements to ids", len(m.labels), m.second)
	}
	return m, m.check()
}

// readSequence reads only how far the index has come, as Chroma up to 0.5.6 keeps it.
func readSequence(in io.Reader, size int64) (sequence int64, ok bool, err error) {
	err = unpickle(in, size, func(name string, key, value pickleValue) error {
		if name != "" {
			return errEnough
		}
		if key.s == "max_seq_id" && value.kind == pickleInt {
			sequence, ok = value.n, true
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return sequence, ok, err
}

// check looks at the map by itself.
func (m *idMap) check() error {
	labels := m.sorted()
	for i := 1; i < len(labels); i++ {
		if labels[i] == labels[i-1] {
			return fmt.Errorf("gives element %d to two ids", labels[i])
		}
	}
	if n := len(labels); n > 0 && labels[n-1] > uint64(max(m.added, 0)) {
		return fmt.Errorf("has element %d, but only %d were ever added", labels[n-1], m.added)
	}
	return nil
}

// sorted are all labels, ascending, without marks.
func (m *idMap) sorted() []uint64 {
	out := make([]uint64, 0, len(m.labels))
	for _, label := range m.labels {
		out = append(out, label&^seenLabel)
	}
	slices.Sort(out)
	return out
}

// unmark takes all marks off.
func (m *idMap) unmark() {
	for id, label := range m.labels {
		m.labels[id] = label &^ seenLabel
	}
}

// pair takes one pair of the pickle.
func (m *idMap) pair(name string, key, value pickleValue) error {
	switch name {
	case "":
		return m.field(key.s, value)
	case "id_to_label":
		return m.label(name, key, value)
	case "label_to_id":
		return m.label(name, value, key)
	}
	return nil // id_to_seq_id and what later versions may add
}

func (m *idMap) field(name string, value pickleValue) error {
	m.fields[name] = true
	switch {
	case value.kind == pickleInt && value.n < 0:
		return fmt.Errorf("has a negative number for %.40q", name)
	case name == "dimensionality":
		m.dimension = value.n
	case name == "total_elements_added":
		m.added = value.n
	case name == "max_seq_id":
		m.sequence, m.inPickle = value.n, value.kind == pickleInt
	}
	return nil
}

// label takes a pair of one of the two directions: the first one is kept, the second compared with it.
func (m *idMap) label(direction string, id, label pickleValue) error {
	if id.kind != pickleString || label.kind != pickleInt || label.n < 0 {
		return errors.New("has a pair that is no id and element")
	}
	if m.first == "" {
		m.first = direction
	}
	old, known := m.labels[id.s]
	if m.first == direction {
		if known {
			return fmt.Errorf("has the id %.80q twice", id.s)
		}
		m.labels[id.s] = uint64(label.n)
		return nil
	}
	if !known || old != uint64(label.n) {
		return fmt.Errorf("has the id %.80q in one direction only", id.s)
	}
	m.labels[id.s] = old | seenLabel
	m.second++
	return nil
}
