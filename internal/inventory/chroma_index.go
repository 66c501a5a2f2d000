package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// indexState is what an index was found to be.
type indexState struct {
	ids *idMap
	// gone tells that Chroma begins the index anew, from what the queue still has: there is no folder, or no id map in it. Where it is not
	// gone and ids is nil, Chroma cannot read the index.
	gone bool
	// missing tells that there was an index once.
	missing string
}

// index looks at the files of the index of a collection.
func (c *chroma) index(ctx context.Context, one *chromaCollection) (indexState, error) {
	files := c.folders[one.vector.id]
	switch {
	case one.vector.id == "":
		return indexState{}, nil
	case one.vector.kind != hnswSegment:
		c.find(chromaIndex, Unchecked, "", one.name, "its index is of a kind that is not known here: "+one.vector.kind)
		return indexState{}, nil
	case len(files) == 0 && one.vector.known:
		return indexState{gone: true, missing: "the folder of the index is missing or empty"}, nil
	case len(files) == 0:
		return indexState{gone: true}, nil // nothing was ever added, or the index was not yet asked for
	}
	for _, name := range []string{headerFile, level0File, lengthFile, linksFile} {
		if files[name] == nil {
			c.damage(one, name, "is missing: each request to the collection fails")
			return indexState{}, nil
		}
	}
	h, err := c.header(ctx, one, files)
	if err != nil {
		return indexState{}, err
	}
	state, err := c.idMap(ctx, one, files[idMapFile], h)
	if err != nil || h == nil {
		return state, err
	}
	return state, c.elements(ctx, one, files, h, state.ids)
}

// damage records what is wrong with a file of an index.
func (c *chroma) damage(one *chromaCollection, file, text string) {
	c.find(chromaIndex, Damaged, one.vector.id+"/"+file, one.name, text)
}

// header reads header.bin, and compares the sizes of the other files with it. It is nil where they cannot be read by it.
func (c *chroma) header(ctx context.Context, one *chromaCollection, files map[string]*Subject) (*hnswHeader, error) {
	b, err := readSmall(ctx, files[headerFile], headerSize)
	if err != nil {
		return nil, err
	}
	h, wrong := readHNSWHeader(b)
	if wrong != nil {
		c.damage(one, headerFile, strings.ReplaceAll(wrong.Error(), "\n", "; ")+": the server fails or dies when it reads the index")
		return nil, nil
	}
	if one.dimension > 0 && int64(h.dimension()) != one.dimension {
		c.damage(one, headerFile, fmt.Sprintf("has vectors of dimension %d, but the collection has %d: queries are answered wrongly", h.dimension(), one.dimension))
	}
	return h, c.sizes(one, files, h)
}

// sizes compares the sizes of the files with the header.
func (c *chroma) sizes(one *chromaCollection, files map[string]*Subject, h *hnswHeader) error {
	level0, length, links := files[level0File].Entry.Size, files[lengthFile].Entry.Size, files[linksFile].Entry.Size
	size, count := int64(h.size), int64(h.count)
	switch {
	case level0 < count*size:
		c.damage(one, level0File, fmt.Sprintf("has %d bytes, but %d elements of %d need %d: %d vectors are lost", level0, count, size, count*size, count-level0/size))
	case level0%size != 0:
		c.damage(one, level0File, fmt.Sprintf("has %d bytes, which is no number of elements of %d: it was cut", level0, size))
	case level0/size > int64(h.capacity):
		c.damage(one, level0File, fmt.Sprintf("has %d elements where the header has room for %d", level0/size, h.capacity))
	}
	if length < 4*count || length%4 != 0 {
		c.damage(one, lengthFile, fmt.Sprintf("has %d bytes for %d elements: it was cut", length, count))
	}
	switch {
	case links < 4*count:
		c.damage(one, linksFile, fmt.Sprintf("has %d bytes for %d elements: it was cut, and the server dies at the first query", links, count))
	case count == 0 && links > 0:
		c.damage(one, linksFile, fmt.Sprintf("has %d bytes, but there is no element", links))
	}
	return nil
}

// idMap reads the map of ids. It is not there until the first synchronisation, after 1,000 operations.
func (c *chroma) idMap(ctx context.Context, one *chromaCollection, s *Subject, h *hnswHeader) (indexState, error) {
	if s == nil {
		state := indexState{gone: true}
		if one.vector.known || h == nil || h.count > 0 {
			state.missing = idMapFile + " is missing"
		}
		return state, nil
	}
	file, err := s.Open(ctx)
	if err != nil {
		return indexState{}, err
	}
	in := &onlyFaults{in: file}
	ids, wrong := readIDMap(in, file.Size())
	if err := errors.Join(in.err, file.Close()); err != nil {
		return indexState{}, err
	}
	if wrong != nil {
		text := wrong.Error()
		if errors.Is(wrong, io.ErrUnexpectedEOF) {
			text = fmt.Sprintf("ends in the middle, after %d bytes", file.Size())
		}
		c.damage(one, idMapFile, text+": each request to the collection fails")
		return indexState{}, nil
	}
	if h != nil && ids.dimension > 0 && ids.dimension != int64(h.dimension()) {
		c.damage(one, idMapFile, fmt.Sprintf("is of vectors of dimension %d, the index of %d", ids.dimension, h.dimension()))
	}
	if !one.vector.known && len(ids.labels) > 0 {
		c.find(chromaQueue, Warning, chromaDatabase, one.name, "nothing says how far the index has come: Chroma does the whole queue again, which is harmless")
	}
	return indexState{ids: ids}, nil
}

// onlyFaults keeps errors of reading apart from what a parser says.
type onlyFaults struct {
	in  io.Reader
	err error
}

func (o *onlyFaults) Read(p []byte) (int, error) {
	n, err := o.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		o.err = err
	}
	return n, err
}

// elements reads the elements with their links, and compares their labels with those of the id map.
func (c *chroma) elements(ctx context.Context, one *chromaCollection, files map[string]*Subject, h *hnswHeader, ids *idMap) error {
	size := int64(h.size)
	if files[level0File].Entry.Size >= int64(h.count)*size {
		if err := c.level0(ctx, one, files, h, ids); err != nil {
			return err
		}
	}
	if h.count == 0 || files[linksFile].Entry.Size < 4*int64(h.count) {
		return nil
	}
	l := &hnswLinks{h: h}
	if err := c.links(ctx, one, files[linksFile], l.measure); err != nil || len(l.levels) < int(h.count) {
		return err
	}
	if c.r.Options.Depth != Full {
		return nil
	}
	if err := c.links(ctx, one, files[linksFile], l.read); err != nil {
		return err
	}
	for _, text := range l.faults.texts() {
		c.damage(one, linksFile, text)
	}
	return nil
}

// links has one reading of link_lists.bin made.
func (c *chroma) links(ctx context.Context, one *chromaCollection, s *Subject, read func(context.Context, io.Reader) error) error {
	file, err := s.Open(ctx)
	if err != nil {
		return err
	}
	err = read(ctx, file)
	var wrong linksError
	if errors.As(err, &wrong) {
		c.damage(one, linksFile, wrong.Error()+": the server fails or dies at the first query")
		err = nil
	}
	return errors.Join(err, file.Close())
}

func (c *chroma) level0(ctx context.Context, one *chromaCollection, files map[string]*Subject, h *hnswHeader, ids *idMap) (err error) {
	file, err := files[level0File].Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	l := &hnswLevel0{h: h, full: c.r.Options.Depth == Full}
	if l.full && one.cosine && files[lengthFile].Entry.Size >= 4*int64(h.count) {
		lengths, err := files[lengthFile].Open(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lengths.Close()) }()
		l.lengths = lengths
	}
	if err := l.read(ctx, file); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			c.damage(one, level0File, "ends before its last element")
			return nil
		}
		return err
	}
	for _, text := range l.faults.texts() {
		c.damage(one, level0File, text)
	}
	c.labels(one, l, ids)
	return nil
}

// manyElements is from where on it is worth a word that most of an index is deleted.
const manyElements = 1000

// labels compares the elements of an index with its id map.
func (c *chroma) labels(one *chromaCollection, l *hnswLevel0, ids *idMap) {
	if ids == nil {
		return
	}
	mapped := ids.sorted()
	if !slices.Equal(l.labels, mapped) {
		c.damage(one, level0File, fmt.Sprintf("has %d elements that are not deleted, the id map has %d, and %d are in both: the files are not of the same moment",
			len(l.labels), len(mapped), common(l.labels, mapped)))
	}
	if l.h.count >= manyElements && l.deleted > l.h.count/2 {
		c.find(chromaIndex, Warning, one.vector.id, one.name, fmt.Sprintf("%d of %d elements are deleted: queries take longer and may find less", l.deleted, l.h.count))
	}
}

// common is how many numbers two ascending lists share.
func common(a, b []uint64) int {
	n := 0
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			n, a, b = n+1, a[1:], b[1:]
		}
	}
	return n
}

// readSmall reads a file, or the first byte too many.
func readSmall(ctx context.Context, s *Subject, most int64) ([]byte, error) {
	file, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(file, most+1))
	return b, errors.Join(err, file.Close())
}
