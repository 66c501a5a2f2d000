package inventory

import (
	"fmt"
	"path"
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// mostExamples is how many paths a summary names.
const mostExamples = 3

// examples counts entries and keeps the first of them: a source with a million files must not give a million findings.
type examples struct {
	n     int64
	first []string
}

func (e *examples) add(path string) {
	e.n++
	if len(e.first) < mostExamples {
		e.first = append(e.first, path)
	}
}

// text is the count, the noun for one or for many, and the first paths in brackets.
func (e *examples) text(one, many string) string {
	noun := many
	if e.n == 1 {
		noun = one
	}
	more := ""
	if e.n > int64(len(e.first)) {
		more = ", …"
	}
	return fmt.Sprintf("%d %s (%s%s)", e.n, noun, strings.Join(e.first, ", "), more)
}

// rootMode is the most that the guide gives to the root of the data.
const rootMode = 0o750

// permissions finds what everybody may read or write, and programs that run with another's rights. What lies in a folder that others
// cannot enter counts as shut, whatever its own mode says.
type permissions struct {
	private bool // nobody gets to the source itself
	all     int64
	root    uint32          // the mode of the root, if that is a folder
	open    map[string]bool // folders that others can enter, on the way to the present entry

	readable, writable, setuid examples
}

func newPermissions(o Options) *permissions {
	return &permissions{private: o.Private, open: map[string]bool{}}
}

func (*permissions) check() Check {
	return Check{ID: "structure.permissions", Title: "permissions"}
}

// Checks tells what it looks at.
func (p *permissions) Checks() []Check { return []Check{p.check()} }

// Observe looks at the mode of one entry.
func (p *permissions) Observe(e *tree.Entry) {
	if e.Kind != tree.File && e.Kind != tree.Dir {
		return
	}
	p.all++
	if e.Path == "." && e.Kind == tree.Dir {
		p.root = e.Mode
	}
	if e.Kind == tree.File && e.Mode&0o6000 != 0 && e.Mode&0o111 != 0 {
		p.setuid.add(e.Path)
	}
	if !p.reachable(e) {
		return
	}
	if e.Kind == tree.File && e.Mode&0o004 != 0 {
		p.readable.add(e.Path)
	}
	if e.Mode&0o002 != 0 && (e.Kind == tree.File || e.Mode&0o1001 == 0o001) {
		p.writable.add(e.Path)
	}
}

// reachable tells whether others get to an entry, and keeps in mind whether they get through it.
func (p *permissions) reachable(e *tree.Entry) bool {
	if p.private {
		return false
	}
	parent := path.Dir(e.Path)
	ok := e.Path == "." || p.open[parent]
	if e.Kind == tree.Dir {
		for dir := range p.open { // those that the walk has left
			if dir != "." && e.Path != dir && !strings.HasPrefix(e.Path, dir+"/") {
				delete(p.open, dir)
			}
		}
		p.open[e.Path] = ok && e.Mode&0o001 != 0
	}
	return ok
}

// After tells what was found, one finding for each sort.
func (p *permissions) After(r *Recorder) {
	if p.all == 0 {
		return
	}
	r.Checked(p.check(), p.all)
	warn := func(path, format string, args ...any) {
		r.Find(p.check(), Finding{Status: Warning, Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if !p.private && p.root&0o777&^rootMode != 0 {
		warn(".", "the mode of the root is %04o, which allows more than 0750", p.root&0o7777)
	}
	if p.readable.n > 0 {
		warn("", "everybody may read %s", p.readable.text("file", "files"))
	}
	if p.writable.n > 0 {
		warn("", "everybody may write %s", p.writable.text("entry", "entries"))
	}
	if p.setuid.n > 0 {
		warn("", "with its owner's or group's rights runs %s", p.setuid.text("file", "files"))
	}
}
