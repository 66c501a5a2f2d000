package compose

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// composeFile is one yaml file of the project, as written.
type composeFile struct {
	path  string
	shown string // relative to the project's folder where it lies in it
	roots []*yaml.Node
	named bool // named by the user or found, not included or extended
}

// at is the place of a node in the file: FILE:LINE:COLUMN.
func (f *composeFile) at(node *yaml.Node) string {
	return fmt.Sprintf("%s:%d:%d", f.shown, node.Line, node.Column)
}

// fileSet is all yaml files of the project and the env files of its includes. It only locates things: what they mean the loader has decided.
type fileSet struct {
	dir      string
	files    []*composeFile
	envFiles []string
}

func readFileSet(details *types.ConfigDetails) *fileSet {
	set := &fileSet{dir: details.WorkingDir}
	for _, f := range details.ConfigFiles {
		file := set.add(f.Filename, f.Content)
		file.named = true
		set.follow(file, details.WorkingDir, details.Environment)
	}
	return set
}

func (s *fileSet) main() []*composeFile {
	return slices.DeleteFunc(slices.Clone(s.files), func(f *composeFile) bool { return !f.named })
}

// add parses a file. What does not parse has no positions; the loader has read it, so it does.
func (s *fileSet) add(path string, content []byte) *composeFile {
	f := &composeFile{path: path, shown: path}
	if rel, err := filepath.Rel(s.dir, path); err == nil && filepath.IsLocal(rel) {
		f.shown = rel
	}
	if path == "-" {
		f.shown = "standard input"
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var root yaml.Node
		if err := decoder.Decode(&root); err != nil {
			break
		}
		f.roots = append(f.roots, target(&root))
	}
	s.files = append(s.files, f)
	return f
}

// follow adds what a file includes and extends; names in it start from dir.
func (s *fileSet) follow(f *composeFile, dir string, env types.Mapping) {
	for _, root := range f.roots {
		if list := target(find(root, "include")); list != nil && list.Kind == yaml.SequenceNode {
			for _, item := range list.Content {
				s.include(target(item), dir, env)
			}
		}
		s.followExtends(root, dir, env)
	}
}

func (s *fileSet) include(item *yaml.Node, dir string, env types.Mapping) {
	paths := texts(item)
	if item.Kind == yaml.MappingNode {
		paths = texts(find(item, "path"))
	}
	if len(paths) == 0 {
		return
	}
	for i := range paths {
		paths[i] = resolve(paths[i], dir, env)
	}
	project := filepath.Dir(paths[0])
	if own := texts(find(item, "project_directory")); len(own) == 1 {
		project = resolve(own[0], dir, env)
	}
	env = s.includeEnv(texts(find(item, "env_file")), dir, project, env)
	for _, path := range paths {
		if f := s.read(path); f != nil {
			s.follow(f, project, env)
		}
	}
}

// includeEnv is the environment of an included file: its own env files, else the .env beside it.
func (s *fileSet) includeEnv(own []string, dir, project string, env types.Mapping) types.Mapping {
	var files []string
	for _, f := range own {
		if f = resolve(f, dir, env); f != "/dev/null" {
			files = append(files, f)
		}
	}
	if fallback := filepath.Join(project, ".env"); len(own) == 0 && isFile(fallback) {
		files = []string{fallback}
	}
	s.envFiles = append(s.envFiles, files...)
	values, err := dotenv.GetEnvFromFile(env, files)
	if err != nil {
		return env
	}
	return maps.Clone(env).Merge(values)
}

func (s *fileSet) followExtends(root *yaml.Node, dir string, env types.Mapping) {
	for _, section := range []string{"services", "jobs"} {
		for _, service := range pairs(find(root, section)) {
			for _, name := range texts(find(service, "extends", "file")) {
				path := resolve(name, dir, env)
				if f := s.read(path); f != nil {
					for _, root := range f.roots {
						s.followExtends(root, filepath.Dir(path), env)
					}
				}
			}
		}
	}
}

// read adds a file once; nil if it is known already or not readable.
func (s *fileSet) read(path string) *composeFile {
	if isRemote(path) || slices.ContainsFunc(s.files, func(f *composeFile) bool { return f.path == path }) {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return s.add(path, content)
}

// resolve is the absolute path that a name in a compose file means.
func resolve(name, dir string, env types.Mapping) string {
	value, err := template.Substitute(name, func(key string) (string, bool) { v, ok := env[key]; return v, ok })
	if err != nil {
		value = name
	}
	if home := env["HOME"]; home != "" && strings.HasPrefix(value, "~/") {
		value = filepath.Join(home, value[2:])
	}
	if filepath.IsAbs(value) || isRemote(value) {
		return value
	}
	return filepath.Join(dir, value)
}

func isFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular()
}

// locate finds the last file that has a path of keys, and the place of the last key there. Where the path ends early, the place of its last known key.
func (s *fileSet) locate(path ...string) (*composeFile, *yaml.Node) {
	for n := len(path); n > 0; n-- {
		for _, f := range slices.Backward(s.files) {
			if !f.named && len(path) > 0 && path[0] == extension {
				continue
			}
			for _, root := range slices.Backward(f.roots) {
				if key, _ := entry(find(root, path[:n-1]...), path[n-1]); key != nil {
					return f, key
				}
			}
		}
	}
	return nil, nil
}

// where is the place of a setting: FILE:LINE for people to look at, FILE:LINE:COLUMN in errors; without a place the words "compose file".
func (s *fileSet) where(short bool, path ...string) string {
	f, node := s.locate(path...)
	if node == nil {
		return "compose file"
	}
	if short {
		return fmt.Sprintf("%s:%d", f.shown, node.Line)
	}
	return f.at(node)
}

// interpolated tells that a variable stands in the value, or that nobody knows how it was written.
func (s *fileSet) interpolated(path ...string) bool {
	f, key := s.locate(path...)
	if key == nil || key.Value != path[len(path)-1] {
		return true
	}
	for _, root := range f.roots {
		for _, text := range texts(find(root, path...)) {
			if strings.Contains(text, "$") {
				return true
			}
		}
	}
	return false
}
