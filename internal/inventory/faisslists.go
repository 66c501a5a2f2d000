package inventory

import (
	"encoding/binary"
	"io"
)

// inverted reads an index of inverted lists: the index that chooses a list, the map of ids, what encodes, the lists.
func (x *faissReader) inverted(h faissHeader) error {
	lists, err := x.v.u64()
	if err != nil {
		return err
	}
	if err := x.v.skip(8); err != nil { // how many lists a search looks at
		return err
	}
	chooser, err := x.index()
	if err != nil {
		return err
	}
	if h.trained && chooser.code != "null" && chooser.total != int64(lists) {
		return damage("chooses from %d lists but has %d", chooser.total, lists)
	}
	if err := x.directMap(h); err != nil {
		return err
	}
	size, err := x.encoder(h)
	if err != nil {
		return err
	}
	return x.lists(h, lists, size)
}

// directMap reads where the vector of an id is.
func (x *faissReader) directMap(h faissHeader) error {
	kind, err := x.v.u8()
	if err != nil {
		return err
	}
	n, err := x.skipList(8)
	switch {
	case err != nil:
		return err
	case kind > 2:
		return damage("its map of ids is of kind %d", kind)
	case kind == 1:
		return exactly("mapped ids", n, h.total)
	case kind == 2:
		_, err = x.skipList(16)
	}
	return err
}

// encoder reads what encodes the vectors, and returns the size of a code.
func (x *faissReader) encoder(h faissHeader) (size int64, err error) {
	switch h.code {
	case "IwPQ":
		if err := x.v.skip(9); err != nil { // by residual, size of a code
			return 0, err
		}
		return x.productCodes(h)
	case "IwSq":
		if size, err = x.scalarCodes(h); err != nil {
			return 0, err
		}
		return size, x.v.skip(9)
	}
	return 4 * h.dimension, nil
}

// lists reads the inverted lists. Their sizes stand before them all: they are summed up, then read a second time beside the lists.
func (x *faissReader) lists(h faissHeader, count uint64, code int64) error {
	var p [4]byte
	if err := x.v.read(p[:]); err != nil {
		return err
	}
	switch string(p[:]) {
	case "il00":
		return nil // left out on purpose
	case "ilar":
	default:
		return unchecked("the kind %q of inverted lists is not known", p[:])
	}
	n, err := x.v.u64()
	if err != nil {
		return err
	}
	size, err := x.v.u64()
	if err != nil {
		return err
	}
	if n != count || size != uint64(code) {
		return damage("has %d lists with codes of %d bytes instead of %d with %d", n, size, count, code)
	}
	sizes, err := x.sizes(n)
	if err != nil {
		return err
	}
	if err := exactly("vectors in its lists", sizes.sum, h.total); err != nil {
		return err
	}
	if !x.l.full || h.code != "IwFl" {
		return x.skipAll(sizes.sum, code+8)
	}
	return x.flatLists(h, sizes)
}

func (x *faissReader) skipAll(n, width int64) error {
	total, err := x.v.need(n, width)
	if err != nil {
		return err
	}
	return x.v.skip(total)
}

// listSizes are the sizes of the lists, left in the file.
type listSizes struct {
	from, items int64
	step, place int64 // every step-th number from place is a size
	sum         int64
}

// sizes reads the sizes of n lists: of all, or by pairs of list and size of those that are not empty.
func (x *faissReader) sizes(n uint64) (listSizes, error) {
	var p [4]byte
	if err := x.v.read(p[:]); err != nil {
		return listSizes{}, err
	}
	items, err := x.count(8)
	s := listSizes{from: x.v.pos, items: items, step: 1}
	switch {
	case err != nil:
		return s, err
	case string(p[:]) == "sprs":
		s.step, s.place = 2, 1
	case string(p[:]) != "full":
		return s, damage("has %q where its lists' sizes should begin", p[:])
	}
	if s.step == 1 && uint64(items) != n || s.step == 2 && (items%2 != 0 || uint64(items/2) > n) {
		return s, damage("has %d sizes of %d lists", items/s.step, n)
	}
	i := int64(0)
	err = x.v.each(items, 8, func(p []byte, _ int64) error {
		for ; len(p) > 0; p, i = p[8:], i+1 {
			v := binary.LittleEndian.Uint64(p)
			switch {
			case i%s.step != s.place && v >= n:
				return damage("has a list %d of %d", v, n)
			case i%s.step != s.place:
			case v > uint64(x.v.size):
				return damage("has a list of %d vectors", v)
			default:
				s.sum = min(s.sum+int64(v), x.v.size)
			}
		}
		return nil
	})
	return s, err
}

// flatLists looks at the vectors of all lists; behind those of a list are its ids.
func (x *faissReader) flatLists(h faissHeader, s listSizes) error {
	if _, err := x.v.need(s.sum, 4*h.dimension+8); err != nil {
		return err
	}
	at, ok := x.v.src.(io.ReaderAt)
	if !ok {
		return x.skipAll(s.sum, 4*h.dimension+8)
	}
	var o oddNumbers
	again := newVectorReader(x.v.ctx, io.NewSectionReader(at, s.from, s.items*8), s.items*8)
	i := int64(0)
	err := again.each(s.items, 8, func(p []byte, _ int64) error {
		for ; len(p) > 0; p, i = p[8:], i+1 {
			if i%s.step != s.place {
				continue
			}
			n := int64(binary.LittleEndian.Uint64(p))
			if err := x.flatList(&o, n, h.dimension); err != nil {
				return err
			}
		}
		return nil
	})
	x.l.odd(o)
	return err
}

func (x *faissReader) flatList(o *oddNumbers, n, dimension int64) error {
	f := float{width: 4}
	err := x.v.each(n*dimension, 4, func(p []byte, at int64) error {
		f.scan(o, p, at)
		return nil
	})
	if err != nil {
		return err
	}
	return x.v.skip(n * 8)
}
