package inventory

import (
	"errors"
	"fmt"
	"strings"
)

// pickledClass is the only class that a pickle of Chroma names.
const pickledClass = "PersistentData"

// pickleDepth is how many values may lie on the stack: nested dictionaries, their keys and one pair.
const pickleDepth = 64

var errPickle = errors.New("makes no sense as a map")

// push puts a value on the stack. A pair below it that is complete goes to its dictionary first.
func (u *unpickler) push(v pickleValue) error {
	if err := u.flush(); err != nil {
		return err
	}
	if len(u.stack) == pickleDepth {
		return errPickle
	}
	u.stack = append(u.stack, v)
	return nil
}

// flush takes the pair at the top off the stack, if it is one of simple values whose dictionary is below the mark.
func (u *unpickler) flush() error {
	if len(u.marks) == 0 {
		return nil
	}
	first := u.marks[len(u.marks)-1] + 1
	n := len(u.stack) - first
	if n < 2 || n%2 != 0 || first < 2 || u.stack[first-2].kind != pickleDict {
		return nil
	}
	key, value := u.stack[len(u.stack)-2], u.stack[len(u.stack)-1]
	if !key.scalar() || !value.scalar() {
		return nil
	}
	u.stack = u.stack[:len(u.stack)-2]
	return u.pair(u.dicts[u.stack[first-2].n], key, value)
}

// dict begins a dictionary, whose name is the key that it follows.
func (u *unpickler) dict() error {
	if len(u.dicts) == mostDicts {
		return errPickle
	}
	if err := u.flush(); err != nil {
		return err
	}
	name := ""
	if len(u.dicts) > 0 {
		if len(u.stack) == 0 || u.stack[len(u.stack)-1].kind != pickleString {
			return errPickle
		}
		name = u.stack[len(u.stack)-1].s
	}
	u.dicts = append(u.dicts, name)
	return u.push(pickleValue{kind: pickleDict, n: int64(len(u.dicts) - 1)})
}

func (u *unpickler) setItem() error {
	n := len(u.stack)
	if n < 3 || u.stack[n-3].kind != pickleDict {
		return errPickle
	}
	key, value := u.stack[n-2], u.stack[n-1]
	u.stack = u.stack[:n-2]
	return u.item(u.stack[n-3], key, value)
}

func (u *unpickler) setItems() error {
	if len(u.marks) == 0 {
		return errPickle
	}
	mark := u.marks[len(u.marks)-1]
	items := u.stack[mark+1:]
	if mark == 0 || u.stack[mark-1].kind != pickleDict || len(items)%2 != 0 {
		return errPickle
	}
	u.marks = u.marks[:len(u.marks)-1]
	u.stack = u.stack[:mark]
	for i := 0; i < len(items); i += 2 {
		if err := u.item(u.stack[mark-1], items[i], items[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// item hands a pair on; one whose value is a dictionary was told in its own pairs.
func (u *unpickler) item(dict, key, value pickleValue) error {
	if !key.scalar() || (!value.scalar() && value.kind != pickleDict) {
		return errPickle
	}
	if value.kind == pickleDict {
		return nil
	}
	return u.pair(u.dicts[dict.n], key, value)
}

// put keeps the value at the top for get: each once, in the order in which Python counts them.
func (u *unpickler) put(op byte) error {
	index := uint64(len(u.memo))
	var err error
	switch op {
	case opBinPut:
		index, err = u.number(1)
	case opLongBinPut:
		index, err = u.number(4)
	}
	if err != nil {
		return err
	}
	if len(u.stack) == 0 || index != uint64(len(u.memo)) || u.last == opMemoize || u.last == opBinPut || u.last == opLongBinPut {
		return errPickle
	}
	top := u.stack[len(u.stack)-1]
	if top.kind != pickleString {
		if top.kind == pickleInt || len(u.none) == mostDicts {
			return errPickle // Python keeps no numbers, and there are no more maps
		}
		u.none[len(u.memo)] = true
	}
	u.memo = append(u.memo, top.s)
	return nil
}

func (u *unpickler) get(op byte) error {
	width := 1
	if op == opLongBinGet {
		width = 4
	}
	index, err := u.number(width)
	if err != nil {
		return err
	}
	if index >= uint64(len(u.memo)) || u.none[int(index)] {
		return errPickle
	}
	return u.push(pickleValue{kind: pickleString, s: u.memo[index]})
}

// object follows the operations by which an object gets its fields. The class is compared with the one that Chroma writes.
func (u *unpickler) object(op byte) error {
	switch op {
	case opGlobal:
		module, err := u.line()
		if err != nil {
			return err
		}
		name, err := u.line()
		if err != nil {
			return err
		}
		return u.class(module, name)
	case opStackGlobal:
		module, name, err := u.two(pickleString, pickleString)
		if err != nil {
			return err
		}
		return u.class(module.s, name.s)
	case opNewObj:
		if _, _, err := u.two(pickleClass, pickleTuple); err != nil {
			return err
		}
		return u.push(pickleValue{kind: pickleObject})
	}
	if _, _, err := u.two(pickleObject, pickleDict); err != nil {
		return err
	}
	return u.push(pickleValue{kind: pickleObject})
}

// two takes the two values at the top off the stack.
func (u *unpickler) two(below, top pickleKind) (a, b pickleValue, err error) {
	n := len(u.stack)
	if n < 2 || u.stack[n-2].kind != below || u.stack[n-1].kind != top {
		return a, b, errPickle
	}
	a, b = u.stack[n-2], u.stack[n-1]
	u.stack = u.stack[:n-2]
	return a, b, nil
}

func (u *unpickler) class(module, name string) error {
	if !strings.HasPrefix(module, "chromadb.") || name != pickledClass {
		return fmt.Errorf("names the class %.80q: only Chroma's own is read", module+"."+name)
	}
	return u.push(pickleValue{kind: pickleClass})
}

// line reads up to the end of a line; names are short.
func (u *unpickler) line() (string, error) {
	var b []byte
	for len(b) < 256 {
		c, err := u.byte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return string(b), nil
		}
		b = append(b, c)
	}
	return "", errPickle
}
