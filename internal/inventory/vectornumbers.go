package inventory

import (
	"encoding/binary"
	"fmt"
)

// float is how a floating-point number is stored.
type float struct {
	width int64
	big   bool // the most significant byte comes first
	brain bool // bfloat16
}

// oddNumbers are those of an array that are no finite numbers.
type oddNumbers struct {
	all, nan, inf int64
	first         int64 // where the first is
}

// scan looks at all numbers of p, which begins at the position at.
func (f float) scan(o *oddNumbers, p []byte, at int64) {
	exponent, fraction := f.masks()
	o.all += int64(len(p)) / f.width
	for i := int64(0); i+f.width <= int64(len(p)); i += f.width {
		if n := f.bits(p[i:]); n&exponent == exponent {
			o.odd(n&fraction != 0, at+i)
		}
	}
}

func (o *oddNumbers) odd(nan bool, at int64) {
	if o.nan+o.inf == 0 {
		o.first = at
	}
	if nan {
		o.nan++
	} else {
		o.inf++
	}
}

// masks are the bits of the exponent, all set in what is not finite, and of the fraction, none set in what is infinite.
func (f float) masks() (exponent, fraction uint64) {
	switch {
	case f.brain:
		return 0x7f80, 0x7f
	case f.width == 2:
		return 0x7c00, 0x3ff
	case f.width == 4:
		return 0x7f800000, 0x7fffff
	}
	return 0x7ff << 52, 1<<52 - 1
}

func (f float) bits(p []byte) uint64 {
	switch {
	case f.width == 4 && !f.big:
		return uint64(binary.LittleEndian.Uint32(p))
	case f.width == 4:
		return uint64(binary.BigEndian.Uint32(p))
	case f.width == 2 && !f.big:
		return uint64(binary.LittleEndian.Uint16(p))
	case f.width == 2:
		return uint64(binary.BigEndian.Uint16(p))
	case f.big:
		return binary.BigEndian.Uint64(p)
	}
	return binary.LittleEndian.Uint64(p)
}

// numbers looks at n numbers that follow, or leaves them out unless the look is full.
func (v *vectorReader) numbers(l notes, f float, n int64) error {
	if !l.full {
		total, err := v.need(n, f.width)
		if err != nil {
			return err
		}
		return v.skip(total)
	}
	var o oddNumbers
	err := v.each(n, f.width, func(p []byte, at int64) error {
		f.scan(&o, p, at)
		return nil
	})
	l.odd(o)
	return err
}

// odd records the numbers that are none.
func (l notes) odd(o oddNumbers) {
	find := func(status Status, n int64, what string) {
		if n == 0 {
			return
		}
		f := Finding{Status: status, Path: l.path, Object: l.object, Text: fmt.Sprintf("%d of %d numbers are %s", n, o.all, what)}
		if l.place {
			f.At, f.Offset = true, o.first
		}
		l.r.Find(l.check, f)
	}
	find(Damaged, o.nan, "not a number (NaN)")
	if l.vectors {
		find(Damaged, o.inf, "infinite")
	} else {
		find(Warning, o.inf, "infinite")
	}
}
