package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Find returns the backup that arg names: "latest", a name (with or without its ending, or its id), a path, or
// latest_backup.txt, whose path is looked up by base name beside it where it is missing. It fails with *NotFoundError.
func (d *Dir) Find(ctx context.Context, arg string) (Backup, error) {
	switch {
	case arg == Latest:
		return d.latest(ctx)
	case filepath.Base(arg) == LatestFile:
		return d.pointed(arg)
	case strings.ContainsRune(arg, filepath.Separator) || strings.Contains(arg, "/"):
		b, err := At(arg)
		if errors.Is(err, fs.ErrNotExist) {
			return Backup{}, &NotFoundError{Arg: arg, Dir: filepath.Dir(arg), Why: "no such file"}
		}
		return b, err
	}
	return d.named(ctx, arg)
}

func (d *Dir) latest(ctx context.Context) (Backup, error) {
	all, err := d.List(ctx)
	if err != nil {
		return Backup{}, err
	}
	b, ok := d.NewestGood(all)
	switch {
	case ok:
		return b, nil
	case len(all) == 0:
		return Backup{}, &NotFoundError{Arg: Latest, Dir: d.Path, Empty: true}
	case len(all) == 1:
		return Backup{}, &NotFoundError{Arg: Latest, Dir: d.Path, Why: "the only archive, " + all[0].Name + ", " + d.notGood(all[0])}
	}
	return Backup{}, &NotFoundError{Arg: Latest, Dir: d.Path, Why: d.noneGood(all)}
}

// namedDamaged is how many backups with damaged data an explanation names.
const namedDamaged = 5

// noneGood says why none of several archives is latest; those that were passed over for the damage in their data are named.
func (d *Dir) noneGood(all []Backup) string {
	var damaged []string
	for _, b := range all {
		sound := b
		sound.Validation = nil
		if _, ok := d.NewestGood([]Backup{sound}); ok && b.Damaged() {
			damaged = append(damaged, b.Name)
		}
	}
	why := fmt.Sprintf("none of the %d archives is a verified, complete backup of the whole project%s", len(all), strings.TrimRight(" "+d.Owner.Name, " "))
	switch n := len(damaged); {
	case n == 0:
		return why
	case n > namedDamaged:
		damaged = append(damaged[:namedDamaged], fmt.Sprintf("and %d more", n-namedDamaged))
	}
	return why + " without damage in its data; damage was found in " + strings.Join(damaged, ", ")
}

// notGood says why a backup is never latest.
func (d *Dir) notGood(b Backup) string {
	switch {
	case b.State == Verified && b.Damaged():
		return "holds damaged data"
	case b.State == Verified && b.Owner.Name != "" && d.Owner.Name != "" && b.Owner.Name != d.Owner.Name:
		return "is of project " + b.Owner.Name
	case b.State == Verified && len(b.Selected) > 0:
		return "is one of some services only"
	case b.State == Verified && b.Reason == BeforeRestore:
		return "is a safety backup of a restore"
	case b.State == Verified && b.Reason == Import:
		return "was imported"
	case b.State == Verified:
		return "was made by the former script"
	}
	return "is " + string(b.State)
}

// pointed follows latest_backup.txt, given as a path or as the bare name in this directory.
func (d *Dir) pointed(arg string) (Backup, error) {
	file := arg
	if !strings.ContainsRune(arg, filepath.Separator) {
		file = d.path(arg)
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Backup{}, &NotFoundError{Arg: arg, Dir: filepath.Dir(file), Why: "no such file"}
	}
	if err != nil {
		return Backup{}, fmt.Errorf("read %s: %w", LatestFile, err)
	}
	target := strings.TrimSpace(string(data))
	if target == "" {
		return Backup{}, &NotFoundError{Arg: arg, Dir: filepath.Dir(file), Why: "it is empty"}
	}
	beside := filepath.Join(filepath.Dir(file), filepath.Base(target))
	if !filepath.IsAbs(target) {
		target = beside
	}
	for _, path := range []string{target, beside} {
		b, err := At(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return Backup{}, &NotFoundError{Arg: arg, Dir: filepath.Dir(file), Why: "it names " + target + ", which is missing"}
}

func (d *Dir) named(ctx context.Context, arg string) (Backup, error) {
	for _, name := range []string{arg, arg + suffix} {
		if _, ok := ParseName(name, d.location()); !ok {
			continue
		}
		b, err := d.look(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	all, err := d.List(ctx)
	if err != nil {
		return Backup{}, err
	}
	for _, b := range all {
		if b.ID != "" && b.ID == arg {
			return b, nil
		}
	}
	if b, err := At(arg); err == nil { // a file of that name in the working directory
		return b, nil
	}
	return Backup{}, &NotFoundError{Arg: arg, Dir: d.Path}
}
