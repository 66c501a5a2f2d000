package enginetest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Image returns one image.
func (e *Engine) Image(ctx context.Context, ref string) (i engine.Image, err error) {
	err = e.do(ctx, Call{"Image", ref}, func() error {
		var ok bool
		if i, ok = e.images[ref]; !ok {
			return engine.ErrNotFound
		}
		return nil
	})
	return i, err
}

// Images returns the images with a label.
func (e *Engine) Images(ctx context.Context, label string) (out []engine.Image, err error) {
	err = e.do(ctx, Call{"Images", label}, func() error {
		for _, key := range slices.Sorted(maps.Keys(e.images)) {
			if i := e.images[key]; key == i.ID && hasLabel(i.Labels, label) {
				out = append(out, i)
			}
		}
		return nil
	})
	return out, err
}

// TagImage gives an image one more name, which another image loses.
func (e *Engine) TagImage(ctx context.Context, image, name string) error {
	return e.do(ctx, Call{"TagImage", name}, func() error {
		i, ok := e.images[image]
		if !ok {
			return engine.ErrNotFound
		}
		e.untag(name)
		i = e.images[i.ID]
		i.RepoTags = append(slices.Clone(i.RepoTags), name)
		e.putImage(i)
		return nil
	})
}

// untag takes a name from the image that has it.
func (e *Engine) untag(name string) {
	if former, ok := e.images[name]; ok {
		delete(e.images, name)
		former.RepoTags = slices.DeleteFunc(slices.Clone(former.RepoTags), func(tag string) bool { return tag == name })
		e.putImage(former)
	}
}

// ImportImage makes an image and gives it the name ref, which another image loses.
func (e *Engine) ImportImage(ctx context.Context, ref string, labels map[string]string, archive io.Reader) error {
	_, failed := io.Copy(io.Discard, archive)
	return e.do(ctx, Call{"ImportImage", ref}, func() error {
		if failed != nil {
			return failed
		}
		e.untag(ref)
		e.made++
		e.putImage(engine.Image{ID: fmt.Sprintf("sha256:%064x", e.made), RepoTags: []string{ref}, Labels: maps.Clone(labels)})
		return nil
	})
}

func (e *Engine) putImage(i engine.Image) {
	e.images[i.ID] = i
	for _, tag := range i.RepoTags {
		e.images[tag] = i
	}
}

// RemoveImage removes an image that no container has, or its name if it has others.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	return e.do(ctx, Call{"RemoveImage", ref}, func() error {
		i, ok := e.images[ref]
		if !ok {
			return engine.ErrNotFound
		}
		if ref != i.ID && len(i.RepoTags) > 1 {
			e.untag(ref)
			return nil
		}
		for _, c := range e.containers {
			if c.ImageID == i.ID {
				return fmt.Errorf("%w: %s uses it", engine.ErrConflict, c.Name)
			}
		}
		delete(e.images, i.ID)
		for _, tag := range i.RepoTags {
			if e.images[tag].ID == i.ID {
				delete(e.images, tag)
			}
		}
		return nil
	})
}
