package foreign

import "github.com/memsys/docker-memsys/internal/tree"

// holeFinder finds runs of zeros in a content, at block boundaries.
type holeFinder struct {
	at, from int64
	holes    []tree.Extent
}

// holeBlock is the smallest hole: a block of most file systems.
const holeBlock = 4096

// Write looks at the next bytes of the content.
func (h *holeFinder) Write(p []byte) (int, error) {
	for i, b := range p {
		if b != 0 {
			h.close(h.at+int64(i), false)
			h.from = h.at + int64(i) + 1
		}
	}
	h.at += int64(len(p))
	return len(p), nil
}

// close ends a run of zeros before at, a place in the content or its end. The last block of a file may be a part of one.
func (h *holeFinder) close(at int64, end bool) {
	from, to := (h.from+holeBlock-1)/holeBlock*holeBlock, at/holeBlock*holeBlock
	if end && to >= from {
		to = at
	}
	if to > from {
		h.holes = append(h.holes, tree.Extent{Offset: from, Length: to - from})
	}
}

// done returns the holes, once all of the content was written.
func (h *holeFinder) done() []tree.Extent {
	h.close(h.at, true)
	return h.holes
}
