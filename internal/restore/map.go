package restore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
)

// SourceMap says that a source of the backup is another one here: its volume was renamed, its folder lies elsewhere.
type SourceMap struct {
	From string `json:"from"` // of the backup
	To   string `json:"to"`   // of the project; empty leaves it out
}

// ParseSourceMap reads OLD=NEW; OLD= leaves a source out.
func ParseSourceMap(text string) (SourceMap, error) {
	from, to, ok := strings.Cut(text, "=")
	if !ok || from == "" {
		return SourceMap{}, fmt.Errorf("%q is not OLD=NEW", text)
	}
	return SourceMap{From: from, To: to}, nil
}

// MapError says that a map of sources cannot be followed.
type MapError struct{ Text string }

func (e *MapError) Error() string { return "--map: " + e.Text }

// checkMaps refuses maps of what is not there, and two sources of the backup for one of the project.
func (p *Plan) checkMaps() error {
	var names []string
	for _, s := range p.req.Sources {
		names = append(names, s.Name)
	}
	seen := map[string]bool{}
	for _, m := range p.req.Maps {
		switch {
		case !slices.ContainsFunc(p.manifest.Sources, func(s archive.Source) bool { return s.Name == m.From }):
			return &MapError{fmt.Sprintf("the backup has no source %q", m.From)}
		case m.To != "" && !slices.Contains(names, m.To):
			return &MapError{fmt.Sprintf("the project has no source %q; it has: %s", m.To, strings.Join(names, ", "))}
		case seen[m.From]:
			return &MapError{fmt.Sprintf("source %q is mapped twice", m.From)}
		}
		seen[m.From] = true
	}
	return p.checkClash()
}

func (p *Plan) checkClash() error {
	from := map[string]string{}
	for _, s := range p.manifest.Sources {
		now, ok := p.present(s)
		if !ok || s.Missing != "" || !p.wanted(s) {
			continue
		}
		if other, taken := from[now.Name]; taken {
			return &MapError{fmt.Sprintf("sources %q and %q of the backup would both become %q: map or leave out (%s=) one of them", other, s.Name, now.Name, other)}
		}
		from[now.Name] = s.Name
	}
	return nil
}

// mappedTo is where a source of the backup was mapped to.
func (p *Plan) mappedTo(name string) (to string, ok bool) {
	i := slices.IndexFunc(p.req.Maps, func(m SourceMap) bool { return m.From == name })
	if i < 0 {
		return "", false
	}
	return p.req.Maps[i].To, true
}

// present is the source of the project that a source of the backup is: the one that it is mapped to, else that of its name and kind.
func (p *Plan) present(s archive.Source) (compose.Source, bool) {
	to, given := p.mappedTo(s.Name)
	i := slices.IndexFunc(p.req.Sources, func(c compose.Source) bool {
		return given && c.Name == to || !given && c.Name == s.Name && string(c.Kind) == s.Kind
	})
	if i < 0 {
		return compose.Source{}, false
	}
	return p.req.Sources[i], true
}

// absentHere leaves out a source that the project does not have. To another project or machine it was meant to come all the same.
func (p *Plan) absentHere(s archive.Source) {
	if _, given := p.mappedTo(s.Name); given {
		p.skip(s.Name, "left out, as asked for", false)
		return
	}
	p.skip(s.Name, fmt.Sprintf("the project has no %s of this name: say which source it is with --map %s=SOURCE, or restore it with --to", s.Kind, s.Name), p.elsewhere())
}
