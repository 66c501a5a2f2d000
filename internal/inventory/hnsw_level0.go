package inventory

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// nearOne is how far the length of a vector that was made 1 may be from it: 2e-7 were measured.
const nearOne = 1e-5

// hnswLevel0 reads data_level0.bin: elements with their neighbours, vector and label.
type hnswLevel0 struct {
	h *hnswHeader
	// full looks at vectors and neighbours too.
	full bool
	// lengths are the lengths of the vectors before they were made 1, in the order of the elements; nil where the space is not cosine.
	lengths io.Reader

	labels  []uint64 // of elements that are not deleted
	deleted uint64
	faults  hnswFaults
	all     []uint64
}

// hnswFaults count what is wrong by its text, with the first element of each.
type hnswFaults struct {
	order []string
	first map[string]uint64
	count map[string]int64
}

// add counts one fault of an element.
func (f *hnswFaults) add(text string, element uint64) {
	if f.count == nil {
		f.first, f.count = map[string]uint64{}, map[string]int64{}
	}
	if f.count[text] == 0 {
		f.order = append(f.order, text)
		f.first[text] = element
	}
	f.count[text]++
}

// texts are the faults, one each.
func (f *hnswFaults) texts() []string {
	var out []string
	for _, text := range f.order {
		if n := f.count[text]; n > 1 {
			out = append(out, fmt.Sprintf("element %d %s; so do %d more", f.first[text], text, n-1))
		} else {
			out = append(out, fmt.Sprintf("element %d %s", f.first[text], text))
		}
	}
	return out
}

// read reads all elements. Its error is one of reading: what is wrong with the elements stands in faults.
func (l *hnswLevel0) read(ctx context.Context, in io.Reader) error {
	r := bufio.NewReaderSize(in, 256<<10)
	lengths := bufio.NewReader(l.lengths)
	element := make([]byte, l.h.size)
	for i := range l.h.count {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := io.ReadFull(r, element); err != nil {
			return endedEarly(err)
		}
		l.element(i, element)
		if l.full {
			l.neighbours(i, element)
			if err := l.vector(i, element, lengths); err != nil {
				return err
			}
		}
	}
	l.unique()
	return nil
}

// element looks at flags and label.
func (l *hnswLevel0) element(i uint64, b []byte) {
	label := binary.LittleEndian.Uint64(b[l.h.labelOffset:])
	l.all = append(l.all, label)
	switch flags := b[2]; {
	case flags > 1 || b[3] != 0:
		l.faults.add("has marks that hnswlib does not make", i)
	case flags == 1:
		l.deleted++
	default:
		l.labels = append(l.labels, label)
	}
}

// unique checks that no two elements have the same label, and sorts labels.
func (l *hnswLevel0) unique() {
	slices.Sort(l.all)
	for i := 1; i < len(l.all); i++ {
		if l.all[i] == l.all[i-1] {
			l.faults.add("(by its label) is there more than once", l.all[i])
		}
	}
	l.all = nil
	slices.Sort(l.labels)
}

func (l *hnswLevel0) neighbours(i uint64, b []byte) {
	n := uint64(binary.LittleEndian.Uint16(b))
	if n > l.h.maxM0 {
		l.faults.add("has more neighbours than there is room for: the server dies when it comes there", i)
		return
	}
	for k := range n {
		switch to := uint64(binary.LittleEndian.Uint32(b[4+4*k:])); {
		case to >= l.h.count:
			l.faults.add("has a neighbour that does not exist: the server dies when it comes there", i)
			return
		case to == i:
			l.faults.add("is its own neighbour", i)
			return
		}
	}
}

// vector checks that the numbers are finite, and of length 1 where lengths are kept.
func (l *hnswLevel0) vector(i uint64, b []byte, lengths io.Reader) error {
	sum := 0.0
	for at := l.h.dataOffset; at < l.h.labelOffset; at += 4 {
		v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b[at:])))
		sum += v * v
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		l.faults.add("has a vector with numbers that are none (NaN, Inf)", i)
	}
	if l.lengths == nil {
		return nil
	}
	var b4 [4]byte
	if _, err := io.ReadFull(lengths, b4[:]); err != nil {
		return endedEarly(err)
	}
	before := float64(math.Float32frombits(binary.LittleEndian.Uint32(b4[:])))
	switch empty := sum == 0 && before == 0; {
	case math.IsNaN(before) || math.IsInf(before, 0) || before < 0:
		l.faults.add("has a vector whose length before normalisation is no number", i)
	case !empty && !(math.Abs(math.Sqrt(sum)-1) <= nearOne):
		l.faults.add("has a vector whose length is not 1: a number in it was changed", i)
	}
	return nil
}
