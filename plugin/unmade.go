package plugin

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/store"
)

// notMade is why a source is left out of the backup before a docker compose that will make it, or never does.
const notMade = "it does not exist yet"

// withoutUnmade are the sources, those left out that do not exist and never did as far as anybody knows: the last good backup has nothing of
// them either. What it has, and is gone, stays and is missing.
func (s *session) withoutUnmade(ctx context.Context) ([]compose.Source, error) {
	unmade := func(src compose.Source) bool { return src.Excluded == "" && s.absent(ctx, src) }
	if !slices.ContainsFunc(s.Sources, unmade) {
		return s.Sources, nil
	}
	had, err := s.lastHas(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(s.Sources)
	for i := range all {
		if !had[all[i].Name] && unmade(all[i]) {
			all[i].Excluded = notMade
		}
	}
	return all, nil
}

// absent tells that a source is known not to exist: what cannot be looked at may.
func (s *session) absent(ctx context.Context, src compose.Source) bool {
	switch {
	case src.Path != "" && (s.Info.Local || s.Info.SharesFiles):
		_, err := os.Lstat(src.Path)
		return errors.Is(err, fs.ErrNotExist)
	case src.Path == "" && src.Volume != nil && src.Volume.Name != "" && s.reachable():
		_, err := s.Engine.Volume(ctx, src.Volume.Name)
		return errors.Is(err, engine.ErrNotFound)
	}
	return false
}

// lastHas are the names of the sources that the last good backup holds, or where there is none the newest of this project. One whose manifest cannot be read may hold all of them.
func (s *session) lastHas(ctx context.Context) (map[string]bool, error) {
	had := map[string]bool{}
	all, err := s.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	last, found := s.Store.NewestGood(all)
	if !found {
		i := slices.IndexFunc(all, func(b store.Backup) bool { return b.Owner == s.Store.Owner })
		if i < 0 {
			return had, nil
		}
		last = all[i]
	}
	m, err := store.ReadManifest(last.Path)
	if err != nil {
		for _, src := range s.Sources {
			had[src.Name] = true
		}
		return had, nil //nolint:nilerr // the plan reads it too, and says why it cannot
	}
	for _, src := range m.Sources {
		had[src.Name] = src.Missing == ""
	}
	return had, nil
}

// gone names the sources that the last good backup has and that do not exist: no command can lose them any more.
func (w *guarded) gone(ctx context.Context) (names []string) {
	for _, src := range w.Sources {
		external := src.Volume != nil && src.Volume.External
		if src.Excluded == "" && !external && w.absent(ctx, src) {
			names = append(names, src.Name)
		}
	}
	return names
}

// tellLess says what the last good backup has beyond one that holds all that is there.
func (w *guarded) tellLess(res *backup.Result) {
	var less []string
	for _, m := range res.Missing {
		less = append(less, "source "+m.Name+": "+m.Why)
	}
	for _, p := range res.Problems {
		if p.Error != "" {
			less = append(less, "source "+p.Source+": "+p.Error)
		}
	}
	w.warn("backup", res.Name+" holds all that is there, and less than the last good backup, which stays latest: "+strings.Join(shortened(less, 5), "; "))
}
