package inventory

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// This file reads the pickles in which Chroma keeps the map from ids to elements of an index: a dictionary (1.x), or an object of the class
// PersistentData (0.4 to 0.6). It is no general reader of pickles. Nothing is executed: the name of a class is read and compared, never
// looked up. Pairs leave the stack as soon as they are complete, so memory grows with the ids and not with what a file claims.

// The operations of the two forms, in the names of Python's pickle.
const (
	opProto           = 0x80
	opFrame           = 0x95
	opStop            = '.'
	opMark            = '('
	opEmptyDict       = '}'
	opEmptyTuple      = ')'
	opSetItem         = 's'
	opSetItems        = 'u'
	opNone            = 'N'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opLong1           = 0x8a
	opBinUnicode      = 'X'
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opMemoize         = 0x94
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opGlobal          = 'c'
	opStackGlobal     = 0x93
	opNewObj          = 0x81
	opBuild           = 'b'
)

// pickleKind is what a value of a pickle is.
type pickleKind uint8

const (
	pickleNone pickleKind = iota
	pickleInt
	pickleString
	pickleDict
	pickleTuple
	pickleClass
	pickleObject
	pickleMark
)

// pickleValue is one value: n is the number, or which dictionary it is.
type pickleValue struct {
	kind pickleKind
	n    int64
	s    string
}

func (v pickleValue) scalar() bool { return v.kind <= pickleString }

// pairFunc is told each pair of a dictionary: name is the key of the dictionary itself, empty for the outermost.
type pairFunc func(name string, key, value pickleValue) error

// errEnough ends the reading of a pickle before its end.
var errEnough = errors.New("enough was read")

// mostDicts is how many dictionaries a pickle may have; Chroma's have four.
const mostDicts = 16

// longestID is the longest plausible id, and no other text of a pickle is longer.
const longestID = 1 << 20

// unpickler is the machine of one pickle.
type unpickler struct {
	in    *bufio.Reader
	left  int64 // bytes of the file not yet read
	stack []pickleValue
	marks []int
	memo  []string     // strings in the order in which they were put; what is none is empty
	none  map[int]bool // the places in memo of what is no string
	dicts []string     // the names of the dictionaries so far
	pair  pairFunc
	last  byte
}

// unpickle reads the pickle of size bytes and tells its pairs in their order. Its error is errEnough if pair returned that.
func unpickle(in io.Reader, size int64, pair pairFunc) error {
	u := &unpickler{in: bufio.NewReaderSize(in, 64<<10), left: size, none: map[int]bool{}, pair: pair}
	for {
		op, err := u.byte()
		if err != nil {
			return err
		}
		if op == opStop {
			return u.end()
		}
		if err := u.step(op); err != nil {
			return err
		}
		u.last = op
	}
}

// end checks that nothing is left over.
func (u *unpickler) end() error {
	if len(u.stack) != 1 || len(u.marks) != 0 || (u.stack[0].kind != pickleDict && u.stack[0].kind != pickleObject) {
		return errors.New("ends without a map")
	}
	if u.left != 0 {
		return fmt.Errorf("has %d bytes behind its end", u.left)
	}
	return nil
}

func (u *unpickler) step(op byte) error {
	switch op {
	case opProto:
		_, err := u.number(1)
		return err
	case opFrame:
		_, err := u.number(8)
		return err
	case opMark:
		u.marks = append(u.marks, len(u.stack))
		return u.push(pickleValue{kind: pickleMark})
	case opEmptyDict:
		return u.dict()
	case opEmptyTuple:
		return u.push(pickleValue{kind: pickleTuple})
	case opSetItem:
		return u.setItem()
	case opSetItems:
		return u.setItems()
	case opMemoize, opBinPut, opLongBinPut:
		return u.put(op)
	case opBinGet, opLongBinGet:
		return u.get(op)
	case opGlobal, opStackGlobal, opNewObj, opBuild:
		return u.object(op)
	default:
		v, err := u.literal(op)
		if err != nil {
			return err
		}
		return u.push(v)
	}
}

// literal reads a string or a number.
func (u *unpickler) literal(op byte) (pickleValue, error) {
	switch op {
	case opNone:
		return pickleValue{}, nil
	case opBinInt:
		n, err := u.number(4)
		return pickleValue{kind: pickleInt, n: int64(int32(n))}, err
	case opBinInt1:
		n, err := u.number(1)
		return pickleValue{kind: pickleInt, n: int64(n)}, err
	case opBinInt2:
		n, err := u.number(2)
		return pickleValue{kind: pickleInt, n: int64(n)}, err
	case opLong1:
		return u.long()
	case opBinUnicode:
		return u.text(4)
	case opShortBinUnicode:
		return u.text(1)
	case opBinUnicode8:
		return u.text(8)
	}
	return pickleValue{}, fmt.Errorf("has an operation (0x%02x) that Chroma does not write", op)
}

// long reads a number of up to eight bytes, little endian, in two's complement.
func (u *unpickler) long() (pickleValue, error) {
	length, err := u.number(1)
	if err != nil || length == 0 {
		return pickleValue{kind: pickleInt}, err
	}
	if length > 9 {
		return pickleValue{}, fmt.Errorf("has a number of %d bytes", length)
	}
	b, err := u.bytes(int64(length))
	if err != nil {
		return pickleValue{}, err
	}
	if length == 9 && b[8] != 0 || length >= 8 && b[7] > math.MaxInt8 {
		return pickleValue{}, errors.New("has a number beyond 63 bits")
	}
	var n uint64
	for i := range min(len(b), 8) {
		n |= uint64(b[i]) << (8 * i)
	}
	if length < 8 && b[length-1] > math.MaxInt8 {
		n |= math.MaxUint64 << (8 * length)
	}
	return pickleValue{kind: pickleInt, n: int64(n)}, nil
}

// text reads a string whose length stands in so many bytes.
func (u *unpickler) text(width int) (pickleValue, error) {
	length, err := u.number(width)
	if err != nil {
		return pickleValue{}, err
	}
	if length > uint64(u.left) {
		return pickleValue{}, io.ErrUnexpectedEOF
	}
	if length > longestID {
		return pickleValue{}, errPickle
	}
	b, err := u.bytes(int64(length))
	return pickleValue{kind: pickleString, s: string(b)}, err
}

func (u *unpickler) byte() (byte, error) {
	n, err := u.number(1)
	return byte(n), err
}

// number reads an unsigned number of so many bytes, little endian.
func (u *unpickler) number(width int) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(u.in, b[:width]); err != nil {
		return 0, endedEarly(err)
	}
	u.left -= int64(width)
	return binary.LittleEndian.Uint64(b[:]), nil
}

// bytes reads n bytes, of which there are at least so many if the file has the size that it had.
func (u *unpickler) bytes(n int64) ([]byte, error) {
	if n > u.left {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(u.in, b); err != nil {
		return nil, endedEarly(err)
	}
	u.left -= n
	return b, nil
}

// endedEarly is the error of a file that ends too early, whatever was read of it.
func endedEarly(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
