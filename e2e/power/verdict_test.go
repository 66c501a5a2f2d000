//go:build e2e && linux

package power

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

const backups = "box/project/backups"

// replay lets the power fail, starts again and holds the result to what was promised. again runs a further backup and restore.
func (b *bed) replay(s *story, l loss, again bool) error {
	defer memory(b.t, b.at)()
	if err := layOut(s.after(l), b.at); err != nil {
		return fmt.Errorf("lay out the disk: %w", err)
	}
	code, output := run(b.t, nil, b.project(), b.env, "recover")
	if code != 0 {
		return fmt.Errorf("recover ends with %d: %s", code, output)
	}
	v := &verdict{bed: b, story: s, loss: l, end: s.end, known: s.whole, said: output}
	if v.known == nil {
		v.known = v.end
	}
	now, err := scan(b.at)
	if err != nil {
		return err
	}
	v.now = now
	if err := errors.Join(v.data(), v.archives(), v.latest(), v.kept(v.state()), v.forgotten(), v.leftovers()); err != nil {
		return fmt.Errorf("%w\nrecover said: %s", err, output)
	}
	if v.now.at(backups+"/audit.jsonl") != nil {
		if code, output := run(b.t, nil, b.project(), b.env, "audit", "--verify"); code != 0 {
			return fmt.Errorf("audit --verify ends with %d: %s\nrecover said: %s", code, output, v.said)
		}
	}
	if code, output := run(b.t, nil, b.project(), b.env, "recover"); code != 0 || !strings.Contains(output, "nothing was interrupted") {
		return fmt.Errorf("recover, a second time, ends with %d: %s", code, output)
	}
	if again {
		return b.goOn()
	}
	return nil
}

// goOn makes a backup and restores it.
func (b *bed) goOn() error {
	before := live(b.project())
	for _, args := range [][]string{{"backup"}, {"restore", "latest", "--yes"}} {
		if code, output := run(b.t, nil, b.project(), b.env, args...); code != 0 {
			return fmt.Errorf("%s afterwards ends with %d: %s", args[0], code, output)
		}
	}
	if now := live(b.project()); now != before {
		return fmt.Errorf("a restore afterwards changes what it restores: %s", difference(before, now))
	}
	if found, _ := filepath.Glob(filepath.Join(b.at, "box/state/projects/*/.*")); len(found) > 0 {
		return fmt.Errorf("left over: %v", found)
	}
	return nil
}

// verdict judges a disk on which recover has run.
type verdict struct {
	*bed
	story *story
	loss  loss
	end   *disk // of the story, had the power not failed
	said  string
	known *disk // with every archive that there may be
	now   *disk
}

// done tells whether the command had said that it is done.
func (v *verdict) done() bool {
	return slices.ContainsFunc(v.story.ops[:v.loss.before], func(o op) bool { return o.mark == "done" })
}

// isNew tells whether the live data is the new one.
func (v *verdict) isNew() bool { return live(v.project()) == v.story.new }

func (v *verdict) data() error {
	now := live(v.project())
	switch {
	case now == v.story.new, now == v.story.old && !v.done():
		return nil
	case now == v.story.old:
		return errors.New("the command was done, and the data is the old one")
	}
	return fmt.Errorf("the data is neither the old (%s) nor the new one (%s)", difference(v.story.old, now), difference(v.story.new, now))
}

// difference are the lines in which two texts differ.
func difference(want, got string) string {
	lines := func(text string) map[string]bool {
		out := map[string]bool{}
		for line := range strings.SplitSeq(text, "\n") {
			out[line] = true
		}
		return out
	}
	var out []string
	a, b := lines(want), lines(got)
	for line := range a {
		if !b[line] {
			out = append(out, "lacks "+line)
		}
	}
	for line := range b {
		if !a[line] {
			out = append(out, "has "+line)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// archives holds every archive to what was written, and those that were reported to being there with all that belongs to them.
func (v *verdict) archives() error {
	var errs []error
	for _, name := range v.now.names(backups) {
		path := backups + "/" + name
		switch {
		case strings.HasPrefix(name, ".") || name == "latest_backup.txt" || name == "audit.jsonl":
		case strings.HasSuffix(name, ".tar.gz"):
			want := v.known.at(path)
			if want == nil || sha256.Sum256(want.data) != sha256.Sum256(v.now.at(path).data) {
				errs = append(errs, fmt.Errorf("%s is not as it was written", name))
			}
		case v.now.at(strings.TrimSuffix(path, filepath.Ext(path))) == nil:
			errs = append(errs, fmt.Errorf("%s is there without its archive", name))
		case strings.HasSuffix(name, ".json"):
			if !json.Valid(v.now.at(path).data) {
				errs = append(errs, fmt.Errorf("%s is no JSON", name))
			}
		case v.known.at(path) == nil || string(v.known.at(path).data) != string(v.now.at(path).data):
			errs = append(errs, fmt.Errorf("%s is not as it was written", name))
		}
	}
	promised := v.story.start
	if v.done() {
		promised = v.end
	}
	for _, name := range promised.names(backups) {
		if v.now.at(backups+"/"+name) == nil && !strings.HasPrefix(name, ".") {
			errs = append(errs, fmt.Errorf("%s, which was reported, is gone", name))
		}
	}
	return errors.Join(errs...)
}

// kept holds what a command that was done has noted in the state folder, such as what an undo needs, to being there.
func (v *verdict) kept(path string) error {
	n := v.end.at(path)
	if !v.done() || n == nil {
		return nil
	}
	if !n.isDir() {
		if now := v.now.at(path); now == nil || string(now.data) != string(n.data) {
			return fmt.Errorf("%s is gone, or not as it was written", path)
		}
		return nil
	}
	var errs []error
	for name := range n.entries {
		if name != "lock" && name != "journal" && !strings.HasPrefix(name, ".") {
			errs = append(errs, v.kept(path+"/"+name))
		}
	}
	return errors.Join(errs...)
}

// forgotten holds a command that was done to what it took off the record: no restore that did not count can be undone.
func (v *verdict) forgotten() error {
	folder := v.state() + "/restores"
	for _, name := range v.now.names(folder) {
		if v.done() && !strings.HasPrefix(name, ".") && v.end.at(folder+"/"+name) == nil {
			return fmt.Errorf("%s/%s is there again", folder, name)
		}
	}
	return nil
}

// latest holds latest_backup.txt to an archive that counts.
func (v *verdict) latest() error {
	const path = backups + "/latest_backup.txt"
	n := v.now.at(path)
	if n == nil {
		return nil // archives sees to it that a reported one is there
	}
	name := filepath.Base(strings.TrimSpace(string(n.data)))
	if v.now.at(backups+"/"+name) == nil || v.now.at(backups+"/"+name+".sha256") == nil {
		return fmt.Errorf("latest_backup.txt says %q", n.data)
	}
	if v.done() && string(n.data) != string(v.end.at(path).data) {
		return fmt.Errorf("latest_backup.txt says %q after a backup that was reported", n.data)
	}
	return nil
}

// state is the folder of the project in the state folder.
func (v *verdict) state() string {
	const projects = "box/state/projects"
	for _, name := range v.now.names(projects) {
		return projects + "/" + name
	}
	return projects
}

// leftovers finds temporary files and stagings that are neither of the state before the command nor of the one after it.
func (v *verdict) leftovers() error {
	var found []string
	allowed := v.story.start
	if v.isNew() && v.story.new != v.story.old {
		allowed = v.end
	}
	for _, folder := range []string{backups, "box/project", "box/project/data", "box/project/data/memory", "box/project/data/index", "box/project/data/memory/daily", v.state()} {
		for _, name := range v.now.names(folder) {
			if strings.HasPrefix(name, ".") && name != ".memsys.lock" && name != ".journal.tmp" && allowed.at(folder+"/"+name) == nil {
				found = append(found, folder+"/"+name)
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return fmt.Errorf("left over: %s", strings.Join(found, ", "))
}
