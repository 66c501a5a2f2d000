//go:build e2e && linux

package power

import (
	"math/rand/v2"

	"golang.org/x/sys/unix"
)

// model says what of the operations that were not made durable is on the disk after the power has failed.
type model string

const (
	strict model = "nothing that was not synced"
	short  model = "names and attributes, content that was not synced is missing"
	zeros  model = "names and attributes, content that was not synced is zeros"
	whole  model = "everything"
	mixed  model = "some"
	lacks  model = "everything but what the sync that is taken away would have made durable"
)

// loss is one way in which the power fails.
type loss struct {
	before int // the first operation that did not happen
	model  model
	seed   uint64 // of mixed
	// without is the site of a sync that is taken for missing in the program.
	without string
}

type nameKey struct {
	dir  id
	name string
}

// durable tells which operations are on the disk whatever happens.
func (r *recording) durable(l loss) []bool {
	forced := make([]bool, l.before)
	for j := l.before - 1; j >= 0; j-- {
		s := &r.ops[j]
		if !s.isSync() || l.without != "" && place(s.site) == l.without {
			continue
		}
		for i := range j {
			if s.covers(&r.ops[i]) {
				forced[i] = true
			}
		}
	}
	names := map[nameKey]bool{} // with a durable change later on
	for i := l.before - 1; i >= 0; i-- {
		for _, c := range r.ops[i].changes {
			forced[i] = forced[i] || names[nameKey{c.dir, c.name}]
		}
		if !forced[i] {
			continue
		}
		for _, c := range r.ops[i].changes {
			names[nameKey{c.dir, c.name}] = true
		}
	}
	return forced
}

// covers tells whether a sync makes an earlier operation durable.
func (s *op) covers(o *op) bool {
	switch {
	case s.syncAll || o.file != 0 && o.file == s.sync:
		return true
	case len(o.changes) == 0:
		return false
	}
	return o.changes[0].dir == s.sync // of a rename that is the folder of the new name
}

// after is what is on the disk when the power comes back.
func (r *recording) after(l loss) *disk {
	forced := r.durable(l)
	if l.model == lacks {
		for i, ever := range r.durable(loss{before: l.before}) {
			forced[i] = forced[i] || !ever
		}
	}
	d := r.start.clone()
	p := player{disk: d, loss: l, lost: map[nameKey]bool{}, held: map[id]bool{}}
	if l.model == mixed {
		p.random = rand.New(rand.NewPCG(l.seed, uint64(l.before)))
		p.names, p.content = odds(p.random), odds(p.random)
	}
	for i := range l.before {
		p.play(&r.ops[i], forced[i])
	}
	return d
}

func odds(r *rand.Rand) float64 { return []float64{0.1, 0.5, 0.9}[r.IntN(3)] }

// player carries out operations on a disk, as far as the loss leaves them.
type player struct {
	disk           *disk
	loss           loss
	random         *rand.Rand
	names, content float64          // how probably an operation is there
	lost           map[nameKey]bool // names of which a change is missing: all later ones are too
	held           map[id]bool      // files of which a change of attributes or size is missing
}

func (p *player) play(o *op, forced bool) {
	if o.fresh != nil && p.disk.inodes[o.changes[0].to] == nil {
		p.disk.inodes[o.changes[0].to] = o.fresh.clone()
	}
	switch {
	case len(o.changes) > 0:
		if p.keepsNames(o, forced) {
			p.rename(o)
		}
	case o.isWrite:
		p.write(o, forced)
	case o.file != 0 && (o.isSize || o.attrs != nil):
		if !p.keepsAttributes(o, forced) {
			p.held[o.file] = true
			return
		}
		p.change(o)
	}
}

func (p *player) keepsNames(o *op, forced bool) bool {
	keep := forced
	switch p.loss.model {
	case short, zeros, whole:
		keep = true
	case mixed:
		keep = forced || p.random.Float64() < p.names
	}
	for _, c := range o.changes {
		keep = keep && !p.lost[nameKey{c.dir, c.name}]
	}
	for _, c := range o.changes {
		if !keep {
			p.lost[nameKey{c.dir, c.name}] = true
		}
	}
	return keep
}

func (p *player) rename(o *op) {
	for _, c := range o.changes {
		if dir := p.disk.inodes[c.dir]; c.to == 0 {
			delete(dir.entries, c.name)
		} else {
			dir.entries[c.name] = c.to
		}
	}
	p.times(o)
}

func (p *player) times(o *op) {
	for file, at := range o.mtimes {
		if n := p.disk.inodes[file]; n != nil {
			n.mtime = at
		}
	}
}

func (p *player) keepsAttributes(o *op, forced bool) bool {
	switch p.loss.model {
	case strict:
		return forced
	case lacks:
		return forced && !p.held[o.file]
	case mixed:
		return forced || !p.held[o.file] && p.random.Float64() < p.names
	}
	return true
}

func (p *player) change(o *op) {
	n := p.disk.inodes[o.file]
	if o.isSize {
		n.resize(o.size)
		p.times(o)
	}
	if o.attrs != nil {
		o.attrs(n)
	}
}

func (n *inode) resize(size int64) {
	if size <= int64(len(n.data)) {
		n.data = n.data[:size:size]
		return
	}
	n.data = append(n.data, make([]byte, size-int64(len(n.data)))...)
}

// write writes what the loss leaves of a write.
func (p *player) write(o *op, forced bool) {
	n := p.disk.inodes[o.file]
	end := o.off + int64(len(o.data))
	switch {
	case forced || p.loss.model == whole:
		n.put(o.data, o.off)
		p.times(o)
	case p.loss.model == zeros:
		if end > int64(len(n.data)) {
			n.resize(end)
		}
		p.times(o)
	case p.loss.model == short:
		p.times(o)
	case p.loss.model == mixed && !p.held[o.file]:
		p.tear(n, o)
	}
}

func (n *inode) put(data []byte, off int64) {
	if end := off + int64(len(data)); end > int64(len(n.data)) {
		n.resize(end)
	}
	copy(n.data[off:], data)
}

// tear writes some of the sectors of a write.
func (p *player) tear(n *inode, o *op) {
	sector := int64(512)
	if len(o.data) > 64<<10 {
		sector = 4096
	}
	for off, rest := o.off, o.data; len(rest) > 0; {
		part := min(sector-off%sector, int64(len(rest)))
		if p.random.Float64() < p.content {
			n.put(rest[:part], off)
			p.times(o)
		}
		off, rest = off+part, rest[part:]
	}
}

// isDir tells whether the inode is a folder.
func (n *inode) isDir() bool { return n.mode&unix.S_IFMT == unix.S_IFDIR }
