package validate

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
)

// Bounds of what is looked at in one container's layer.
const (
	layerPaths = 200_000
	layerStats = 300
	layerTime  = 30 * time.Second
)

// layer is a container's own writable layer.
type layer struct {
	changes []engine.Change
	err     error
}

// layerOf asks the engine once for a container's layer.
func (w *World) layerOf(ctx context.Context, c engine.Container) layer {
	if l, ok := w.layers[c.ID]; ok {
		return l
	}
	ctx, cancel := context.WithTimeoutCause(ctx, layerTime, fmt.Errorf("it took longer than %s", layerTime))
	defer cancel()
	var l layer
	l.changes, l.err = w.Engine.Changes(ctx, c.ID, layerPaths)
	if l.err != nil && ctx.Err() != nil {
		l.err = context.Cause(ctx)
	}
	if w.layers == nil {
		w.layers = map[string]layer{}
	}
	w.layers[c.ID] = l
	return l
}

// checkLayers looks for data in the containers' own layers and in anonymous volumes, which docker compose down and up leaves behind.
func (w *World) checkLayers(ctx context.Context, v *verdict, servers []chromaServer) {
	if w.Engine == nil {
		v.tell("%s", w.NoEngine)
		return
	}
	mine := w.mine()
	if len(mine) == 0 {
		v.tell("the project has no containers")
	}
	for _, c := range mine {
		w.checkAnonymous(ctx, v, c)
		l := w.layerOf(ctx, c)
		if errors.Is(l.err, engine.ErrNotFound) {
			continue // it is gone meanwhile
		}
		if l.err != nil && !errors.Is(l.err, engine.ErrTooMany) {
			v.find(inventory.Unchecked, c.Name, "its layer cannot be looked at: %v", l.err)
			continue
		}
		v.checked++
		if l.err != nil {
			v.tell("%s has more than %d files in its layer: only so many were looked at", c.Name, layerPaths)
		}
		w.checkLayer(ctx, v, c, l.changes, emptyServer(servers, c))
	}
}

// emptyServer tells that the Chroma server in a container has no collections, so that there is nothing to lose yet.
func emptyServer(servers []chromaServer, c engine.Container) bool {
	return slices.ContainsFunc(servers, func(s chromaServer) bool {
		return s.at.container != nil && s.at.container.ID == c.ID && s.failed == "" && s.complete && len(s.collections) == 0
	})
}

// heap is a folder of a layer with data in it.
type heap struct {
	dir    string
	chroma bool
	files  []string
	// seeded are those of them that the image has too.
	seeded map[string]bool
}

func (w *World) checkLayer(ctx context.Context, v *verdict, c engine.Container, changes []engine.Change, empty bool) {
	left := layerStats
	for _, h := range w.heaps(c, changes) {
		m := w.measure(ctx, c, h, &left)
		if m.bytes == 0 {
			continue
		}
		object, size := c.Name+":"+h.dir, m.String()
		switch {
		case h.chroma && !empty:
			v.find(inventory.Damaged, object, "a Chroma database (%s) lies in the container's own writable layer, in no mount: no backup has it, and docker compose down deletes it. %s", size, wrongMount(c, h.dir))
		case h.chroma:
			v.find(inventory.Warning, object, "a Chroma database (%s), still without collections, lies in the container's own writable layer: docker compose down will delete what comes into it. Mount a volume or folder at %s", size, h.dir)
		default:
			v.find(inventory.Warning, object, "data (%s, such as %s) lies in the container's own writable layer, in no mount: no backup has it, and docker compose down deletes it. Mount a volume or folder at %s if it is to stay",
				size, path.Base(m.first), h.dir)
		}
	}
}

// heaps are the folders of a layer in which data seems to lie, sorted.
func (w *World) heaps(c engine.Container, changes []engine.Change) []heap {
	var stores []string
	for _, ch := range changes {
		if path.Base(ch.Path) == chromaFile && !ch.Removed {
			stores = append(stores, path.Dir(ch.Path))
		}
	}
	byDir := map[string]*heap{}
	for _, ch := range changes {
		if ch.Removed || mountOf(c, ch.Path) != nil {
			continue
		}
		dir := dataFolder(c, ch, stores)
		if dir == "" {
			continue
		}
		if byDir[dir] == nil {
			byDir[dir] = &heap{dir: dir, chroma: slices.Contains(stores, dir), seeded: map[string]bool{}}
		}
		byDir[dir].files = append(byDir[dir].files, ch.Path)
		byDir[dir].seeded[ch.Path] = !ch.Added && !isDatabase(ch.Path)
	}
	var all []heap
	for _, h := range byDir {
		all = append(all, *h)
	}
	slices.SortFunc(all, func(a, b heap) int { return strings.Compare(a.dir, b.dir) })
	return all
}

// dataFolder is the folder under which a path of a layer is told; empty where it is no data.
func dataFolder(c engine.Container, ch engine.Change, stores []string) string {
	for _, dir := range stores {
		if within(ch.Path, dir) && ch.Path != dir {
			return dir
		}
	}
	if isNoise(ch.Path) {
		return ""
	}
	for _, dir := range knownFolders() {
		if (ch.Added || isData(ch.Path)) && within(ch.Path, dir) && ch.Path != dir {
			return dir
		}
	}
	if isDatabase(ch.Path) || isMemory(ch.Path) {
		return path.Dir(ch.Path)
	}
	if ch.Added && isData(ch.Path) && besideMount(c, ch.Path) {
		return path.Dir(ch.Path)
	}
	return ""
}

// besideMount tells that a path lies in a folder in which the container has something mounted: /app/notes beside /app/data.
func besideMount(c engine.Container, name string) bool {
	return slices.ContainsFunc(c.Mounts, func(m engine.Mount) bool {
		parent := path.Dir(path.Clean(m.Destination))
		return parent != "/" && within(name, parent)
	})
}

// knownFolders are where stores keep their data unless told otherwise.
func knownFolders() []string {
	return []string{
		"/data", "/chroma/chroma", "/app/data", "/app/memories", "/app/memory", "/app/embeddings", "/app/vectors", "/app/indexes", "/opt/memory-system/data",
		"/qdrant/storage", "/qdrant/snapshots", "/var/lib/postgresql", "/var/lib/mysql", "/var/lib/redis", "/var/lib/weaviate", "/var/lib/milvus",
		"/var/lib/neo4j/data", "/usr/share/elasticsearch/data", "/meili_data", "/lancedb",
	}
}

func isDatabase(name string) bool {
	return slices.Contains([]string{".sqlite3", ".sqlite", ".db", ".db3", ".duckdb", ".lance"}, strings.ToLower(path.Ext(name)))
}

// isMemory knows the names under which memory servers keep all they know, beside their programs unless told otherwise.
func isMemory(name string) bool {
	return slices.Contains([]string{"memory.json", "memory.jsonl", "memories.json", "memories.jsonl"}, strings.ToLower(path.Base(name)))
}

func isData(name string) bool {
	base := strings.ToLower(path.Base(name))
	if strings.HasPrefix(base, "package") || strings.HasPrefix(base, "tsconfig") {
		return false
	}
	return slices.Contains([]string{
		".json", ".jsonl", ".ndjson", ".csv", ".parquet", ".npy", ".npz", ".bin", ".idx", ".index", ".faiss", ".pkl", ".pickle", ".safetensors", ".rdb", ".aof", ".ldb", ".sst", ".md",
	}, path.Ext(base))
}

// isNoise tells paths at which programs keep what they can make again.
func isNoise(name string) bool {
	for _, dir := range []string{
		"/tmp", "/var/tmp", "/run", "/var/run", "/proc", "/sys", "/dev", "/etc", "/lib", "/usr/lib", "/usr/local/lib", "/bin", "/sbin",
		"/var/cache", "/var/log", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/apk",
	} {
		if within(name, dir) {
			return true
		}
	}
	return slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool {
		return slices.Contains([]string{".cache", "cache", ".npm", "node_modules", "__pycache__", "site-packages", "logs", "tmp", ".git", ".next"}, part)
	})
}

// extent is how much a heap is.
type extent struct {
	files, bytes int64
	first        string // one of its files
	part         bool   // only a part was looked at
}

// String is the extent in words.
func (e extent) String() string {
	text := fmt.Sprintf("%s, %s", count(e.files, "file"), progress.Size(e.bytes))
	if e.part {
		return "at least " + text
	}
	return text
}

// measure counts the files of a heap and their bytes, as long as left allows.
func (w *World) measure(ctx context.Context, c engine.Container, h heap, left *int) extent {
	var e extent
	for _, name := range h.files {
		if *left == 0 || ctx.Err() != nil {
			e.part = true
			return e
		}
		*left--
		info, err := w.Engine.Stat(ctx, c.ID, name)
		if err != nil || !info.Mode.IsRegular() {
			continue // a folder, or gone meanwhile
		}
		if h.seeded[name] && info.ModTime.Before(c.Created.Truncate(time.Second)) {
			continue // it has another owner or mode than in the image, and the same content
		}
		if e.files++; e.first == "" {
			e.first = name
		}
		e.bytes += info.Size
	}
	return e
}

// checkAnonymous finds the volumes without a name: they stay behind where nobody looks for them.
func (w *World) checkAnonymous(ctx context.Context, v *verdict, c engine.Container) {
	for _, m := range c.Mounts {
		if m.Type != "volume" || !compose.IsAnonymous(m.Name) || isNoise(m.Destination) {
			continue
		}
		text := "whatever is in it"
		if w.Empty != nil {
			empty, err := w.Empty(m.Source)
			if err == nil && empty {
				continue
			}
			if err == nil {
				text = "data"
			}
		}
		if info, err := w.Engine.Stat(ctx, c.ID, path.Join(m.Destination, chromaFile)); err == nil && info.Mode.IsRegular() {
			text = "a Chroma database"
		}
		v.find(inventory.Warning, c.Name+":"+m.Destination, "%s lies in a volume without a name, which docker compose down leaves behind: the next up makes an empty one. Give it a name in the compose file", text)
	}
}
