package archive

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync/atomic"
)

// block is a stretch of the archive's file that several goroutines look at; the last one gives it back.
type block struct {
	data  []byte
	part  part
	users atomic.Int32
}

func (b *block) release(free chan<- *block) {
	if b.users.Add(-1) == 0 {
		b.part = part{}
		free <- b
	}
}

// summer sums the whole file on a goroutine of its own.
type summer struct {
	in   chan *block
	h    hash.Hash
	done chan struct{}
}

// newSummers starts the two sums that lie beside an archive: SHA-256, then MD5.
func newSummers(blocks int, free chan<- *block) []*summer {
	sums := []*summer{{h: sha256.New()}, {h: md5.New()}}
	for _, s := range sums {
		s.in, s.done = make(chan *block, blocks), make(chan struct{})
		go s.run(free)
	}
	return sums
}

func (s *summer) run(free chan<- *block) {
	defer close(s.done)
	for b := range s.in {
		s.h.Write(b.data)
		b.release(free)
	}
}

func (s *summer) stop() {
	close(s.in)
	<-s.done
}

// hex returns the sum; the summer must be stopped.
func (s *summer) hex() string { return hex.EncodeToString(s.h.Sum(nil)) }
