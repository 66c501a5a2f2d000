package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/tree"
)

// shareCall asks a helper whether it can use files of this user's.
type shareCall struct {
	// Folder is one to write to, File one that was made there, empty where none was; Archives are to be read.
	Folder   string   `json:"folder"`
	File     string   `json:"file,omitempty"`
	Archives []string `json:"archives,omitempty"`
}

// helperFor starts a helper for the session's work. Where it may not use the backups directory, as on a network file system that trusts
// the user and no root, or where the engine's root is none on this machine, archives go through a scratch volume.
func (s *session) helperFor(ctx context.Context, a access, extra ...helper.Mount) (*far, error) {
	f, err := s.startHelper(ctx, a, extra...)
	if err != nil && (s.apart || !s.ours() || ctx.Err() != nil || !strings.Contains(err.Error(), tree.Resolve(s.Store.Path))) {
		return nil, err
	}
	if err == nil {
		shared, asked := f.shares(ctx)
		if asked != nil {
			return nil, errors.Join(asked, f.close(context.WithoutCancel(ctx)))
		}
		if shared {
			return f, nil
		}
		if err := f.close(ctx); err != nil {
			return nil, err
		}
	}
	s.apart = true
	return s.startHelper(ctx, a, extra...)
}

// shares tells whether the helper can write to the backups directory and read the archives that are restored. Within an operation a file
// is made to see, on record as every unfinished archive.
func (f *far) shares(ctx context.Context) (bool, error) {
	if f.scratch != "" {
		return true, nil
	}
	s, c := f.session, shareCall{Folder: f.backups}
	for _, archive := range s.restoring {
		if _, err := os.Stat(archive); err == nil {
			c.Archives = append(c.Archives, s.bind(archive).Path)
		}
	}
	if f.backups == "" || restore.Writable(f.backups) != nil {
		c.Folder = "" // there is no need
	}
	if c.Folder == "" || s.journal == nil {
		return f.asked(ctx, c)
	}
	path, err := s.Store.TemporaryPath(s.app.world.Now())
	if err != nil {
		return false, err
	}
	if err := s.journal.Step(backup.StepTemporary, path); err != nil {
		return false, err
	}
	made, err := s.Store.Create(path)
	if err != nil {
		return true, nil //nolint:nilerr // whoever makes an archive there tells it
	}
	c.File = s.bind(path).Path
	shared, err := f.asked(ctx, c)
	return shared, errors.Join(err, made.Abort())
}

func (f *far) asked(ctx context.Context, c shareCall) (bool, error) {
	var refused pathCall
	err := f.Call(ctx, callShare, c, &refused)
	return refused.Path == "", err
}

// share names the first file or folder that this process cannot use.
func (f *fileServer) share(_ context.Context, c shareCall) (pathCall, error) {
	if c.Folder != "" && restore.Writable(c.Folder) != nil {
		return pathCall{c.Folder}, nil
	}
	flags := map[string]int{}
	for _, path := range c.Archives {
		flags[path] = os.O_RDONLY
	}
	if c.File != "" {
		flags[c.File] = os.O_RDWR
	}
	for path, flag := range flags {
		file, err := os.OpenFile(path, flag, 0)
		if err != nil {
			return pathCall{path}, nil //nolint:nilerr // it is the answer
		}
		if err := file.Close(); err != nil {
			return pathCall{}, fmt.Errorf("close %s: %w", path, err)
		}
	}
	return pathCall{}, nil
}
