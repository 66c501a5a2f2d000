package plugin

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/cli/cli-plugins/metadata"
	"github.com/spf13/pflag"
)

// composeWord is what docker compose puts before the commands that it gives to a provider; docker itself has it before Compose's own.
const composeWord = "compose"

// runVariable names the run of docker memsys that has started a docker compose: the project, a slash, an id.
const runVariable = "MEMSYS_RUN"

// composeCall is the docker compose that has called this process as a provider, as far as the system shows its command line.
type composeCall struct {
	// seen tells that its command line is known; the rest is empty where it is not.
	seen bool
	// globals are Docker's own flags before "compose".
	globals []string
	flags   rootFlags
	command *composeCommand
}

// dryRun tells that nothing may be changed.
func (c *composeCall) dryRun() bool {
	return c.seen && (c.flags.compose.dryRun || c.command.on("dry-run"))
}

// commandFor is the command line of Compose where it is about the verb that the provider is called for, else the verb alone: a "run" or a
// "create" calls providers with "up" too.
func (c *composeCall) commandFor(verb string) *composeCommand {
	if c.seen && c.command.verb == verb {
		return c.command
	}
	return &composeCommand{verb: verb, flags: composeFlags(verb)}
}

// calledByCompose tells whether the arguments behind Docker's flags are those that docker compose gives to a provider. It takes the
// mark of plugins out of the environment: a person who types docker memsys compose is somebody else.
func calledByCompose(args []string) bool {
	return len(args) > 1 && args[0] == composeWord && os.Getenv(metadata.ReexecEnvvar) == ""
}

// parseComposeCall reads the command line of a process: "docker-compose compose -f FILE up -d", as docker starts the plugin, or
// "docker-compose -f FILE up -d". One of another program is not seen.
func parseComposeCall(argv []string) *composeCall {
	if len(argv) == 0 || !strings.HasPrefix(filepath.Base(argv[0]), "docker-compose") {
		return &composeCall{}
	}
	c := &composeCall{}
	docker, _ := globalFlags()
	own := pflag.NewFlagSet("docker compose", pflag.ContinueOnError)
	c.flags.installProject(own)
	c.flags.compose.install(own)
	own.String("progress", "", "")
	own.String("workdir", "", "") // its former name
	args, named := argv[1:], false
	for len(args) > 0 {
		arg, n := args[0], 1
		switch {
		case arg == composeWord && !named:
			named = true
		case globalWidth(own, arg) > 0:
			n = min(globalWidth(own, arg), len(args))
			if own.Parse(args[:n]) != nil {
				return &composeCall{}
			}
		case !named && globalWidth(docker, arg) > 0:
			n = min(globalWidth(docker, arg), len(args))
			c.globals = append(c.globals, args[:n]...)
		case strings.HasPrefix(arg, "-"): // one of Compose that says nothing to us
		default:
			return c.withVerb(arg, args[1:], own)
		}
		args = args[n:]
	}
	return &composeCall{}
}

func (c *composeCall) withVerb(verb string, args []string, own *pflag.FlagSet) *composeCall {
	if dir := own.Lookup("workdir").Value.String(); dir != "" && c.flags.projectDir == "" {
		c.flags.projectDir = dir
	}
	command, err := parseComposeCommand(verb, args, pflag.NewFlagSet("", pflag.ContinueOnError))
	if err != nil {
		return &composeCall{}
	}
	c.seen, c.command = true, command
	return c
}

// insideRun tells whether docker memsys runs around the docker compose that has called us for this project.
func (a *app) insideRun(project string) bool {
	name, id, found := strings.Cut(a.env(runVariable), "/")
	return found && id != "" && name == project
}

// enterRun marks the children of this run, so that a provider among their children leaves the work to it.
func (a *app) enterRun(project string) error {
	id, err := newID()
	if err != nil {
		return err
	}
	a.run = project + "/" + id
	return nil
}

// environOf is the environment of a docker compose that this run starts.
func (a *app) environOf() []string {
	environ := slices.DeleteFunc(childEnviron(a.world.Environ), func(pair string) bool { return strings.HasPrefix(pair, runVariable+"=") })
	if a.run != "" {
		environ = append(environ, runVariable+"="+a.run)
	}
	return environ
}
