package inventory

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// hnswLinks reads link_lists.bin: for each element the neighbours in the levels above the lowest.
type hnswLinks struct {
	h *hnswHeader

	levels []uint8 // the highest level of each element
	faults hnswFaults
}

// linksError is a file whose parts do not fit one another; its text says what is wrong.
type linksError string

func (e linksError) Error() string { return string(e) }

// measure reads how high each element is, which open makes possible for neighbours that come later. Its error is an linksError or one of reading.
func (l *hnswLinks) measure(ctx context.Context, in io.Reader) error {
	r := bufio.NewReaderSize(in, 64<<10)
	step := 4 + 4*l.h.maxM
	top := uint64(0)
	for i := range l.h.count {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		size, err := readLinkSize(r)
		if err != nil {
			return l.short(err)
		}
		if size%step != 0 || size/step > mostLevels {
			return linksError(fmt.Sprintf("element %d has %d bytes of links, which is no number of levels of %d", i, size, step))
		}
		if _, err := r.Discard(int(size)); err != nil {
			return l.short(err)
		}
		l.levels = append(l.levels, uint8(size/step))
		top = max(top, size/step)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		if err != nil {
			return err
		}
		return linksError("goes on behind the links of the last element")
	}
	return l.entry(top)
}

func (l *hnswLinks) short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return linksError(fmt.Sprintf("ends in the middle: it holds the links of %d elements of %d", len(l.levels), l.h.count))
	}
	return err
}

// entry checks that the entry point is one of the highest elements.
func (l *hnswLinks) entry(top uint64) error {
	if l.h.count == 0 {
		return nil
	}
	if int64(top) != int64(l.h.maxLevel) || int32(l.levels[l.h.entry]) != l.h.maxLevel {
		return linksError(fmt.Sprintf("has %d levels, and the entry point (element %d) %d, where header.bin has %d", top, l.h.entry, l.levels[l.h.entry], l.h.maxLevel))
	}
	return nil
}

// read reads the neighbours, after measure.
func (l *hnswLinks) read(ctx context.Context, in io.Reader) error {
	r := bufio.NewReaderSize(in, 64<<10)
	level := make([]byte, 4+4*l.h.maxM)
	for i := range l.h.count {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := readLinkSize(r); err != nil {
			return l.short(err)
		}
		for k := range l.levels[i] {
			if _, err := io.ReadFull(r, level); err != nil {
				return l.short(err)
			}
			l.level(i, k+1, level)
		}
	}
	return nil
}

func readLinkSize(r io.Reader) (uint64, error) {
	var b [4]byte
	_, err := io.ReadFull(r, b[:])
	return uint64(binary.LittleEndian.Uint32(b[:])), err
}

// level checks the neighbours of an element in one level.
func (l *hnswLinks) level(i uint64, level uint8, b []byte) {
	n := uint64(binary.LittleEndian.Uint16(b))
	if n > l.h.maxM {
		l.faults.add("has more neighbours above the lowest level than there is room for: the server dies when it comes there", i)
		return
	}
	for k := range n {
		to := uint64(binary.LittleEndian.Uint32(b[4+4*k:]))
		switch {
		case to >= l.h.count:
			l.faults.add("has a neighbour above the lowest level that does not exist: the server dies when it comes there", i)
			return
		case l.levels[to] < level:
			l.faults.add("has a neighbour in a level that the neighbour is not in: the server dies when it comes there", i)
			return
		}
	}
}
