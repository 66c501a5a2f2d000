package validate

import (
	"context"
	"errors"
	"slices"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
)

// LayerData is data in a container's own writable layer, in no mount.
type LayerData struct {
	// Folder is where it lies in the container, Files are its files and folders.
	Folder string
	Files  []string
	// Chroma tells that it is a Chroma database; Fresh that its server has no collection yet.
	Chroma, Fresh bool
	// Size is how much it is, in words.
	Size string
	// Misplaced says at which wrong place the mount is that was meant for it; empty where there is none.
	Misplaced string
}

// LayerData finds the data in the layer of a container, sorted by folder. Where the layer has more files than are looked at it comes together with
// engine.ErrTooMany.
func (w *World) LayerData(ctx context.Context, c engine.Container) ([]LayerData, error) {
	if w.Engine == nil {
		return nil, nil
	}
	l := w.layerOf(ctx, c)
	if l.err != nil && !errors.Is(l.err, engine.ErrTooMany) {
		return nil, l.err
	}
	left := layerStats
	var all []LayerData
	for _, h := range w.heaps(c, l.changes) {
		m := w.measure(ctx, c, h, &left)
		if m.bytes == 0 && !m.part {
			continue
		}
		all = append(all, LayerData{Folder: h.dir, Files: h.files, Chroma: h.chroma, Size: m.String(), Misplaced: misplaced(c, h.dir)})
	}
	if i := slices.IndexFunc(all, func(d LayerData) bool { return d.Chroma }); i >= 0 {
		fresh := emptyServer(w.askChroma(ctx, nil), c)
		for i := range all {
			all[i].Fresh = all[i].Chroma && fresh
		}
	}
	return all, l.err
}

// Regenerable tells a path of a container at which programs keep what they can make again: caches, installed modules, logs.
func Regenerable(path string) bool { return isNoise(path) }

// Writes tells whether a container has a source, or a folder above or below it, mounted writable.
func (w *World) Writes(ctx context.Context, c engine.Container, src compose.Source) bool {
	return w.writes(ctx, c, src)
}
