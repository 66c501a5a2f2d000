package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/store"
	"github.com/memsys/docker-memsys/internal/tree"
	"github.com/memsys/docker-memsys/internal/validate"
)

// validatedFile is the file of the state folder that says which state of each source was found to be in order.
const validatedFile = "validated.json"

// validatedState is its content.
type validatedState struct {
	Version int                        `json:"version"`
	Sources map[string]validatedSource `json:"sources"`
}

// validatedSource is a state of a source in which nothing was damaged.
type validatedSource struct {
	Depth string    `json:"depth"`
	Print string    `json:"print"` // tells its names, sizes and times from all others
	Time  time.Time `json:"time"`
}

// covers tells whether a look of one depth has seen all that one of another depth would.
func covers(had, wanted inventory.Depth) bool { return had == wanted || had == inventory.Full }

// validateRisen looks at the data of services that are up, as far as it has changed since it was last found to be in order. It says in words
// what came of it; damage is an error. same tells that the command has left all containers as they were.
func (w *guarded) validateRisen(ctx context.Context, same bool) (string, error) {
	depth := inventory.Depth(w.Config.Validate)
	if w.Config.Validate == proofNone {
		return "", nil
	}
	if same && w.proven != "" {
		return "the data is as in " + w.proven, nil
	}
	text, err := w.validateChanged(ctx, depth)
	damaged := (*outcome)(nil)
	switch {
	case err == nil || ctx.Err() != nil || errors.As(err, &damaged) && damaged.code == exitDamaged:
		return text, err
	}
	return "the data could not be validated: " + err.Error(), nil
}

// validateChanged validates the sources that have changed.
func (w *guarded) validateChanged(ctx context.Context, depth inventory.Depth) (string, error) {
	w.leave(ctx)               // a helper sees what was there when it began
	w.way, w.apart = nil, true // and one that looks into stores needs room for copies of them
	if err := w.lookAgain(ctx); err != nil {
		return "", err
	}
	if name := w.inBackup(ctx); name != "" {
		return "the data is as in " + name, nil
	}
	prints, err := w.prints(ctx)
	if err != nil {
		return "", err
	}
	known := w.readValidated()
	var changed []string
	some := false
	for _, src := range w.Sources {
		if src.Excluded != "" {
			continue
		}
		some = true
		was := known.Sources[src.Name]
		if print := prints[src.Name]; print == "" || print != was.Print || !covers(inventory.Depth(was.Depth), depth) {
			changed = append(changed, src.Name)
		}
	}
	switch {
	case !some:
		return "", nil
	case len(changed) == 0:
		return "the data is as it was when it was last validated", nil
	}
	report, err := w.validateSources(ctx, changed, depth)
	if err != nil {
		return "", err
	}
	w.keepValidated(known, report, changed, prints)
	if report.Status == inventory.Damaged {
		return "", &outcome{code: exitDamaged, message: "the services run, but " + verdictText(report, inventory.Damaged), hint: nextCommand(report)}
	}
	return validatedText(report, len(changed)), nil
}

// validatedText says what a look at sources came to in which no damage is.
func validatedText(r *validate.Report, sources int) string {
	text := fmt.Sprintf("%s validated (%s)", plural(int64(sources), "source", "sources"), r.Depth)
	var warnings int64
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if f.Status == inventory.Warning {
				warnings++
			}
		}
	}
	if warnings > 0 {
		text += ", " + plural(warnings, "warning", "warnings") + ": docker memsys validate has them"
	}
	if n := r.Unread(); n > 0 {
		text += fmt.Sprintf(", %s could not be looked at", plural(n, "thing", "things"))
	}
	return text
}

// validateSources looks at some sources as a backup does at what it copies.
func (w *guarded) validateSources(ctx context.Context, names []string, depth inventory.Depth) (report *validate.Report, err error) {
	all := w.Sources
	defer func() { w.Sources = all }()
	if w.Sources, err = chosenSources(all, names); err != nil {
		return nil, err
	}
	opts := validateOptions{
		depth: string(depth), checks: []string{string(inventory.Memories), string(inventory.Databases), string(inventory.Vectors)}, failOn: failOnDamaged,
	}
	o, err := opts.inspection(w.app, &w.Config, "")
	if err != nil {
		return nil, err
	}
	err = w.validateData(ctx, o, opts, func(r *validate.Report) error { report = r; return nil })
	return report, err
}

// inBackup is the backup in which the data is as it is now and in which no damage was found; empty where there is none. Where none was to be
// made, none is looked for.
func (w *guarded) inBackup(ctx context.Context) string {
	if w.opts.backup == backupNever {
		return ""
	}
	plan, err := w.planBackup(ctx, w.wish())
	if err != nil {
		return "" // what is wrong is told when the data is looked at
	}
	if why, err := plan.Changed(ctx); why != "" || err != nil {
		return ""
	}
	return w.provenIn(plan.Previous)
}

// provenIn is the name of a good backup if its data was looked at as closely as wanted, and is in order.
func (w *guarded) provenIn(b *store.Backup) string {
	if b != nil && proves(b, inventory.Depth(w.Config.Validate)) {
		return b.Name
	}
	return ""
}

func proves(b *store.Backup, depth inventory.Depth) bool {
	v := b.Validation
	return v != nil && v.Status != inventory.Damaged && v.Status != inventory.Unchecked && covers(v.Depth, depth)
}

// prints tell the state of each source from any other: names, sizes, times, owners, modes. Those that cannot be looked at from here have none.
func (w *guarded) prints(ctx context.Context) (map[string]string, error) {
	prints := map[string]string{}
	f, err := w.reach(ctx, reads)
	if err != nil || f != nil {
		return prints, err
	}
	var places []backup.Place
	for _, src := range w.Sources {
		if src.Excluded != "" {
			continue
		}
		path, err := w.place(ctx, src)
		if err == nil {
			path, err = backup.Reach(path)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err == nil {
			places = append(places, backup.Place{Name: src.Name, Path: path})
		}
	}
	x := w.leftOut()
	rules, err := x.Rules(places)
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		print, err := w.print(ctx, p.Path, x.Skip(rules, p))
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err == nil { // what cannot be read is told when it is looked at
			prints[p.Name] = print
		}
	}
	return prints, nil
}

// print is the digest of the names and attributes in a source, and of the settings that say how it is looked at.
func (w *guarded) print(ctx context.Context, root string, skip func(*tree.Entry) string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %q %d\n", buildVersion().Version, w.Config.Schema, w.Config.Vectors.Raw, w.Config.Vectors.Dimension)
	err := tree.Walk(ctx, root, tree.WalkOptions{Skip: skip, Bare: true}, func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
		_, err := fmt.Fprintf(sum, "%q %s %o %d %d %d %d %d %d\n", e.Path, e.Kind, e.Mode, e.UID, e.GID, e.Size, e.Inode, e.ModTime.UnixNano(), e.ChangeTime.UnixNano())
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// readValidated reads what is known of the sources. What cannot be read is not known.
func (s *session) readValidated() validatedState {
	var known validatedState
	data, err := os.ReadFile(filepath.Join(s.state.Dir(), validatedFile))
	if err != nil || json.Unmarshal(data, &known) != nil || known.Version != 1 {
		return validatedState{}
	}
	return known
}

// keepValidated notes the state of the sources that are in order. That it cannot be noted costs the next command some time, no more.
func (w *guarded) keepValidated(known validatedState, r *validate.Report, names []string, prints map[string]string) {
	bad := map[string]bool{}
	for _, res := range r.Results {
		for _, f := range res.Findings {
			if f.Status == inventory.Damaged || f.Status == inventory.Unchecked {
				bad[f.Source], bad[res.Source] = true, true
			}
		}
	}
	out := validatedState{Version: 1, Sources: map[string]validatedSource{}}
	for _, src := range w.Sources { // those that the project no longer has are forgotten
		was, had := known.Sources[src.Name]
		switch {
		case !slices.Contains(names, src.Name) && had:
			out.Sources[src.Name] = was
		case slices.Contains(names, src.Name) && !bad[src.Name] && prints[src.Name] != "":
			out.Sources[src.Name] = validatedSource{Depth: string(r.Depth), Print: prints[src.Name], Time: r.Began.UTC()}
		}
	}
	data, err := json.Marshal(out)
	if err == nil {
		err = durable.WriteFile(filepath.Join(w.state.Dir(), validatedFile), data, fs.FileMode(0o600))
	}
	if err != nil {
		w.warn("validate", "what was validated could not be noted: "+err.Error())
	}
}
