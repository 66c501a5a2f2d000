package plugin

import (
	"slices"
	"strconv"

	"github.com/spf13/pflag"
)

// composeCommand is a docker compose command line that memsys wraps. What it does not know goes to Compose as it is.
type composeCommand struct {
	verb string
	// globals are Compose's own flags before the verb.
	globals []string
	// args are everything behind the verb that is not ours, in its order.
	args []string
	// words are those of args that are no flag and no flag's value: services, as far as the project has them.
	words []string
	// flags are Compose's, as far as they are known.
	flags *pflag.FlagSet
	// strange tells that there was one that is not known, or not understood: a word behind it may be its value.
	strange bool
}

// composeGlobals are Compose's own flags before the verb that say nothing about the project.
type composeGlobals struct {
	ansi          string
	parallel      string
	compatibility bool
	allResources  bool
	dryRun        bool
}

func (g *composeGlobals) install(flags *pflag.FlagSet) {
	flags.StringVar(&g.ansi, "ansi", "", "When Compose prints control characters: never, always, auto")
	flags.StringVar(&g.parallel, "parallel", "", "How much Compose does at once, -1 for no limit")
	flags.BoolVar(&g.compatibility, "compatibility", false, "Let Compose name containers as its first version did")
	flags.BoolVar(&g.allResources, "all-resources", false, "Include volumes and networks that no service uses")
	flags.BoolVar(&g.dryRun, "dry-run", false, "Let up, down, pull, stop, restart show what they would do")
}

// args are the flags as docker compose takes them.
func (g *composeGlobals) args() (out []string) {
	if g.ansi != "" {
		out = append(out, "--ansi", g.ansi)
	}
	if g.parallel != "" {
		out = append(out, "--parallel", g.parallel)
	}
	for flag, on := range map[string]bool{"--compatibility": g.compatibility, "--all-resources": g.allResources, "--dry-run": g.dryRun} {
		if on {
			out = append(out, flag)
		}
	}
	return out
}

// parseComposeCommand takes what stands behind verb apart: our flags go into own, the rest stays for Compose. Its errors are about our
// flags; about its own Compose complains itself.
func parseComposeCommand(verb string, args []string, own *pflag.FlagSet) (*composeCommand, error) {
	c := &composeCommand{verb: verb, flags: composeFlags(verb)}
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			c.args = append(c.args, args...)
			c.words = append(c.words, args[1:]...)
			break
		}
		if n := globalWidth(own, arg); n > 0 {
			n = min(n, len(args)) // where the value is missing the parser says so
			if err := own.Parse(args[:n]); err != nil {
				return nil, err
			}
			args = args[n:]
			continue
		}
		n := 1
		switch {
		case len(arg) > 1 && arg[0] == '-':
			if n = min(max(globalWidth(c.flags, arg), 1), len(args)); c.flags.Parse(args[:n]) != nil {
				n, c.strange = 1, true // Compose will refuse it, or is newer
			}
		default:
			c.words = append(c.words, arg)
		}
		c.args = append(c.args, args[:n]...)
		args = args[n:]
	}
	return c, nil
}

// line is the whole command line behind "docker compose".
func (c *composeCommand) line() []string { return slices.Concat(c.globals, []string{c.verb}, c.args) }

// on tells whether a flag of Compose that takes no value is set.
func (c *composeCommand) on(flag string) bool {
	f := c.flags.Lookup(flag)
	if f == nil {
		return false
	}
	is, err := strconv.ParseBool(f.Value.String())
	return err == nil && is
}

// attached tells that Compose stays in the terminal until somebody ends it, or the services do.
func (c *composeCommand) attached() bool {
	return c.verb == "up" && !c.on("detach") && !c.on("wait") && !c.on("no-start") && !c.on("dry-run")
}

// composeFlags are the flags that docker compose has for a verb (Compose 5.6), to tell their values from services. One that is not here
// is taken for one without a value.
func composeFlags(verb string) *pflag.FlagSet {
	set := pflag.NewFlagSet("docker compose "+verb, pflag.ContinueOnError)
	set.Usage = func() {}
	set.SetNormalizeFunc(formerFlags(verb))
	set.BoolP("help", "h", false, "")
	set.Bool("dry-run", false, "")
	seconds := func() { set.IntP("timeout", "t", 0, "") }
	switch verb {
	case "up":
		seconds()
		bools(set, "abort-on-container-exit", "abort-on-container-failure", "always-recreate-deps", "attach-dependencies", "build", "force-recreate",
			"menu", "no-build", "no-color", "no-deps", "no-log-prefix", "no-recreate", "no-start", "quiet-build", "quiet-pull", "remove-orphans",
			"timestamps", "wait")
		set.BoolP("detach", "d", false, "")
		set.BoolP("renew-anon-volumes", "V", false, "")
		set.BoolP("watch", "w", false, "")
		set.BoolP("yes", "y", false, "")
		texts(set, "attach", "exit-code-from", "no-attach", "pull", "scale", "wait-timeout")
	case "down":
		seconds()
		bools(set, "remove-orphans")
		set.BoolP("volumes", "v", false, "")
		texts(set, "rmi")
	case "pull":
		bools(set, "ignore-buildable", "ignore-pull-failures", "include-deps", "no-parallel", "parallel")
		set.BoolP("quiet", "q", false, "")
		texts(set, "policy")
	case "stop":
		seconds()
	case "restart":
		seconds()
		bools(set, "no-deps")
	}
	return set
}

// formerFlags names a flag of Compose that had another name before, as it takes both.
func formerFlags(verb string) func(*pflag.FlagSet, string) pflag.NormalizedName {
	return func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		switch {
		case verb == "down" && name == "volume":
			name = "volumes"
		case verb == "up" && name == "y":
			name = "yes"
		}
		return pflag.NormalizedName(name)
	}
}

func bools(set *pflag.FlagSet, names ...string) {
	for _, name := range names {
		set.Bool(name, false, "")
	}
}

func texts(set *pflag.FlagSet, names ...string) {
	for _, name := range names {
		set.StringArray(name, nil, "")
	}
}
