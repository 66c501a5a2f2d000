package archive

import (
	"bufio"
	"fmt"
	"io"

	"github.com/memsys/docker-memsys/internal/tree"
)

// emitter writes finished jobs in order and keeps the contents table. One goroutine runs it.
type emitter struct {
	out    Output
	bw     *bufio.Writer
	offset int64
	spool  *spool
	counts map[string]*Counts
	total  Counts

	file     *tree.Entry // the big file that was begun
	fileAt   int64       // offset of its unit
	chunks   []tree.Chunk
	chunksAt []int64

	manifestAt, manifestEnd int64
}

// Counts is how much of a source, or of everything, is in an archive.
type Counts struct {
	Files   int64 // regular files, each once whatever its number of links
	Entries int64
	Bytes   int64 // of the files
}

func (c *Counts) add(e *tree.Entry) {
	c.Entries++
	if e.Kind == tree.File {
		c.Files++
		c.Bytes += e.Size
	}
}

func (m *emitter) emit(j *job) error {
	switch j.kind {
	case jobGroup:
		return m.group(j)
	case jobFile:
		m.file, m.fileAt = j.items[0].entry, m.offset
		m.chunks, m.chunksAt = m.chunks[:0], m.chunksAt[:0]
		return m.write(j.packed)
	case jobChunk:
		c := tree.Chunk{Size: j.content, SHA256: j.digest}
		if n := len(m.chunks); n > 0 {
			c.Offset = m.chunks[n-1].Offset + m.chunks[n-1].Size
		}
		m.chunks, m.chunksAt = append(m.chunks, c), append(m.chunksAt, m.offset)
		return m.write(j.packed)
	case jobRollback:
		return m.rollback()
	case jobCommit:
		return m.commit()
	}
	return fmt.Errorf("unknown job %d", j.kind)
}

func (m *emitter) write(p []byte) error {
	n, err := m.bw.Write(p)
	m.offset += int64(n)
	return err
}

func (m *emitter) group(j *job) error {
	start, files := m.offset, int64(0)
	if err := m.write(j.packed); err != nil {
		return err
	}
	if j.manifest {
		m.manifestAt, m.manifestEnd = start, m.offset
	}
	for i := range j.items {
		it := &j.items[i]
		p := place{unit: -1, inner: it.inner}
		if i == 0 {
			p.unit = start
		}
		if it.entry.Size > 0 {
			files++
			p.offset = start + files*emptyMemberSize
		}
		if err := m.table(it.entry, p, tree.Chunk{Size: it.entry.Size, SHA256: it.digest}, false); err != nil {
			return err
		}
	}
	return nil
}

func (m *emitter) table(e *tree.Entry, p place, c tree.Chunk, chunked bool) error {
	if e.Path != manifestName {
		source := sourceOf(e.Path)
		if m.counts[source] == nil {
			m.counts[source] = new(Counts)
		}
		m.counts[source].add(e)
		m.total.add(e)
	}
	return m.spool.add(func(b []byte) []byte { return appendTOCEntry(b, e, p, c, chunked) })
}

func (m *emitter) rollback() error {
	m.file = nil
	if err := m.bw.Flush(); err != nil {
		return err
	}
	if err := m.out.Truncate(m.fileAt); err != nil {
		return fmt.Errorf("take back a file that changed: %w", err)
	}
	if _, err := m.out.Seek(m.fileAt, io.SeekStart); err != nil {
		return fmt.Errorf("take back a file that changed: %w", err)
	}
	m.offset = m.fileAt
	return nil
}

func (m *emitter) commit() error {
	e := m.file
	m.file = nil
	p := place{unit: m.fileAt, offset: m.chunksAt[0]}
	if err := m.table(e, p, m.chunks[0], len(m.chunks) > 1); err != nil {
		return err
	}
	escaped := escapeName(e.Path)
	for i, c := range m.chunks[1:] {
		at := m.chunksAt[i+1]
		if err := m.spool.add(func(b []byte) []byte { return appendTOCChunk(b, escaped, at, c) }); err != nil {
			return err
		}
	}
	return nil
}

// finish writes contents table and footer.
func (m *emitter) finish() error {
	toc := m.offset
	if err := m.spool.finish(m.bw, manifestExtra(m.manifestAt, m.manifestEnd-m.manifestAt)); err != nil {
		return fmt.Errorf("write contents table: %w", err)
	}
	if _, err := m.bw.Write(footer(toc)); err != nil {
		return err
	}
	return m.bw.Flush()
}
