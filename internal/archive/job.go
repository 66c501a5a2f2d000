package archive

import (
	"bytes"
	"crypto/sha256"

	"github.com/memsys/docker-memsys/internal/tree"
)

// jobKind says what the emitter does with a job. Every job but rollback and commit brings bytes.
type jobKind int

const (
	jobGroup jobKind = iota
	jobFile          // the header of a big file
	jobChunk
	jobRollback // forget the big file that was begun
	jobCommit   // the big file is complete
)

// item is an entry of a group.
type item struct {
	entry  *tree.Entry
	start  int   // place of the header in the group
	inner  int64 // place of the content
	digest [32]byte
}

// job is what goes through the pipeline: made by Add, compressed by a worker, written by the emitter.
type job struct {
	kind     jobKind
	raw      []byte
	packed   []byte
	items    []item
	content  int64 // of a chunk, without padding
	digest   [32]byte
	manifest bool
	zero     bool // the content is known to be a full chunk of zeros; raw is not filled
	done     chan struct{}
}

// zeros is what is known beforehand about a full chunk of zeros.
type zeros struct {
	raw    []byte
	packed []byte
	digest [32]byte
}

func newZeros() *zeros {
	raw := make([]byte, chunkSize)
	return &zeros{raw: raw, packed: zeroMember(), digest: sha256.Sum256(raw)}
}

// run does a worker's part of a job.
func (j *job) run(c *compressor, z *zeros) {
	j.packed = j.packed[:0]
	switch j.kind {
	case jobGroup:
		for i := range j.items {
			it := &j.items[i]
			if it.entry.Size > 0 {
				it.digest = sha256.Sum256(j.raw[it.inner : it.inner+it.entry.Size])
				j.packed = appendEmptyMember(j.packed)
			}
		}
	case jobChunk:
		if j.zero || bytes.Equal(j.raw, z.raw) {
			j.digest = z.digest
			j.packed = append(j.packed, z.packed...)
			return
		}
		j.digest = sha256.Sum256(j.raw[:j.content])
	case jobRollback, jobCommit:
		return
	}
	j.packed = c.appendMember(j.packed, j.raw)
}
