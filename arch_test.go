// Package arch holds no code: its test keeps the rules of docs/architecture.md, reading every Go file itself.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/golden"
)

const module = "github.com/memsys/docker-memsys/"

// The longest file and the longest function.
const (
	maxFile     = 500
	maxFunction = 80
)

// operations decide and do; plugin hands one to another as a function.
var operations = []string{"internal/backup", "internal/restore", "internal/validate", "internal/upgrade"}

// tools are programs of the repository that are no part of the plugin.
var tools = []string{"e2e", "bench", "examples", "scripts", "internal/docsgen"}

// wellKnown are methods whose contract their interface states.
var wellKnown = []string{"Error", "Is", "String", "Unwrap"}

// doors are the only packages that may import something from outside.
var doors = []struct {
	imports []string
	but     []string // parts of those with a door of their own
	only    []string
	why     string
}{
	{
		[]string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/docker/cli"},
		[]string{"github.com/docker/cli/cli/connhelper"},
		[]string{"plugin"},
		"the command line is one layer: operations must run without it",
	},
	{
		[]string{"github.com/docker/cli/cli/connhelper"},
		nil,
		[]string{"internal/engine", "plugin"},
		"the guardian reaches an engine over ssh as the docker command does, without its command line",
	},
	{
		[]string{"github.com/moby/moby"},
		nil,
		[]string{"internal/engine", "plugin"},
		"operations ask small interfaces of their own, so that a fake can stand in for the engine; plugin makes the client from Docker's flags",
	},
	{
		[]string{"github.com/compose-spec/compose-go"},
		nil,
		[]string{"compose"},
		"the Compose model changes often; one package translates it",
	},
	{
		[]string{"github.com/sourcegraph/jsonrpc2"},
		nil,
		[]string{"internal/helper"},
		"callers see a line of calls, not the protocol that carries it",
	},
	{
		[]string{"os/exec"},
		nil,
		[]string{"compose", "internal/quiesce", "hooks", "internal/engine/enginetest"},
		"each place that starts a program must hold its arguments, its environment and its end",
	},
	{
		[]string{"github.com/mholt/archiver"},
		nil,
		[]string{"internal/foreign"},
		"it hands names and links of strangers through unchecked: one package checks them",
	},
	{
		[]string{"modernc.org/sqlite"},
		nil,
		[]string{"internal/inventory"},
		"databases are opened on private copies only: one package holds that",
	},
	{
		[]string{module + "internal/display"},
		nil,
		[]string{"plugin"},
		"operations report events; only the command line renders them",
	},
}

// layers forbid imports from low to high.
var layers = []struct {
	from   []string // directories; empty for every one that except does not name
	except []string
	to     []string
	why    string
}{
	{[]string{"cmd"}, nil, []string{"internal", "compose", "hooks"}, "main is one call: the program is a package that tests can run"},
	{nil, []string{"cmd", "internal/docsgen"}, []string{"plugin"}, "nothing stands above the command line but main"},
	{nil, []string{"plugin"}, []string{"hooks"}, "hooks are around commands: only the command line knows both"},
	{nil, append([]string{"plugin", "hooks"}, operations...), operations, "mechanisms know nothing of what uses them"},
	{
		[]string{"internal/retention"},
		nil,
		[]string{"internal/store", "internal/engine", "internal/tree", "internal/archive", "compose"},
		"retention is a pure function: what to keep must be decidable in a test",
	},
}

// calls are functions that only the named packages may call.
var calls = []struct {
	pkg, name string
	only      []string
	why       string
}{
	{"time", "Now", []string{"plugin"}, "clocks come in through fields, so that tests hold them"},
	{"os", "Exit", []string{"plugin"}, "only the command line ends the process, after everything was put back"},
	{"fmt", "Print", []string{"plugin"}, "operations report events and return results"},
	{"fmt", "Println", []string{"plugin"}, "operations report events and return results"},
	{"fmt", "Printf", []string{"plugin"}, "operations report events and return results"},
	{"signal", "Notify", []string{"plugin", "internal/quiesce"}, "one place decides what ends a run; the guardian has its own"},
	{"signal", "NotifyContext", []string{"plugin", "internal/quiesce"}, "one place decides what ends a run; the guardian has its own"},
}

func TestRules(t *testing.T) {
	found := check(t, ".")
	for _, f := range found {
		t.Error(f)
	}
}

func TestPlantedViolationsAreCaught(t *testing.T) {
	golden.Assert(t, strings.Join(check(t, "testdata/arch/tree"), "\n")+"\n", "arch/want.txt")
}

// check reads every Go file below root and returns the violations, sorted.
func check(t *testing.T, root string) []string {
	t.Helper()
	c := &checker{fset: token.NewFileSet(), documented: map[string]bool{}, seen: map[string]string{}}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, file)
		rel = filepath.ToSlash(rel)
		switch {
		case entry.IsDir() && rel != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "bin"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(rel, ".go"):
			return nil
		}
		return c.file(file, rel)
	})
	assert.NilError(t, err)
	assert.Assert(t, len(c.seen) > 0, "found no Go files")
	c.packages(filepath.Join(root, "docs", "architecture.md"))
	slices.Sort(c.found)
	return c.found
}

// checker gathers violations.
type checker struct {
	fset       *token.FileSet
	documented map[string]bool   // directories with a package comment
	seen       map[string]string // directories, each with one of its files
	found      []string
}

func (c *checker) add(place, format string, args ...any) {
	c.found = append(c.found, place+": "+fmt.Sprintf(format, args...))
}

// file checks one file.
func (c *checker) file(name, rel string) error {
	source, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	parsed, err := parser.ParseFile(c.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if n := strings.Count(string(source), "\n"); n > maxFile {
		c.add(rel, "%d lines, more than %d: split it", n, maxFile)
	}
	dir := path.Dir(rel)
	c.documented[dir] = c.documented[dir] || parsed.Doc != nil
	c.seen[dir] = rel
	if strings.HasSuffix(rel, "_test.go") {
		return nil
	}
	c.functions(rel, parsed)
	c.comments(rel, parsed)
	if !within(dir, tools) {
		c.imports(rel, parsed)
		c.calls(rel, parsed)
	}
	return nil
}

// imports checks doors, layers, and that operations do not know each other.
func (c *checker) imports(rel string, parsed *ast.File) {
	dir := path.Dir(rel)
	for _, spec := range parsed.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		for _, door := range doors {
			if within(imported, door.imports) && !within(imported, door.but) && !within(dir, door.only) {
				c.add(rel, "imports %s, which only %s may: %s", imported, strings.Join(door.only, ", "), door.why)
			}
		}
		own, ours := strings.CutPrefix(imported, module)
		if !ours {
			continue
		}
		for _, layer := range layers {
			from := within(dir, layer.from) || len(layer.from) == 0 && !within(dir, layer.except)
			if from && within(own, layer.to) && !within(dir, layer.to) {
				c.add(rel, "imports %s: %s", own, layer.why)
			}
		}
		if within(dir, operations) && within(own, operations) && !within(dir, []string{own}) && !within(own, []string{dir}) {
			c.add(rel, "imports %s: operations never import each other; plugin hands them over as functions", own)
		}
	}
}

// calls checks functions that only some packages may call, and that nothing runs before main.
func (c *checker) calls(rel string, parsed *ast.File) {
	dir := path.Dir(rel)
	ast.Inspect(parsed, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		for _, call := range calls {
			if pkg.Name == call.pkg && selector.Sel.Name == call.name && !within(dir, call.only) {
				c.add(c.place(rel, node), "uses %s.%s: %s", call.pkg, call.name, call.why)
			}
		}
		return true
	})
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			c.add(c.place(rel, f), "has an init function: the docker command starts every plugin often, so nothing runs before it is needed")
		}
	}
}

// functions checks the length of functions.
func (c *checker) functions(rel string, parsed *ast.File) {
	for _, decl := range parsed.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		lines := c.fset.Position(f.Body.End()).Line - c.fset.Position(f.Pos()).Line + 1
		if lines > maxFunction {
			c.add(c.place(rel, f), "%s has %d lines, more than %d: split it", f.Name.Name, lines, maxFunction)
		}
	}
}

// comments checks that every exported name has a doc comment.
func (c *checker) comments(rel string, parsed *ast.File) {
	for _, decl := range parsed.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !slices.Contains(wellKnown, d.Name.Name) {
				c.add(c.place(rel, d), "%s has no doc comment", d.Name.Name)
			}
		case *ast.GenDecl:
			c.specs(rel, d)
		}
	}
}

// specs checks the names of one declaration of types, constants or variables.
func (c *checker) specs(rel string, decl *ast.GenDecl) {
	for _, spec := range decl.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && decl.Doc == nil {
				c.add(c.place(rel, s), "%s has no doc comment", s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && s.Doc == nil && decl.Doc == nil && s.Comment == nil {
					c.add(c.place(rel, s), "%s has no doc comment", name.Name)
				}
			}
		}
	}
}

// packages checks that every package has a comment and stands in the architecture document.
func (c *checker) packages(document string) {
	text, _ := os.ReadFile(document)
	for dir, file := range c.seen {
		if !c.documented[dir] {
			c.add(dir, "has no package comment")
		}
		listed := dir == "." || within(dir, tools)
		for up := dir; up != "." && !listed; up = path.Dir(up) {
			listed = strings.Contains(string(text), "`"+up+"`")
		}
		if !listed {
			c.add(file, "its package does not stand in docs/architecture.md")
		}
	}
}

// place is the file and line of a node.
func (c *checker) place(rel string, node ast.Node) string {
	return fmt.Sprintf("%s:%d", rel, c.fset.Position(node.Pos()).Line)
}

// within tells whether dir is one of parents or below one.
func within(dir string, parents []string) bool {
	return slices.ContainsFunc(parents, func(parent string) bool {
		return dir == parent || strings.HasPrefix(dir, parent+"/")
	})
}

// exportedReceiver tells whether a function is no method, or one of an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	receiver := f.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if generic, ok := receiver.(*ast.IndexExpr); ok {
		receiver = generic.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && name.IsExported()
}
