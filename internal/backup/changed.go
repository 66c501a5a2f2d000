package backup

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Changed says why the sources are not what the last good backup has of them: the first difference in name, kind, size, owner, mode, times
// or attributes, or a file whose change time is not older than that backup. It is empty where a new backup would hold the same. Contents
// are not read. Nothing is said of the sources that are named in absent.
func (p *Plan) Changed(ctx context.Context, absent ...string) (string, error) {
	if p.Previous == nil {
		return "there is no good backup yet", nil
	}
	if _, direct := p.side.(Local); !direct {
		return "its files can only be looked at through a helper", nil
	}
	r, f, err := openPrevious(p.Previous)
	if err != nil {
		return fmt.Sprintf("%s cannot be read: %v", p.Previous.Name, err), nil //nolint:nilerr // a new backup is the answer
	}
	defer f.Close()
	left := map[string]archive.Source{}
	for _, s := range r.Manifest().Sources {
		left[s.Name] = s
	}
	for _, s := range p.Sources {
		was, ok := left[s.Name]
		delete(left, s.Name)
		if slices.Contains(absent, s.Name) {
			continue
		}
		switch {
		case !ok:
			return fmt.Sprintf("source %s is not in %s", s.Name, p.Previous.Name), nil
		case s.Missing != "":
			return fmt.Sprintf("source %s: %s", s.Name, s.Missing), nil
		}
		why, err := p.changedSource(ctx, s, was, r)
		if why != "" || err != nil {
			return why, err
		}
	}
	for name := range left {
		return fmt.Sprintf("source %s is no longer there", name), nil
	}
	return "", nil
}

func openPrevious(b *store.Backup) (*archive.Reader, *os.File, error) {
	f, err := os.Open(b.Path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		var r *archive.Reader
		if r, err = archive.Open(f, info.Size()); err == nil {
			return r, f, nil
		}
	}
	return nil, nil, errors.Join(err, f.Close())
}

func (p *Plan) changedSource(ctx context.Context, s Source, was archive.Source, r *archive.Reader) (string, error) {
	x := p.exclusions()
	rules, err := x.Rules(p.places())
	if err != nil {
		return "", err
	}
	skip, late := x.Skip(rules, Place{Name: s.Name, Path: s.Root}), ""
	folders := map[string]bool{}
	see := func(e *tree.Entry) string {
		rule := skip(e)
		if rule == "" && late == "" && e.Kind != tree.Dir && !e.ChangeTime.Before(r.Manifest().Created) {
			late = e.Path
		}
		return rule
	}
	found, err := tree.Compare(ctx, s.Root, entriesBelow(ctx, r, was.Prefix, folders), tree.CompareOptions{Skip: see})
	// What is left out of a folder changes its time too; what is in it is compared by itself.
	found = slices.DeleteFunc(found, func(d tree.Difference) bool { return d.Field == "mtime" && folders[d.Path] })
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return fmt.Sprintf("source %s: %v", s.Name, err), nil
	case len(found) > 0:
		return fmt.Sprintf("source %s: %s", s.Name, found[0]), nil
	case late != "":
		return fmt.Sprintf("source %s: %q was changed since %s", s.Name, late, r.Manifest().Created.Format(time.DateTime)), nil
	}
	return "", nil
}

// entriesBelow are the entries of an archive that lie below a source's prefix, named as in the source. It notes which are folders.
func entriesBelow(ctx context.Context, r *archive.Reader, prefix string, folders map[string]bool) iter.Seq2[tree.Expected, error] {
	return func(yield func(tree.Expected, error) bool) {
		for e, err := range r.Entries(ctx) {
			if err != nil {
				yield(tree.Expected{}, err)
				return
			}
			out := e.Entry
			switch path, below := strings.CutPrefix(e.Path, prefix+"/"); {
			case below:
				out.Path = path
			case e.Path == prefix:
				out.Path = "."
			default:
				continue
			}
			switch out.Kind {
			case tree.Dir:
				folders[out.Path] = true
			case tree.Hardlink:
				out.Link = strings.TrimPrefix(out.Link, prefix+"/")
			}
			if !yield(tree.Expected{Entry: &out, Chunks: e.Chunks}, nil) {
				return
			}
		}
	}
}
