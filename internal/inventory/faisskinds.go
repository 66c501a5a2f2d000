package inventory

import "encoding/binary"

// flat reads an index that is nothing but its vectors.
func (x *faissReader) flat(h faissHeader) error {
	n, err := x.count(4)
	if err != nil {
		return err
	}
	want, fits := times(h.total, h.dimension)
	if !fits {
		return damage("says that it has %d vectors of %d numbers", h.total, h.dimension)
	}
	if err := exactly("numbers", n, want); err != nil {
		return err
	}
	return x.v.numbers(x.l, float{width: 4}, n)
}

// idMap reads an index and the ids of its vectors.
func (x *faissReader) idMap(h faissHeader) error {
	if err := x.inner(h, "indexes"); err != nil {
		return err
	}
	n, err := x.skipList(8)
	if err != nil {
		return err
	}
	return exactly("ids", n, h.total)
}

// inner reads an index that has the same vectors as the one around it.
func (x *faissReader) inner(h faissHeader, what string) error {
	in, err := x.index()
	if err != nil || in.code == "null" {
		return err
	}
	if in.dimension != h.dimension {
		return damage("%s vectors of %d numbers within an index of %d", what, in.dimension, h.dimension)
	}
	return exactly("vectors", in.total, h.total)
}

// productCodes reads the description of a product quantizer and returns the size of its codes.
func (x *faissReader) productCodes(h faissHeader) (int64, error) {
	var p [24]byte
	if err := x.v.read(p[:]); err != nil {
		return 0, err
	}
	d, m, bits := binary.LittleEndian.Uint64(p[:]), binary.LittleEndian.Uint64(p[8:]), binary.LittleEndian.Uint64(p[16:])
	if d != uint64(h.dimension) || m == 0 || m > d || bits == 0 || bits > 24 {
		return 0, damage("its product quantizer has %d parts of %d bits for %d numbers", m, bits, d)
	}
	n, err := x.count(4)
	if err != nil {
		return 0, err
	}
	if want, fits := times(int64(d), 1<<bits); !fits || h.trained && n != want {
		return 0, damage("its product quantizer has %d numbers instead of %d", n, want)
	}
	return int64((m*bits + 7) / 8), x.v.numbers(x.l, float{width: 4}, n)
}

// productQuantizer reads an index of codes of a product quantizer.
func (x *faissReader) productQuantizer(h faissHeader) error {
	size, err := x.productCodes(h)
	if err != nil {
		return err
	}
	if err := x.codes(h, size); err != nil {
		return err
	}
	return x.v.skip(9) // parameters of the search
}

// codes reads the codes of all vectors.
func (x *faissReader) codes(h faissHeader, size int64) error {
	n, err := x.skipList(1)
	if err != nil {
		return err
	}
	want, fits := times(h.total, size)
	if !fits {
		return damage("says that it has %d vectors of %d bytes", h.total, size)
	}
	return exactly("bytes of codes", n, want)
}

// scalarCodes reads the description of a scalar quantizer and returns the size of its codes.
func (x *faissReader) scalarCodes(h faissHeader) (int64, error) {
	var p [28]byte
	if err := x.v.read(p[:]); err != nil {
		return 0, err
	}
	d, size := binary.LittleEndian.Uint64(p[12:]), binary.LittleEndian.Uint64(p[20:])
	if d != uint64(h.dimension) || size == 0 || size > 4*d {
		return 0, damage("its scalar quantizer has codes of %d bytes for %d numbers", size, d)
	}
	n, err := x.count(4)
	if err != nil {
		return 0, err
	}
	return int64(size), x.v.numbers(x.l, float{width: 4}, n)
}

// scalarQuantizer reads an index of codes of a scalar quantizer.
func (x *faissReader) scalarQuantizer(h faissHeader) error {
	size, err := x.scalarCodes(h)
	if err != nil {
		return err
	}
	return x.codes(h, size)
}

// hnsw reads the graph of an index, then the index that has its vectors.
func (x *faissReader) hnsw(h faissHeader) error {
	for _, width := range []int64{8, 4} { // probabilities and sizes of the levels
		if _, err := x.skipList(width); err != nil {
			return err
		}
	}
	if err := x.levels(h); err != nil {
		return err
	}
	last, err := x.offsets(h)
	if err != nil {
		return err
	}
	if err := x.neighbors(h, last); err != nil {
		return err
	}
	var p [20]byte
	if err := x.v.read(p[:]); err != nil {
		return err
	}
	entry := int64(int32(binary.LittleEndian.Uint32(p[:])))
	if entry >= h.total || entry < -1 || entry == -1 && h.total > 0 {
		return damage("its graph begins at vector %d of %d", entry, h.total)
	}
	return x.inner(h, "keeps")
}

// levels reads on how many levels of the graph each vector is.
func (x *faissReader) levels(h faissHeader) error {
	n, err := x.count(4)
	if err != nil {
		return err
	}
	if err := exactly("levels", n, h.total); err != nil {
		return err
	}
	return x.ints(n, func(level int32) error {
		if level < 1 {
			return damage("a vector is on %d levels of the graph", level)
		}
		return nil
	})
}

// offsets reads where the links of each vector begin, and returns the last: how many links there are.
func (x *faissReader) offsets(h faissHeader) (int64, error) {
	n, err := x.count(8)
	if err != nil {
		return 0, err
	}
	if err := exactly("places of links", n-1, h.total); err != nil {
		return 0, err
	}
	if !x.l.full {
		if err := x.v.skip((n - 1) * 8); err != nil {
			return 0, err
		}
		last, err := x.v.u64()
		return int64(last), err
	}
	last := uint64(0)
	err = x.v.each(n, 8, func(p []byte, _ int64) error {
		for ; len(p) > 0; p = p[8:] {
			next := binary.LittleEndian.Uint64(p)
			if next < last {
				return damage("the places of the links go back from %d to %d", last, next)
			}
			last = next
		}
		return nil
	})
	return int64(last), err
}

// neighbors reads the links of the graph.
func (x *faissReader) neighbors(h faissHeader, last int64) error {
	n, err := x.count(4)
	if err != nil {
		return err
	}
	if err := exactly("links", n, last); err != nil {
		return err
	}
	return x.ints(n, func(link int32) error {
		if link < -1 || int64(link) >= h.total {
			return damage("a link of the graph leads to vector %d of %d", link, h.total)
		}
		return nil
	})
}

// ints hands n integers to see in a full look, and leaves them out else.
func (x *faissReader) ints(n int64, see func(int32) error) error {
	if !x.l.full {
		return x.v.skip(n * 4)
	}
	return x.v.each(n, 4, func(p []byte, _ int64) error {
		for ; len(p) > 0; p = p[4:] {
			if err := see(int32(binary.LittleEndian.Uint32(p))); err != nil {
				return err
			}
		}
		return nil
	})
}
