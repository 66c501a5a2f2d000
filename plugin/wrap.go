package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/progress"
)

// When a wrapped command makes a backup.
const (
	backupAuto   = "auto"
	backupAlways = "always"
	backupNever  = "never"
)

// wrapOptions are our own flags of the commands that we wrap.
type wrapOptions struct {
	lockOptions
	backup  string
	force   []string
	noHooks bool
	ready   readyOptions
}

// check refuses values that mean nothing.
func (o wrapOptions) check() error {
	if !slices.Contains([]string{backupAuto, backupAlways, backupNever}, o.backup) {
		return usagef("--backup %s means nothing: use auto, always or never", o.backup)
	}
	if o.wait < 0 {
		return usagef("--lock-wait: must not be negative, got %s", o.wait)
	}
	return errors.Join(o.checkForce(), o.ready.check())
}

// guarded is a docker compose command with what we do around it.
type guarded struct {
	*session
	command *composeCommand
	opts    wrapOptions
	hooked
	// inside tells that docker compose runs already and has called us as a provider: its command line may not be known, nobody can be
	// asked, and nothing may be done that it does itself, such as to stop services.
	inside bool
	// replaces tells that the setting force passes a volume that docker compose would make anew.
	replaces bool
	// pulled are the services that a pull is about, kept their images before it.
	pulled []compose.Service
	kept   []keptImage
	// proven is the good backup in which the data was found as it is before the command; empty where none was found.
	proven string
	// risen is what became of the services; nil where they were not waited for.
	risen *risen
	// cold is what a command that deletes data holds; nil where it holds nothing.
	cold *cold
}

func (a *app) upCommand() *cobra.Command {
	return a.wrapCommand("up", "Create and start the project's containers, its data backed up before and validated after", `Run docker compose up: its flags, its output, its exit code. Before it, the data is
backed up if it has changed since the last good backup; where volumes may be replaced
(-V, -y) the services that use them are stopped first, and the backup is made and
verified while nobody writes. After it, the services are
waited for: each must be healthy and run for a while without a restart, or have
ended well; their health addresses and Chroma servers must answer; then the data is
validated, as far as it has changed since it was last found to be in order. Ends with
1 where a service is not ready, with 4 where data is damaged.`,
		"docker memsys up -d", "docker memsys up -d --backup never", "docker memsys -f compose.yaml up --build memory-system")
}

// wrapCommand is a command that hands everything but our own flags to docker compose.
func (a *app) wrapCommand(verb, short, long string, lines ...string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   verb + " [OPTIONS] [COMPOSE OPTIONS] [SERVICE...]",
		Short: short,
		Long: long + `

Every flag of docker compose ` + verb + ` is passed on as it is; docker compose ` + verb + ` --help lists them.`,
		Example:            examples(lines...),
		GroupID:            groupCompose,
		DisableFlagParsing: true,
		ValidArgsFunction:  a.completeServices,
	}
	var opts wrapOptions
	own := wrapFlags(&opts)
	if bringsUp(verb) {
		readyFlags(own, &opts.ready)
	}
	cmd.Flags().AddFlagSet(own)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := parseComposeCommand(verb, args, own)
		if err != nil {
			return flagError(cmd, err)
		}
		if c.on("help") {
			return cmd.Help()
		}
		if err := opts.check(); err != nil {
			return err
		}
		c.globals = a.composeGlobals(cmd.Flag("progress").Changed)
		return a.wrap(cmd.Context(), c, opts)
	}
	return cmd
}

func (a *app) downCommand() *cobra.Command {
	return a.wrapCommand("down", "Stop and remove the project's containers, its data backed up before", `Run docker compose down: its flags, its output, its exit code. Before it, the data is
backed up if it has changed since the last good backup. Where volumes are deleted (-v)
the services are stopped first, and the backup is made and verified while nobody
writes; without a good backup docker compose is not run and the services run again.
After a down without -v one line says that the data is still there.`,
		"docker memsys down", "docker memsys down -v", "docker memsys down --backup always")
}

func (a *app) pullCommand() *cobra.Command {
	return a.wrapCommand("pull", "Pull the images of the project's services", `Run docker compose pull: its flags, its output, its exit code. After it: which images
have changed. Those that were replaced keep a name, memsys/keep:PROJECT-SERVICE-TIME,
so that no prune takes them.`,
		"docker memsys pull", "docker memsys pull memory-system")
}

func (a *app) stopCommand() *cobra.Command {
	return a.wrapCommand("stop", "Stop the project's services", `Run docker compose stop: its flags, its output, its exit code.`,
		"docker memsys stop", "docker memsys stop -t 30 memory-system")
}

func (a *app) restartCommand() *cobra.Command {
	return a.wrapCommand("restart", "Restart the project's services, its data backed up before and validated after", `Run docker compose restart: its flags, its output, its exit code. Before it, the data is
backed up if it has changed since the last good backup. After it, the services are
waited for and the data is validated, as after docker memsys up.`,
		"docker memsys restart", "docker memsys restart chroma")
}

func wrapFlags(o *wrapOptions) *pflag.FlagSet {
	own := pflag.NewFlagSet("docker memsys", pflag.ContinueOnError)
	own.StringVar(&o.backup, "backup", backupAuto, "Back up before: auto (if the data has changed since the last good backup), always, never")
	own.StringArrayVar(&o.force, "force", nil, "Pass this guard although data would be lost: "+strings.Join(guard.Names(), ", ")+"; may be repeated")
	own.BoolVar(&o.noHooks, "no-hooks", false, "Run no commands of x-memsys")
	own.DurationVar(&o.wait, "lock-wait", 0, "How long to wait for another run of this project to end, such as 30s or 10m (default: not at all)")
	return own
}

// composeGlobals are Compose's own flags as they stood before the verb.
func (a *app) composeGlobals(progress bool) []string {
	var out []string
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				out = append(out, flag, v)
			}
		}
	}
	add("--file", a.flags.files...)
	add("--project-name", a.flags.project)
	add("--project-directory", a.flags.projectDir)
	add("--profile", a.flags.profiles...)
	add("--env-file", a.flags.envFiles...)
	if progress {
		add("--progress", a.flags.progress)
	}
	return append(out, a.flags.compose.args()...)
}

// wrap runs a docker compose command with what comes before and after it.
func (a *app) wrap(ctx context.Context, c *composeCommand, opts wrapOptions) error {
	again, err := a.keepStdin()
	if err != nil {
		return err
	}
	a.findCompose(ctx)
	if a.usesFirst() {
		c.globals = a.firstGlobals(nil)
	}
	s, err := a.openSession(ctx, compose.Overrides{})
	again()
	if err != nil {
		return a.composeSays(ctx, c, err)
	}
	if a.usesFirst() {
		c.globals = a.firstGlobals(s.project)
	}
	if err := errors.Join(a.refuseForFirst(c), a.enterRun(s.Name)); err != nil {
		return err
	}
	w := &guarded{session: s, command: c, opts: opts}
	switch {
	case !s.reachable(): // Compose will say so
		err := a.runCompose(ctx, c.line(), nil)
		s.onFailure(ctx, hooks.Operation(c.verb), c, opts.noHooks, err)
		return err
	case c.on("dry-run") || a.flags.compose.dryRun:
		defer s.leave(ctx)
		a.noticeInterrupted(s.project)
		if err := w.planBefore(ctx); err != nil {
			return err
		}
		return a.runCompose(ctx, c.line(), nil)
	}
	err = w.carryOut(ctx)
	s.onFailure(ctx, hooks.Operation(c.verb), c, opts.noHooks, err)
	return err
}

// carryOut runs the command with what comes before and after it.
func (w *guarded) carryOut(ctx context.Context) error {
	locked, err := w.begin(ctx, w.command.verb, w.opts.lockOptions, map[string]any{"line": w.command.args})
	if err != nil {
		return w.notBegun(err)
	}
	err = w.before(locked)
	switch {
	case err != nil:
		err = errors.Join(err, w.putBack(locked)) // a step behind the one that held may have failed
		err = w.hooksAfter(locked, err)
	case !w.command.attached():
		err = w.after(locked, w.run(locked))
		err = errors.Join(err, w.putBack(locked))
	default:
		return w.carryOutAttached(ctx, locked)
	}
	return errors.Join(err, w.end(locked, err))
}

// carryOutAttached runs an up that stays in the terminal: as long as somebody watches it, and backups must go on meanwhile. ctx is the
// run's, locked that of the lock.
func (w *guarded) carryOutAttached(ctx, locked context.Context) (err error) {
	b := &besider{w: w}
	if w.cold != nil {
		err = w.runAttached(ctx, locked, b)
	} else {
		if err := w.end(locked, nil); err != nil {
			return err
		}
		b.start(ctx)
		err = w.app.runCompose(ctx, w.command.line(), nil, b.stop)
	}
	w.journal, w.app.run = nil, "" // the lock is given back
	return w.hooksAfter(ctx, b.conclude(ctx, err))
}

// keepStdin keeps a project that is read from standard input for the second one who reads it. again begins it anew.
func (a *app) keepStdin() (again func(), err error) {
	if !slices.Contains(a.flags.files, "-") {
		return func() {}, nil
	}
	project, err := io.ReadAll(a.world.In.Reader)
	if err != nil {
		return nil, fmt.Errorf("read the project from standard input: %w", err)
	}
	again = func() { a.world.In.Reader = bytes.NewReader(project) }
	again()
	return again, nil
}

// composeSays lets docker compose say in its own words, with its own exit code, what is wrong with a project that we could not load; what
// it finds nothing wrong with is our error.
func (a *app) composeSays(ctx context.Context, c *composeCommand, err error) error {
	if errors.As(err, new(*usageError)) {
		return err
	}
	r := a.runner()
	r.Stdout = io.Discard
	line := slices.Concat(c.globals, []string{"config", "--quiet"})
	if said := r.Run(ctx, line...); said != nil {
		return said
	}
	return err
}

// runCompose gives the terminal to docker compose. It ends when Compose ends: however long that takes, and however often it was asked to.
// A gate, if there is one, lets it begin; ended is what is to be done before anything is shown again.
func (a *app) runCompose(ctx context.Context, line []string, gate func(pid int, open func() error) error, ended ...func()) error {
	a.closeDisplay()
	defer func() { _ = a.openDisplay() }()
	r := a.runner()
	r.Patient, r.Gate = true, gate
	err := r.Run(ctx, line...)
	for _, f := range ended {
		f()
	}
	return err
}

// needsBackup says why a backup is made before the command; empty where none is.
func (w *guarded) needsBackup(ctx context.Context) (string, error) {
	always := w.opts.backup == backupAlways
	if w.opts.backup == backupNever || !always && !slices.Contains([]string{"up", "down", "restart"}, w.command.verb) {
		return "", nil // the other commands change no data
	}
	if err := w.checkBackup(ctx, nil); err != nil {
		return "", w.withoutData(ctx, err)
	}
	if always {
		return "as asked", nil
	}
	print, err := w.printAll(ctx)
	if err != nil {
		return "", err
	}
	if b := w.sameAs(ctx, print); b != nil {
		w.proven = w.provenIn(b)
		return "", nil
	}
	plan, err := w.planBackup(ctx, w.wish())
	if err != nil {
		return "", w.withoutData(ctx, err)
	}
	why, err := plan.Changed(ctx, w.gone(ctx)...)
	if why == "" && err == nil {
		w.proven = w.provenIn(plan.Previous)
		w.keepSame(plan.Previous, print)
	}
	return why, err
}

// withoutData is nil where err is that there is nothing to back up and it may be so: no data yet, or none that this command would delete.
func (w *guarded) withoutData(ctx context.Context, err error) error {
	if !errors.Is(err, backup.ErrNothing) || !w.hasVolumes(ctx) {
		return unlessNothing(err)
	}
	if w.mayDelete() {
		return err
	}
	w.warn("backup", "no backup is made: "+strings.ReplaceAll(err.Error(), "\n", "; "))
	return nil
}

// mayDelete tells whether the command deletes data, or may do so where its flags are not seen.
func (w *guarded) mayDelete() bool {
	return w.deletes() || w.inside && w.command.verb == "down" && !w.app.provider.call.seen
}

// unlessNothing is err, but nil where it is that there is nothing to back up.
func unlessNothing(err error) error {
	if errors.Is(err, backup.ErrNothing) {
		return nil
	}
	return err
}

// planBefore says what would come before the command.
func (w *guarded) planBefore(ctx context.Context) error {
	if err := w.planGuards(ctx); err != nil {
		return err
	}
	if w.deletes() && !w.inside && w.opts.backup != backupNever {
		w.say("plan", "services would be stopped, and their data backed up and verified, before docker compose gets them")
		return nil
	}
	w.planHooks()
	why, err := w.needsBackup(ctx)
	if err != nil || why == "" {
		return err
	}
	w.say("plan", "the data would be backed up: "+why)
	return nil
}

// before does what comes before the command, in this order.
func (w *guarded) before(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		w.guards,
		w.hooksBefore,
		w.backUp,
		w.keepImages,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// after does what comes after the command, which has ended with err, in this order. Each step is told how the run stands, and says how it
// stands then.
func (w *guarded) after(ctx context.Context, err error) error {
	for _, step := range []func(context.Context, error) error{
		w.nothingGone,
		w.readiness,
		w.tellPulled,
		w.hooksAfter,
		w.pronounce,
	} {
		err = step(ctx, err)
	}
	return err
}

// backUp makes a backup where one is needed.
func (w *guarded) backUp(ctx context.Context) error {
	if w.deletes() && !w.inside {
		return w.holdAndBackUp(ctx)
	}
	why, err := w.needsBackup(ctx)
	if err != nil {
		return w.notBackedUp(err)
	}
	if why == "" {
		return nil
	}
	w.say("backup", why)
	if err := w.ensureStore(ctx); err != nil {
		return w.notBackedUp(err)
	}
	res, err := w.hookedBackup(ctx, w.wish(), w.opts.noHooks)
	if err != nil {
		if err = w.withoutData(ctx, err); err != nil {
			err = w.notBackedUp(err)
		}
		return err
	}
	w.ran = append(w.ran, res.Hooks...)
	switch b := res.Result.Backup; {
	case b.Good():
		w.say("backup", b.Name)
	case w.mayDelete() || !res.Result.Whole(w.gone(ctx)):
		why := "is not complete"
		if res.Result.Complete {
			why = "holds damaged data"
		}
		return &outcome{
			code: exitIncomplete, message: fmt.Sprintf("%s %s; docker compose %s was not run", b.Name, why, w.command.verb),
			hint: "docker memsys inspect " + b.Name + " says what is missing; without a backup: " + w.flag("backup", backupNever),
		}
	case b.Damaged(): // nothing is deleted, and what there is, is kept
		w.warn("backup", b.Name+" holds damaged data: "+damageText(res.Result.Validation))
	default:
		w.tellLess(res.Result)
	}
	return nil
}

// flag is how a person gives one of our flags here: on the command line, or as an option of the provider.
func (w *guarded) flag(name string, values ...string) string {
	if !w.inside {
		flag := "--" + name + " "
		return flag + strings.Join(values, " "+flag)
	}
	text := strings.Join(values, ", ")
	if len(values) > 1 {
		text = "[" + text + "]"
	}
	return "the option " + name + ": " + text + " of the provider"
}

// wish is what a backup before this command is asked to be.
func (w *guarded) wish() backupWish { return backupWish{reason: w.reason(), unmade: true} }

// reason is what a backup before this command keeps as its reason.
func (w *guarded) reason() string { return "before-" + w.command.verb }

// say tells one step in one line.
func (w *guarded) say(step, text string) {
	w.app.sink().Report(progress.Event{Step: step, Status: progress.Done, Text: text})
}
