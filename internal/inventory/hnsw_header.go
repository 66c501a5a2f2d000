package inventory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// This file knows header.bin, the first of the files in which hnswlib keeps an index in a folder, as Chroma has it do.

// headerSize is the size of header.bin, always.
const headerSize = 100

// noElement is the entry point of an index without elements.
const noElement = math.MaxUint32

// The limits of what an index may say of itself: nothing that Chroma makes comes near.
const (
	mostNeighbours    = 1 << 14
	mostHNSWDimension = 1 << 20
	mostLevels        = 255
)

// hnswHeader is header.bin.
type hnswHeader struct {
	version     int32
	offset      uint64 // of the lowest level in an element
	capacity    uint64
	count       uint64 // deleted elements included
	size        uint64 // of an element in data_level0.bin
	labelOffset uint64
	dataOffset  uint64
	maxLevel    int32
	entry       uint32
	maxM        uint64 // neighbours of an element in the upper levels
	maxM0       uint64 // neighbours in the lowest level
	m           uint64
}

// dimension is the length of the vectors.
func (h *hnswHeader) dimension() int { return int(h.labelOffset-h.dataOffset) / 4 }

// readHNSWHeader reads header.bin and checks what it says by itself; its error says what is wrong.
func readHNSWHeader(b []byte) (*hnswHeader, error) {
	if len(b) != headerSize {
		return nil, fmt.Errorf("has %d bytes in place of %d", len(b), headerSize)
	}
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	h := &hnswHeader{
		version: int32(u32(0)), offset: u64(4), capacity: u64(12), count: u64(20), size: u64(28), labelOffset: u64(36), dataOffset: u64(44),
		maxLevel: int32(u32(52)), entry: u32(56), maxM: u64(60), maxM0: u64(68), m: u64(76),
	}
	return h, errors.Join(h.shape(), h.top())
}

// shape checks version and sizes.
func (h *hnswHeader) shape() error {
	switch {
	case h.version != 1:
		return fmt.Errorf("is of version %d; only 1 is known", h.version)
	case h.offset != 0:
		return fmt.Errorf("lets elements begin at byte %d", h.offset)
	case h.m == 0 || h.m > mostNeighbours || h.maxM != h.m || h.maxM0 != 2*h.m:
		return fmt.Errorf("gives elements %d neighbours, and %d and %d at most", h.m, h.maxM, h.maxM0)
	case h.dataOffset != 4+4*h.maxM0:
		return fmt.Errorf("lets vectors begin at byte %d, behind %d neighbours", h.dataOffset, h.maxM0)
	case h.labelOffset <= h.dataOffset || (h.labelOffset-h.dataOffset)%4 != 0 || (h.labelOffset-h.dataOffset)/4 > mostHNSWDimension:
		return fmt.Errorf("has vectors from byte %d to %d", h.dataOffset, h.labelOffset)
	case h.size != h.labelOffset+8:
		return fmt.Errorf("gives an element %d bytes in place of %d", h.size, h.labelOffset+8)
	case h.count > h.capacity || h.capacity > math.MaxUint32:
		return fmt.Errorf("counts %d elements where %d have room", h.count, h.capacity)
	}
	return nil
}

// top checks the entry into the graph.
func (h *hnswHeader) top() error {
	switch {
	case h.count == 0 && (h.entry != noElement || h.maxLevel != -1):
		return errors.New("has an entry point, but no element")
	case h.count > 0 && uint64(h.entry) >= h.count:
		return fmt.Errorf("begins searches at element %d of %d", h.entry, h.count)
	case h.count > 0 && (h.maxLevel < 0 || h.maxLevel > mostLevels):
		return fmt.Errorf("has %d levels", h.maxLevel)
	}
	return nil
}
