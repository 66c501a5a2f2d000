package compose

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
)

// FileKind is what a file of the project is for.
type FileKind string

// The kinds of project files.
const (
	ComposeFile FileKind = "compose"
	EnvFile     FileKind = "env"
	LabelFile   FileKind = "label"
	ConfigFile  FileKind = "config"
	SecretFile  FileKind = "secret"
)

// File is a file that makes the project what it is.
type File struct {
	Path string // absolute
	Kind FileKind
}

// Files are the files that define the project, each once: the compose files with what they include and extend, the env files of the project and of its
// services, label files, and the files of configs and secrets. Those that are not there are left out; so is standard input. In a fixed order.
func (p *Project) Files() []File {
	l := &fileList{seen: map[string]bool{}}
	for _, f := range p.files.files {
		l.add(ComposeFile, f.path)
	}
	l.add(EnvFile, p.EnvFiles...)
	l.add(EnvFile, p.files.envFiles...)
	specs := p.containers()
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		for _, spec := range specs[name] {
			l.addSpec(spec)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.model.Configs)) {
		l.add(ConfigFile, p.model.Configs[name].File)
	}
	for _, name := range slices.Sorted(maps.Keys(p.model.Secrets)) {
		l.add(SecretFile, p.model.Secrets[name].File)
	}
	return l.files
}

type fileList struct {
	files []File
	seen  map[string]bool
}

func (l *fileList) addSpec(spec types.ContainerSpec) {
	for _, f := range spec.EnvFiles {
		l.add(EnvFile, f.Path)
	}
	l.add(LabelFile, spec.LabelFiles...)
}

func (l *fileList) add(kind FileKind, paths ...string) {
	for _, path := range paths {
		if path == "" || path == "-" || isRemote(path) {
			continue
		}
		if path = filepath.Clean(path); l.seen[path] || !isFile(path) {
			continue
		}
		l.seen[path] = true
		l.files = append(l.files, File{Path: path, Kind: kind})
	}
}
