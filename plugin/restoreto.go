package plugin

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"

	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// withArchive opens an archive for as long as do takes.
func withArchive(b store.Backup, do func(*archive.Reader) error) error {
	f, r, err := openArchive(restore.Backup{Name: b.Name, Path: b.Path})
	if err != nil {
		return err
	}
	defer f.Close()
	return do(r)
}

// archiveOf is a stored backup in the words of a restore.
func archiveOf(dir *store.Dir, b store.Backup) (restore.Backup, error) {
	if store.IsTemporary(filepath.Base(b.Path)) { // made from an archive of others, which the sum beside it is of
		return restore.Backup{Name: b.Name, Path: b.Path}, nil
	}
	sum, err := storeOf(dir, b).SHA256(b.Name)
	return restore.Backup{Name: b.Name, Path: b.Path, SHA256: sum}, err
}

// restoreTo unpacks a backup into a folder. It asks no engine and needs no project.
func (a *app) restoreTo(ctx context.Context, args []string, opts restoreOptions) error {
	dir, err := a.openArchives(ctx, opts.backups, args)
	if err != nil {
		return err
	}
	b, err := a.backupToRestore(ctx, dir.Dir, args, opts.yes || opts.dryRun)
	if err != nil {
		return err
	}
	if b.Former {
		return a.restoreForeignTo(ctx, b, opts)
	}
	if len(opts.maps) > 0 {
		return usagef("--map says nothing about a restore with --to: its folders have the names of the sources in the backup")
	}
	return a.unpackTo(ctx, dir.Dir, b, opts)
}

// unpackTo unpacks an archive of ours into a folder.
func (a *app) unpackTo(ctx context.Context, dir *store.Dir, b store.Backup, opts restoreOptions) error {
	from, err := archiveOf(dir, b)
	if err != nil {
		return err
	}
	to, err := a.absolute(opts.to)
	if err != nil {
		return err
	}
	owners, err := opts.owners()
	if err != nil {
		return err
	}
	req := restore.Request{
		Backup: from, To: to, Owners: owners, Only: opts.sources, Services: opts.services, Paths: opts.paths, Devices: opts.devices,
		ID: strings.ToLower(rand.Text()[:12]), Free: tree.FreeSpace,
	}
	return withArchive(b, func(r *archive.Reader) error {
		p, err := restore.PrepareTo(ctx, r, req)
		if err != nil {
			return err
		}
		if opts.dryRun {
			return a.printRestorePlan(p, nil, hooks.Plan{}, nil, opts.format)
		}
		run := restore.Runner{Clock: a.world.Now, Progress: a.sink(), SkipOwners: a.world.UID != 0}
		res, err := run.RunTo(ctx, p)
		if err != nil {
			return err
		}
		return a.printRestore(restoreResult{Result: res}, opts.format)
	})
}
