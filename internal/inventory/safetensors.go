package inventory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
)

// safetensorsHeader is the longest header that is read; those of large models have some hundred KiB. The format's own limit is 100 MB.
const safetensorsHeader = 2 << 20

// safetensorsFiles validates tensors as safetensors keeps them: a little-endian length, a JSON object that says type, shape and range of
// each tensor, and the tensors without a gap. The format is described in the README of huggingface/safetensors, its rules are those of
// safetensors/src/tensor.rs there.
type safetensorsFiles struct{}

func (safetensorsFiles) check() Check {
	return Check{ID: "vectors.safetensors", Title: "safetensors files"}
}

// Checks tells what it looks at.
func (f safetensorsFiles) Checks() []Check { return []Check{f.check()} }

// Claims takes files by their name: they have no other mark.
func (safetensorsFiles) Claims(s *Subject) bool { return path.Ext(s.Entry.Path) == ".safetensors" }

// Validate reads the header, and in a full look all numbers.
func (f safetensorsFiles) Validate(ctx context.Context, s *Subject, r *Recorder) error {
	v, file, err := openVectors(ctx, s)
	if err != nil {
		return err
	}
	defer file.Close()
	r.Checked(f.check(), 1)
	l, a := newNotes(f.check(), s, r), &arrays{}
	err = l.settle(readSafetensors(v, l, a))
	a.done(s.Entry.Path, r)
	return err
}

// tensor is what the header says of one.
type tensor struct {
	name     string
	kind     string
	shape    []int64
	from, to int64
}

// readSafetensors reads one file.
func readSafetensors(v *vectorReader, l notes, a *arrays) error {
	if v.size == 0 {
		return damage("is empty")
	}
	n, err := v.u64()
	if err != nil {
		return err
	}
	if _, err := v.need(int64(min(n, 1<<62)), 1); err != nil {
		return err
	}
	if n > safetensorsHeader {
		return unchecked("its header of %d bytes is longer than is read", n)
	}
	header := make([]byte, n)
	if err := v.read(header); err != nil {
		return err
	}
	tensors, err := parseSafetensors(header)
	if err != nil {
		return err
	}
	if err := contiguous(v, tensors); err != nil {
		return err
	}
	for i := range tensors {
		if err := readTensor(v, l, &tensors[i], a); err != nil {
			return err
		}
	}
	return nil
}

// parseSafetensors reads the header and returns the tensors by their place.
func parseSafetensors(header []byte) ([]tensor, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, damage("its header does not begin as JSON")
	}
	d := json.NewDecoder(bytes.NewReader(header))
	_, err := d.Token()
	var out []tensor
	names := map[string]bool{}
	for err == nil && d.More() {
		var key json.Token
		if key, err = d.Token(); err != nil {
			break
		}
		name, _ := key.(string)
		if names[name] {
			return nil, damage("its header has two tensors %.80q", name)
		}
		names[name] = true
		if name == "__metadata__" {
			err = d.Decode(&map[string]string{})
			continue
		}
		t := tensor{name: name}
		if err = t.decode(d); err == nil {
			out = append(out, t)
		}
	}
	if err == nil {
		_, err = d.Token()
	}
	if err == nil && strings.TrimSpace(string(header[d.InputOffset():])) != "" {
		err = errors.New("something follows it")
	}
	if err != nil {
		return nil, damage("its header cannot be read: %s", err)
	}
	slices.SortFunc(out, func(a, b tensor) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return out, nil
}

// decode reads what the header says of a tensor.
func (t *tensor) decode(d *json.Decoder) error {
	var said struct {
		Kind    *string `json:"dtype"`
		Shape   []int64 `json:"shape"`
		Offsets []int64 `json:"data_offsets"`
	}
	if err := d.Decode(&said); err != nil {
		return err
	}
	if said.Kind == nil || said.Shape == nil || len(said.Offsets) != 2 || said.Offsets[0] < 0 || said.Offsets[1] < said.Offsets[0] ||
		slices.ContainsFunc(said.Shape, func(n int64) bool { return n < 0 }) {
		return errors.New("tensor " + strings.ToValidUTF8(t.name[:min(len(t.name), 80)], "?") + " lacks its type, shape or range")
	}
	t.kind, t.shape, t.from, t.to = *said.Kind, said.Shape, said.Offsets[0], said.Offsets[1]
	return nil
}

// contiguous finds gaps between tensors, tensors that overlap, and a file that ends before or behind the last.
func contiguous(v *vectorReader, tensors []tensor) error {
	end := int64(0)
	for _, t := range tensors {
		switch {
		case t.from > end:
			return damage("%d bytes before tensor %.80q belong to none", t.from-end, t.name)
		case t.from < end:
			return damage("tensor %.80q overlaps another", t.name)
		}
		end = t.to
	}
	if _, err := v.need(end, 1); err != nil {
		return err
	}
	if end < v.left() {
		return damage("%d bytes follow its last tensor", v.left()-end)
	}
	return nil
}

// tensorBits is the size of an element of each type, in bits.
func tensorBits(kind string) int64 {
	switch kind {
	case "F4":
		return 4
	case "F6_E2M3", "F6_E3M2":
		return 6
	case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ":
		return 8
	case "U16", "I16", "F16", "BF16":
		return 16
	case "U32", "I32", "F32":
		return 32
	case "U64", "I64", "F64", "C64":
		return 64
	}
	return 0
}

// readTensor compares the size of a tensor with its shape, and looks at its numbers.
func readTensor(v *vectorReader, l notes, t *tensor, a *arrays) error {
	l.object = t.name
	size := t.to - t.from
	bits := tensorBits(t.kind)
	if bits == 0 {
		l.find(Unchecked, "its type %.40q is not known", t.kind)
		return v.skip(size)
	}
	n, fits := elements(t.shape)
	total, fitsToo := times(n, bits)
	if !fits || !fitsToo || total%8 != 0 || total/8 != size {
		return damage("tensor %.80q has %d bytes, which its shape and type do not give", t.name, size)
	}
	if n > 0 {
		a.add(t.shape, strings.HasPrefix(t.kind, "F") || t.kind == "BF16")
	}
	switch t.kind {
	case "F16", "F32", "F64", "BF16":
		return v.numbers(l, float{width: bits / 8, brain: t.kind == "BF16"}, n)
	case "C64":
		return v.numbers(l, float{width: 4}, 2*n)
	}
	return v.skip(size)
}
