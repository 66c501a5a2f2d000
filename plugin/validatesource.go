package plugin

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// layoutOf are the folders that the compose file says are in a source: those that services mount of it.
func layoutOf(src compose.Source) []string {
	var out []string
	for _, m := range src.Mounts {
		if m.Subpath != "" && !slices.Contains(out, m.Subpath) {
			out = append(out, m.Subpath)
		}
	}
	return out
}

// storedLayout is layoutOf for a source in an archive.
func storedLayout(src archive.Source) []string {
	var out []string
	for _, m := range src.Mounts {
		if m.Subpath != "" && !slices.Contains(out, m.Subpath) {
			out = append(out, m.Subpath)
		}
	}
	return out
}

// private tells whether others cannot get to a live source. Where the files are on another machine, that is known of the engine's own folders alone.
func (s *session) private(src compose.Source, place string) bool {
	if s.Elsewhere == "" && (!s.reachable() || s.Info.Local) {
		return shut(place)
	}
	return src.Path == "" && src.Volume != nil && src.Volume.Options["device"] == ""
}

// storedPrivate tells the same of a source in an archive, which has nothing of the folders around it: those around a volume are the engine's.
func storedPrivate(src archive.Source) bool {
	return src.Kind == string(compose.Volume) && (src.Volume == nil || src.Volume.Options["device"] == "")
}

// shut tells whether some folder above a place lets others not through.
func shut(place string) bool {
	for dir := filepath.Dir(tree.Resolve(place)); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if os.IsPermission(err) || err == nil && info.Mode()&(fs.ModeDir|0o001) == fs.ModeDir {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}
