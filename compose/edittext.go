package compose

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Additions are put in by their place in the text, and nothing else of it is written anew: comments, order, empty lines and quotes stay.

// item is one key to add, with its value: as lines below a mapping, the first at its own indentation, and within braces.
type item struct {
	lines []string
	flow  string
}

// line is an item that is one line.
func line(text string) item { return item{[]string{text}, text} }

// scalar is a text as YAML has it, of which Compose interpolates nothing.
func scalar(text string) string {
	b, err := yaml.Marshal(strings.ReplaceAll(text, "$", "$$"))
	if err != nil {
		return text
	}
	return strings.TrimSpace(string(b))
}

// insertion is text to put in at an offset.
type insertion struct {
	at   int
	text string
}

// editor gathers the additions to one file.
type editor struct {
	file    *composeFile
	text    string
	inserts []insertion
	tail    string // behind all else
	remarks []string
}

func (e *editor) root() *yaml.Node { return e.file.roots[0] }

// result is the text with the additions.
func (e *editor) result() string {
	sorted := slices.Clone(e.inserts)
	slices.SortStableFunc(sorted, func(a, b insertion) int { return a.at - b.at })
	var b strings.Builder
	from := 0
	for _, i := range sorted {
		b.WriteString(e.text[from:i.at])
		b.WriteString(i.text)
		from = i.at
	}
	b.WriteString(e.text[from:])
	out := b.String()
	if e.tail != "" && !strings.HasSuffix(out, "\n") {
		out += e.eol()
	}
	return out + e.tail
}

// eol is how lines end in the file.
func (e *editor) eol() string {
	if strings.Contains(e.text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// lineStart is the offset where a line begins; the end of the text where there is no such line.
func (e *editor) lineStart(number int) int {
	at := 0
	for range number - 1 {
		i := strings.IndexByte(e.text[at:], '\n')
		if i < 0 {
			return len(e.text)
		}
		at += i + 1
	}
	return at
}

// below puts lines in behind a line of the file.
func (e *editor) below(number int, indent string, lines []string) {
	at, eol := e.lineStart(number+1), e.eol()
	var b strings.Builder
	if at == len(e.text) && !strings.HasSuffix(e.text, "\n") {
		b.WriteString(eol)
	}
	for _, l := range lines {
		if l != "" {
			b.WriteString(indent + l)
		}
		b.WriteString(eol)
	}
	e.inserts = append(e.inserts, insertion{at, b.String()})
}

// indentOf is the white space before a node that is the first on its line; ok is false where it is not.
func (e *editor) indentOf(node *yaml.Node) (indent string, ok bool) {
	text := e.text[e.lineStart(node.Line):]
	indent = text[:len(text)-len(strings.TrimLeft(text, " "))]
	return indent, len(indent) == node.Column-1
}

// addTo adds items to a mapping, or to a key that has no value yet. It fails where they cannot be put there without writing anything anew.
func (e *editor) addTo(key, value *yaml.Node, items []item) bool {
	switch {
	case value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle != 0:
		var texts []string
		for _, i := range items {
			texts = append(texts, i.flow)
		}
		return e.into(value, '{', strings.Join(texts, ", "))
	case value.Kind == yaml.MappingNode && len(value.Content) > 0 && value.Content[0].Line > key.Line:
		indent, ok := e.indentOf(value.Content[0])
		return ok && e.lines(key, indent, items)
	case value.Kind == yaml.ScalarNode && value.Value == "" && value.Tag == "!!null" && value.Anchor == "":
		indent, ok := e.indentOf(key)
		return ok && e.lines(key, indent+"  ", items)
	}
	return false
}

func (e *editor) lines(key *yaml.Node, indent string, items []item) bool {
	var all []string
	for _, i := range items {
		all = append(all, i.lines...)
	}
	e.below(key.Line, indent, all)
	return true
}

// into puts text in behind the opening sign of a list or mapping that is written within signs.
func (e *editor) into(value *yaml.Node, open byte, text string) bool {
	at := e.lineStart(value.Line)
	for range value.Column - 1 { // columns are counted in characters
		_, width := utf8.DecodeRuneInString(e.text[at:])
		at += width
	}
	if at >= len(e.text) || e.text[at] != open {
		return false
	}
	if len(value.Content) > 0 {
		text += ", "
	}
	e.inserts = append(e.inserts, insertion{at + 1, text})
	return true
}

// settings adds to x-memsys.
func (e *editor) settings(items []item) error {
	if len(items) == 0 {
		return nil
	}
	var texts []string
	for _, i := range items {
		texts = append(texts, i.flow)
	}
	refused := &EditError{Where: e.file.shown, Why: "it is written in a way that cannot be added to", Add: extension + ": {" + strings.Join(texts, ", ") + "}"}
	key, value := ownEntry(e.root(), extension)
	if key != nil {
		if !e.addTo(key, value, items) {
			refused.Where = e.file.at(key)
			return refused
		}
		return nil
	}
	root := target(e.root())
	if root == nil || root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 || len(root.Content) == 0 || strings.Contains(e.text, "\n...") {
		return refused
	}
	indent, ok := e.indentOf(root.Content[0])
	if !ok {
		return refused
	}
	e.tail = e.eol() + indent + extension + ":" + e.eol()
	for _, i := range items {
		e.tail += indent + "  " + i.flow + e.eol()
	}
	return nil
}

// service adds the provider's service.
func (e *editor) service(name string) error {
	entry := item{[]string{name + ":", "  provider:", "    type: " + ProviderType}, name + ": {provider: {type: " + ProviderType + "}}"}
	key, value := ownEntry(e.root(), "services")
	if key == nil || !e.addTo(key, value, []item{entry}) {
		return &EditError{Where: e.file.shown, Why: "its services are written in a way that cannot be added to", Add: "services: {" + entry.flow + "}"}
	}
	return nil
}

// dependency lets a service of the file depend on another one. A service that is not written there, or not so that it can be added to, is
// left to a person.
func (e *editor) dependency(service, on string) error {
	key, value := ownEntry(find(e.root(), "services"), service)
	if key == nil || !e.depend(key, value, on) {
		e.remarks = append(e.remarks, "service "+service+": add "+on+" to its depends_on by hand")
	}
	return nil
}

func (e *editor) depend(key, value *yaml.Node, on string) bool {
	own, list := ownEntry(value, "depends_on")
	if own == nil {
		if inherited, _ := entry(value, "depends_on"); inherited != nil {
			return false // one of its own would take the place of what is merged in
		}
		return e.addDependency(key, value, "depends_on: ["+on+"]")
	}
	switch {
	case list.Kind == yaml.MappingNode:
		return e.addTo(own, list, []item{line(on + ": {condition: service_started}")})
	case list.Kind == yaml.SequenceNode && list.Style&yaml.FlowStyle != 0:
		return e.into(list, '[', on)
	case list.Kind == yaml.SequenceNode && len(list.Content) > 0 && list.Content[0].Line > own.Line:
		text := e.text[e.lineStart(list.Content[0].Line):]
		dash := strings.IndexByte(text, '-')
		if dash < 0 || strings.TrimLeft(text[:dash], " ") != "" {
			return false
		}
		e.below(own.Line, text[:dash], []string{"- " + on})
		return true
	}
	return false
}

// addDependency gives a service a key: behind its image where that is one line, else as its first.
func (e *editor) addDependency(key, service *yaml.Node, text string) bool {
	image, value := ownEntry(service, "image")
	if image == nil || service.Style&yaml.FlowStyle != 0 || value.Kind != yaml.ScalarNode || value.Line != image.Line ||
		value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || image.Line == key.Line {
		return e.addTo(key, service, []item{line(text)})
	}
	indent, ok := e.indentOf(image)
	if ok {
		e.below(image.Line, indent, []string{text})
	}
	return ok
}

// ownEntry is a key that a mapping has by itself, and its value; nil where it is not there or merged in.
func ownEntry(node *yaml.Node, name string) (key, value *yaml.Node) {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name && !isMerge(node.Content[i]) {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}
