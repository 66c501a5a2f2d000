package plugin

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/config"
	"github.com/spf13/pflag"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/progress"
)

// pluginDirs are where docker looks for plugins on most machines.
func pluginDirs(dockerCLI *command.DockerCli) func() []string {
	return func() []string {
		dirs := append(slices.Clone(dockerCLI.ConfigFile().CLIPluginsExtraDirs), filepath.Join(config.Dir(), "cli-plugins"))
		for _, above := range []string{"/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"} {
			dirs = append(dirs, above+"/docker/cli-plugins")
		}
		return dirs
	}
}

// findCompose finds out which Compose there is, and says what is lost where it is the first.
func (a *app) findCompose(ctx context.Context) {
	if a.world.PluginDirs == nil {
		return
	}
	if a.standalone = a.runner().FindStandalone(ctx, a.world.PluginDirs()); a.standalone == nil || !a.standalone.First() {
		return
	}
	a.sink().Report(progress.Event{Step: "compose", Status: progress.Warning, Text: fmt.Sprintf("docker has no plugin compose, so %s %s is run, which is no longer maintained: "+
		"without --dry-run, --wait, --progress, --all-resources, services of providers, pre_stop and post_start", a.standalone.Path, a.standalone.Version)})
}

// usesFirst tells that the first Compose is run.
func (a *app) usesFirst() bool { return a.standalone != nil && a.standalone.First() }

// firstFlags are the flags that the first Compose has for a verb.
func firstFlags(verb string) *pflag.FlagSet {
	set := pflag.NewFlagSet("docker-compose "+verb, pflag.ContinueOnError)
	set.BoolP("help", "h", false, "")
	if verb != "pull" {
		set.IntP("timeout", "t", 0, "")
	}
	switch verb {
	case "up":
		bools(set, "abort-on-container-exit", "always-recreate-deps", "attach-dependencies", "build", "force-recreate", "no-build", "no-color", "no-deps",
			"no-log-prefix", "no-recreate", "no-start", "quiet-pull", "remove-orphans")
		set.BoolP("detach", "d", false, "")
		set.BoolP("renew-anon-volumes", "V", false, "")
		texts(set, "exit-code-from", "scale")
	case "down":
		bools(set, "remove-orphans")
		set.BoolP("volumes", "v", false, "")
		texts(set, "rmi")
	case "pull":
		bools(set, "ignore-pull-failures", "include-deps", "no-parallel", "parallel")
		set.BoolP("quiet", "q", false, "")
	}
	return set
}

// stranger is the first flag of the command that is not in a set; empty where there is none.
func (c *composeCommand) stranger(known *pflag.FlagSet) string {
	for args := c.args; len(args) > 0 && args[0] != "--"; {
		n := 1
		if len(args[0]) > 1 && args[0][0] == '-' {
			if n = globalWidth(known, args[0]); n == 0 {
				return args[0]
			}
		}
		args = args[min(n, len(args)):]
	}
	return ""
}

// refuseForFirst refuses what the first Compose would get wrong. Of a flag that it does not have, it prints its help and ends well, with nothing done.
func (a *app) refuseForFirst(c *composeCommand) error {
	if !a.usesFirst() {
		return nil
	}
	what := ""
	switch flag := c.stranger(firstFlags(c.verb)); {
	case c.on("dry-run") || a.flags.compose.dryRun:
		what = "has no --dry-run"
	case len(a.flags.envFiles) > 1:
		what = "takes one --env-file"
	case flag != "":
		what = "has no " + flag
	default:
		return nil
	}
	return &outcome{
		code: exitFailed, message: fmt.Sprintf("docker-compose %s %s: nothing was run", a.standalone.Version, what),
		hint: "install the plugin: https://docs.docker.com/compose/install/linux/",
	}
}

// firstGlobals are the flags before the verb as the first Compose takes them. It looks for other files than its successors, and in another order,
// and names projects otherwise: so it is told all of it. p is nil where the project could not be loaded.
func (a *app) firstGlobals(p *project) []string {
	var out []string
	files, name, dir := a.flags.files, a.flags.project, a.flags.projectDir
	if p != nil {
		files, name, dir = p.ConfigFiles, p.Name, p.WorkingDir
	}
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				out = append(out, flag, v)
			}
		}
	}
	add("--file", files...)
	add("--project-name", name)
	add("--project-directory", dir)
	add("--profile", a.flags.profiles...)
	add("--env-file", a.flags.envFiles...)
	add("--ansi", a.flags.compose.ansi)
	if a.flags.compose.compatibility {
		out = append(out, "--compatibility")
	}
	return out
}

// standaloneGlobals are Docker's own flags as a docker-compose takes them, and as variables where it has no flag.
func standaloneGlobals(globals []string, first bool) (flags, environ []string) {
	set, _ := globalFlags()
	if set.Parse(globals) != nil {
		return globals, nil // docker has refused them before
	}
	set.Visit(func(f *pflag.Flag) {
		switch value := f.Value.String(); f.Name {
		case "config":
			environ = append(environ, config.EnvOverrideConfigDir+"="+value)
		case "debug":
			if value == "true" {
				flags = append(flags, "--verbose")
			}
		case "log-level":
			if first {
				value = strings.ToUpper(value)
			}
			flags = append(flags, "--log-level", value)
		case "host":
			flags = append(flags, "--host", strings.Trim(value, "[]"))
		case "tls", "tlsverify":
			if value == "true" {
				flags = append(flags, "--"+f.Name)
			}
		default:
			flags = append(flags, "--"+f.Name, value)
		}
	})
	return flags, environ
}

// standaloneRunner turns a runner of docker compose into one of the docker-compose that stands in for it.
func (a *app) standaloneRunner(r *compose.Runner) {
	globals, environ := standaloneGlobals(a.world.Globals, a.standalone.First())
	r.Standalone, r.Globals = a.standalone, globals
	r.Environ = append(r.Environ, environ...)
	if n := a.flags.compose.parallel; n != "" && a.standalone.First() && !strings.HasPrefix(n, "-") {
		r.Environ = append(r.Environ, "COMPOSE_PARALLEL_LIMIT="+n)
	}
}
