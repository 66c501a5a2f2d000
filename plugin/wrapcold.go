package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/restore"
)

// Commands that delete data: what a service writes after the copy was made and before its volume goes would be lost. So the services that
// go are stopped first, the data is backed up and verified while nobody can write, and docker compose gets them stopped. The order in the
// journal is what recovery goes by:
//
//	quiesce.hold      the services that are stopped: whoever finds this starts them again
//	backup-…          the archive
//	wrap.compose      the process of docker compose, which waits at a gate
//	quiesce.handed    the services are docker compose's: nobody starts what it removes
//	quiesce.released  what it has left as it was runs again

// stepCompose carries the process that docker compose runs in, before it does anything.
const stepCompose = "wrap.compose"

// cold is what a deleting command holds.
type cold struct {
	held *quiesce.Held
	// hooks are those of the backup; what comes after it runs once the services are back.
	hooks hooks.Plan
}

// deletes tells whether the command can delete data: volumes go, or new ones take their place.
func (w *guarded) deletes() bool {
	switch c := w.command; c.verb {
	case "down":
		return c.on("volumes")
	case "up":
		return c.on("renew-anon-volumes") || c.on("yes") || slices.Contains(w.opts.force, string(guard.VolumeConfig)) || w.replaces
	}
	return false
}

// holdAndBackUp stops the services that go, and makes a backup of all data then. Where that does not succeed they run again, and the
// command must not.
func (w *guarded) holdAndBackUp(ctx context.Context) error {
	if w.opts.backup == backupNever {
		return nil
	}
	if err := errors.Join(w.refuseUnknown(), w.lookAgain(ctx)); err != nil {
		return err
	}
	if there, err := w.thereIsData(ctx); err != nil || !there {
		return err
	}
	if err := errors.Join(w.refusePaused(), w.refuseUnlisted(ctx), w.refuseMissing(ctx)); err != nil {
		return w.withoutData(ctx, err) // a helper sees only now that there is none
	}
	if err := w.ensureStore(ctx); err != nil {
		return w.notBackedUp(err)
	}
	if err := restore.Writable(w.Store.Path); err != nil {
		return w.notBackedUp(fmt.Errorf("write to backups directory %s: %w", w.Store.Path, err))
	}
	w.cold = &cold{held: &quiesce.Held{}, hooks: w.backupHooks(nil, w.opts.noHooks)}
	before, err := w.hookRunner(hooks.Backup).Before(ctx, w.cold.hooks)
	if err != nil {
		return errors.Join(hooksRefused(err), w.putBack(ctx))
	}
	if err := w.coldBackup(ctx, before); err != nil {
		return errors.Join(err, w.putBack(ctx))
	}
	return nil
}

// coldBackup makes a backup with the services stopped that go.
func (w *guarded) coldBackup(ctx context.Context, before []hooks.Outcome) (err error) {
	plan := quiesce.Arrange(quiesce.Request{Mode: quiesce.Stop, Containers: w.Containers, Writes: w.goes})
	if len(plan.Items) > 0 {
		w.say("stop", "services are stopped before their data is deleted: "+labels(plan.Items))
	}
	q := w.quiescer()
	q.Grace = w.grace()
	held, err := q.Hold(ctx, plan)
	if err != nil {
		return fmt.Errorf("stop services before docker compose %s: %w", w.command.verb, err)
	}
	w.cold.held = held
	if err := w.lookAgain(ctx); err != nil {
		return err
	}
	w.say("backup", "its data is backed up while nobody writes")
	wish := w.wish()
	wish.problems, wish.warnings = hookProblems(before)
	res, err := w.makeBackup(ctx, wish)
	if err != nil {
		return w.notBackedUp(err)
	}
	if !res.Backup.Good() {
		return w.notGood(res)
	}
	w.say("backup", res.Name+", verified")
	w.expireAside(ctx, res.Backup.Created)
	return nil
}

// notGood refuses to delete what no good backup holds.
func (w *guarded) notGood(res *backup.Result) error {
	why := "is not complete"
	if res.Complete {
		why = "holds damaged data"
	}
	return &outcome{
		code:    exitFailed,
		message: fmt.Sprintf("%s %s; docker compose %s was not run, the services run as before", res.Name, why, w.command.verb),
		hint:    "docker memsys inspect " + res.Name + " says what is wrong; to delete the data without a backup: --backup never",
	}
}

// thereIsData tells whether there is anything that a backup can hold. Volumes that are there and cannot be read are refused.
func (w *guarded) thereIsData(ctx context.Context) (bool, error) {
	err := w.checkBackup(ctx, nil)
	if !errors.Is(err, backup.ErrNothing) {
		return err == nil, err
	}
	if w.hasVolumes(ctx) {
		return false, err
	}
	return false, nil
}

// ensureStore makes the backups directory. A helper sees what was there when it began: the next one sees it.
func (s *session) ensureStore(ctx context.Context) error {
	if _, err := os.Stat(s.Store.Path); err != nil {
		s.leave(ctx)
	}
	return s.Store.Ensure()
}

// hasVolumes tells whether the engine has volumes of the project that a backup would hold.
func (w *guarded) hasVolumes(ctx context.Context) bool {
	return slices.ContainsFunc(w.Sources, func(src compose.Source) bool {
		if src.Excluded != "" || src.Volume == nil || src.Volume.Name == "" || src.Volume.External {
			return false
		}
		_, gone := w.Engine.Volume(ctx, src.Volume.Name)
		return !errors.Is(gone, engine.ErrNotFound)
	})
}

// refusePaused refuses where a service that goes is paused: docker compose would let it go on to stop it, and what it writes then is in no
// backup.
func (w *guarded) refusePaused() error {
	var names []string
	for _, c := range w.Containers {
		if c.State == engine.Paused && w.goes(c) {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &outcome{
		code:    exitFailed,
		message: fmt.Sprintf("%s: paused, and would write once more before docker compose %s deletes the data; nothing was changed", strings.Join(names, ", "), w.command.verb),
		hint:    "docker unpause, or docker stop",
	}
}

// refuseMissing refuses, before anything is stopped, where the backup could not be complete or has no room.
func (w *guarded) refuseMissing(ctx context.Context) error {
	plan, err := w.planBackup(ctx, w.wish())
	if err != nil {
		return w.notBackedUp(err)
	}
	for _, src := range plan.Sources {
		if src.Missing == "" {
			continue
		}
		return &outcome{
			code:    exitFailed,
			message: fmt.Sprintf("source %s cannot be backed up: %s; docker compose %s was not run, nothing was changed", src.Name, src.Missing, w.command.verb),
			hint:    "docker memsys sources; to delete the data without a backup: --backup never",
		}
	}
	return nil
}

// goes tells whether the command stops or replaces a container.
func (w *guarded) goes(c engine.Container) bool {
	if c.Project != w.Name {
		return false
	}
	if w.byName() && w.goesByName(c) {
		return true
	}
	all := w.Project.Services()
	i := slices.IndexFunc(all, func(s compose.Service) bool { return s.Name == c.Service })
	if w.command.verb == "down" && (c.OneOff || i < 0) {
		return w.removesOrphans()
	}
	named := slices.DeleteFunc(slices.Clone(w.command.words), func(word string) bool {
		return !slices.ContainsFunc(all, func(s compose.Service) bool { return s.Name == word })
	})
	switch {
	case c.OneOff || i < 0:
		return false
	case len(named) == 0:
		return all[i].Enabled // docker compose leaves those of other profiles alone
	}
	return slices.Contains(w.withOthers(all, named), c.Service)
}

// byName tells that docker compose knows the project by its name alone: given a name and no file, down reads none. It removes all containers and
// volumes then that bear the name, whatever the file in this folder says.
func (w *guarded) byName() bool {
	return w.command.verb == "down" && w.app.flags.project != "" && len(w.app.flags.files) == 0 && !w.app.usesFirst()
}

// goesByName is what goes tells where the project is known by its name.
func (w *guarded) goesByName(c engine.Container) bool {
	if c.OneOff {
		return w.removesOrphans()
	}
	return len(w.command.words) == 0 || slices.Contains(w.command.words, c.Service)
}

// refuseUnlisted refuses where volumes go that no service has, by the file or by its containers: no backup holds them.
func (w *guarded) refuseUnlisted(ctx context.Context) error {
	if !w.byName() {
		return nil
	}
	volumes, err := w.Engine.Volumes(ctx, engine.ProjectLabel, w.Name)
	if err != nil {
		return err
	}
	var names []string
	for _, v := range volumes {
		if !slices.ContainsFunc(w.Sources, func(src compose.Source) bool { return src.Volume != nil && src.Volume.Name == v.Name }) {
			names = append(names, v.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &outcome{
		code: exitFailed,
		message: fmt.Sprintf("docker compose down --volumes of a project by its name deletes volumes that no service mounts, and that no backup holds: %s; nothing was changed",
			strings.Join(names, ", ")),
		hint: "name the compose file too (-f), and docker compose leaves them; to delete the data without a backup: --backup never",
	}
}

// removesOrphans tells whether containers go that are of no service of the project: by the flag, or by Compose's variable.
func (w *guarded) removesOrphans() bool {
	if f := w.command.flags.Lookup("remove-orphans"); f != nil && f.Changed {
		return w.command.on("remove-orphans")
	}
	return slices.Contains([]string{"1", "t", "true", "y"}, strings.ToLower(w.app.env("COMPOSE_REMOVE_ORPHANS")))
}

// withOthers are services and those that go with them: for down what depends on them; for up what they depend on. Others that use a volume of
// theirs stay: as long as they have it, nobody deletes it.
func (w *guarded) withOthers(all []compose.Service, named []string) []string {
	out := slices.Clone(named)
	add := func(names ...string) {
		for _, name := range names {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	for i := 0; i < len(out); i++ {
		for _, s := range all {
			switch {
			case w.command.verb == "down" && slices.Contains(s.DependsOn, out[i]):
				add(s.Name)
			case w.command.verb == "up" && s.Name == out[i] && !w.command.on("no-deps"):
				add(s.DependsOn...)
			}
		}
	}
	return out
}

// grace is how long services have to stop, as docker compose was told; 0 where it was not.
func (w *guarded) grace() time.Duration {
	f := w.command.flags.Lookup("timeout")
	if f == nil || !f.Changed {
		return 0
	}
	seconds, err := strconv.Atoi(f.Value.String())
	if err != nil {
		return 0
	}
	return time.Duration(max(seconds, 0)) * time.Second
}

// putBack lets the services go that were stopped, and runs what their hooks owe.
func (w *guarded) putBack(ctx context.Context) error {
	if w.cold == nil {
		return nil
	}
	err := w.cold.held.Release(ctx)
	owed := w.hooksAfterBackup(ctx, w.cold.hooks)
	w.cold = nil
	return errors.Join(err, owed)
}

// run runs docker compose. What is held is handed over to it, and what it leaves as it was runs again.
func (w *guarded) run(ctx context.Context) error {
	if w.cold == nil {
		return w.app.runCompose(ctx, w.command.line(), nil)
	}
	w.leave(ctx) // a helper uses the volumes: they could not be removed
	handed := false
	err := w.app.runCompose(ctx, w.command.line(), func(pid int, open func() error) error {
		if err := w.handOver(ctx, pid); err != nil {
			return err
		}
		handed = true
		return open()
	})
	if !handed {
		return errors.Join(w.notRun(err), w.putBack(ctx))
	}
	taking := takingOf(w.command.verb)
	if err == nil {
		taking = quiesce.Each // it has removed all that it was to
	}
	back, failed := w.cold.held.TakeBack(ctx, taking)
	w.tellBack(back, err)
	owed := w.hooksAfterBackup(ctx, w.cold.hooks)
	w.cold = nil
	return errors.Join(err, failed, owed)
}

// notRun says that docker compose was not run, and why.
func (w *guarded) notRun(err error) error {
	return fmt.Errorf("docker compose %s was not run: %w", w.command.verb, err)
}

// handOver puts on record that the process is docker compose's, and that the services are. It fails where one runs that goes, under whatever id:
// somebody else has started it or put it anew, and what it has written since is in no backup.
func (w *guarded) handOver(ctx context.Context, pid int) error {
	now, err := w.containers(ctx)
	if err != nil {
		return err
	}
	for _, c := range now {
		if runs(c) && w.goes(c) {
			return fmt.Errorf("hand over %s: it is %s, not stopped: somebody else has started it", cmp.Or(c.Service, c.Name), c.State)
		}
	}
	child := journal.Child("docker compose "+w.command.verb, pid, w.app.world.Now())
	if err := w.journal.Step(stepCompose, child); err != nil {
		return err
	}
	return w.cold.held.HandOver(ctx)
}

// takingOf is what to do with services that a command has left stopped: who has begun to remove them was to remove all.
func takingOf(verb string) quiesce.Taking {
	if verb == "down" {
		return quiesce.AllOrNone
	}
	return quiesce.Each
}

// tellBack says what became of services that docker compose has not dealt with.
func (w *guarded) tellBack(back quiesce.Back, err error) {
	if len(back.Left) > 0 {
		w.app.sink().Report(progress.Event{Step: w.command.verb, Status: progress.Warning, Text: leftText(w.command.verb, back)})
	}
	if err != nil && len(back.Started) > 0 {
		w.say(w.command.verb, "docker compose has failed; services run as before: "+labels(back.Started))
	}
}

// leftText says that docker compose has removed services, and left others stopped.
func leftText(verb string, back quiesce.Back) string {
	return fmt.Sprintf("docker compose %s has removed %s and left %s stopped: docker memsys %s goes on with it, docker memsys up starts them",
		verb, labels(back.Gone), labels(back.Left), verb)
}

// labels are the names of items, each once.
func labels(items []quiesce.Item) string {
	var names []string
	for _, it := range items {
		if name := it.Label(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
