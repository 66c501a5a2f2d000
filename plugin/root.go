package plugin

import (
	"context"
	"io"

	cliplugin "github.com/docker/cli/cli-plugins/plugin"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/progress"
)

// short says what the plugin is, in docker's list of commands too.
const short = "Back up, verify and restore the data of a Compose project"

// The groups of commands in the help.
const (
	groupData    = "data"
	groupProject = "project"
	groupCompose = "compose"
	groupOther   = "other"
)

// app is one run of the command line.
type app struct {
	world        *world
	flags        rootFlags
	out          *result
	err          io.Writer
	interruption interruption
	display      *display.Display
	connected    *connection
	provider     *provider           // where docker compose has called us
	standalone   *compose.Standalone // run instead of docker compose
	run          string              // in the environment of a docker compose that this run starts, see runVariable
	invoked      map[string]any      // arguments and flags, for the audit log
	missed       error               // what a run that did its work could not do: write the audit log, remove a file
	// initDocker readies Docker's configuration for a command; nil outside the plugin framework.
	initDocker func(cmd *cobra.Command, args []string) error
}

// rootFlags are the flags that every command takes, before its verb or behind it.
type rootFlags struct {
	files      []string
	project    string
	projectDir string
	profiles   []string
	envFiles   []string
	progress   string
	// compose are Compose's own flags that mean nothing to us, as they were given.
	compose composeGlobals
}

// newApp is a run in the world w.
func newApp(w *world) *app {
	a := &app{world: w}
	a.out = &result{app: a, to: &pipe{to: w.Out, broken: a.interruption.broken}}
	a.err = &pipe{to: w.Err, broken: a.interruption.broken}
	return a
}

// Command is the whole command tree, for the generator of the reference.
func Command() *cobra.Command { return newApp(newWorld(nil)).root() }

// root builds the command tree.
func (a *app) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Long:  longHelp,
		Example: examples("docker memsys sources", "docker memsys backup", "docker memsys list",
			"docker memsys restore latest", "docker memsys -f compose.yaml -p notes verify --all"),
		Args:              cobra.ArbitraryArgs,
		RunE:              a.unknownCommand,
		PersistentPreRunE: a.prepare,
		SilenceUsage:      true,
		SilenceErrors:     true,
		TraverseChildren:  true,
		// Words this near to a command are taken for it in the hint.
		SuggestionsMinimumDistance: 2,
	}
	a.installFlags(cmd)
	cmd.SetFlagErrorFunc(flagError)
	cmd.AddGroup(&cobra.Group{ID: groupData, Title: "Backups:"}, &cobra.Group{ID: groupCompose, Title: "Docker Compose, with the data guarded:"},
		&cobra.Group{ID: groupProject, Title: "The project:"}, &cobra.Group{ID: groupOther, Title: "Other commands:"})
	for _, build := range a.commands() {
		sub := build()
		sub.DisableFlagsInUseLine = true
		cmd.AddCommand(sub)
	}
	useHelpTemplate(cmd)
	return cmd
}

// commands are the constructors of all commands, in the order of the help.
func (a *app) commands() []func() *cobra.Command {
	return []func() *cobra.Command{
		a.backupCommand, a.restoreCommand, a.asideCommand, a.recoverCommand, a.rescueCommand, a.importCommand, a.exportCommand, a.listCommand, a.inspectCommand, a.diffCommand, a.verifyCommand, a.validateCommand, a.auditCommand,
		a.upCommand, a.downCommand, a.pullCommand, a.stopCommand, a.restartCommand, a.providerCommand,
		a.initCommand, a.sourcesCommand, a.configCommand,
		a.versionCommand, a.helpCommand, a.hintCommand,
	}
}

// installFlags adds the flags that every command takes, and those of Compose that stand before its verb.
func (a *app) installFlags(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	a.flags.installProject(flags)
	flags.StringVar(&a.flags.progress, "progress", string(display.Auto), "How progress is shown on standard error: "+display.Modes())
	cmd.Flags().AddFlagSet(flags)
	a.flags.compose.install(cmd.Flags())
	completeRootFlags(cmd)
}

// installProject adds the flags that say which project it is.
func (f *rootFlags) installProject(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.files, "file", "f", nil, "Compose configuration files")
	flags.StringVarP(&f.project, "project-name", "p", "", "Project name")
	flags.StringVar(&f.projectDir, "project-directory", "", "Working directory of the project (default: the folder of the first Compose file)")
	flags.StringArrayVar(&f.profiles, "profile", nil, "Profile to enable")
	flags.StringArrayVar(&f.envFiles, "env-file", nil, "Environment file")
}

// prepare runs before every command: it readies the context that ends with a signal, Docker's configuration and the display.
func (a *app) prepare(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	cmd.SetContext(a.interruption.watch(ctx))
	a.invoked = invocation(cmd, args)
	if a.initDocker != nil {
		if err := a.initDocker(cmd, args); err != nil {
			return err
		}
		a.interruption.ctx = cmd.Context()
	}
	return a.openDisplay()
}

// frameworkInit is the plugin framework's own preparation: it reads Docker's configuration, dials nothing, and ends the
// command's context when the docker command closes its socket.
func frameworkInit(cmd *cobra.Command, args []string) error {
	return cliplugin.PersistentPreRunE(cmd, args)
}

// openDisplay starts showing progress.
func (a *app) openDisplay() error {
	mode, err := display.ParseMode(a.flags.progress)
	if err != nil {
		return usagef("%v", err)
	}
	out := a.err
	if a.provider != nil {
		mode, out = display.Messages, a.provider.messages
	}
	a.display = display.New(display.Options{
		Mode: mode, Out: out, Terminal: a.world.Err.Terminal, Width: a.world.Width,
		NoColor: a.env("NO_COLOR") != "", Now: a.world.Now,
	})
	return nil
}

// closeDisplay shows what is left to show.
func (a *app) closeDisplay() {
	if a.display != nil {
		a.display.Close()
	}
}

// pauseDisplay shows what is left to show and opens a new display, so that a question stands below it.
func (a *app) pauseDisplay() {
	a.closeDisplay()
	_ = a.openDisplay()
}

// sink takes the events of operations and gives them to the display of the moment.
func (a *app) sink() progress.Sink {
	return progress.Func(func(e progress.Event) {
		if a.display != nil {
			a.display.Report(e)
		}
	})
}
