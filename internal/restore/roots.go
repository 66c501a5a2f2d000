package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/memsys/docker-memsys/internal/engine"
)

// makeRoots makes what does not exist yet: volumes, folders, an empty file for a source that is one.
func (x *execution) makeRoots(ctx context.Context) error {
	for _, t := range x.plan.Targets {
		if t.Volume != nil {
			if err := x.makeVolume(ctx, t); err != nil {
				return err
			}
		}
		if t.Missing {
			if err := x.makeRoot(t); err != nil {
				return fmt.Errorf("make source %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

func (x *execution) makeVolume(ctx context.Context, t *Target) error {
	v := t.Volume
	if err := x.Journal.Step(stepVolume, v.Name); err != nil {
		return err
	}
	x.volumes = append(x.volumes, v.Name)
	made, err := x.Volumes.CreateVolume(ctx, engine.Volume{Name: v.Name, Driver: v.Driver, Options: v.Options, Labels: v.Labels})
	if err != nil {
		return err
	}
	if t.Root == "" {
		t.Root = made.Mountpoint
	}
	if t.Root == "" {
		return fmt.Errorf("the engine does not tell where volume %s lies", v.Name)
	}
	return nil
}

func (x *execution) makeRoot(t *Target) error {
	if _, err := os.Lstat(t.Root); err == nil {
		return nil
	}
	made := append(missing(filepath.Dir(t.Root)), t.Root)
	if err := x.Journal.Step(stepRoot, made); err != nil {
		return err
	}
	x.roots = append(x.roots, made)
	if err := os.MkdirAll(filepath.Dir(t.Root), 0o755); err != nil {
		return err
	}
	if !t.Single {
		return os.Mkdir(t.Root, 0o700)
	}
	f, err := os.OpenFile(t.Root, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// missing are the folders of a path that do not exist, the outermost first.
func missing(path string) []string {
	var out []string
	for {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		out = append([]string{path}, out...)
		path = filepath.Dir(path)
	}
	return out
}
