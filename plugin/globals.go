package plugin

import (
	"os"
	"strings"

	"github.com/docker/cli/cli-plugins/metadata"
	cliflags "github.com/docker/cli/cli/flags"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// globalFlags is a flag set with Docker's own flags and where it stores them.
func globalFlags() (*pflag.FlagSet, *cliflags.ClientOptions) {
	opts := cliflags.NewClientOptions()
	flags := pflag.NewFlagSet("docker", pflag.ContinueOnError)
	opts.InstallFlags(flags)
	return flags, opts
}

// splitGlobals splits a command line behind the last of the leading flags that are Docker's own. It takes each flag for
// itself, so that "--context memsys memsys list" is read rightly and memsys's own leading flags stay with the rest.
func splitGlobals(args []string) (globals, rest []string) {
	flags, _ := globalFlags()
	n := 0
	for n < len(args) {
		width := globalWidth(flags, args[n])
		if width == 0 || n+width > len(args) {
			break
		}
		n += width
	}
	return args[:n:n], args[n:]
}

// globalWidth is the number of arguments that the flag arg takes, with itself; 0 where it is none of Docker's.
func globalWidth(flags *pflag.FlagSet, arg string) int {
	switch {
	case strings.HasPrefix(arg, "--"):
		long, _, valued := strings.Cut(arg[2:], "=")
		return flagWidth(flags.Lookup(long), valued)
	case len(arg) >= 2 && arg[0] == '-':
		flag := flags.ShorthandLookup(arg[1:2])
		if flag != nil && flag.NoOptDefVal != "" && len(arg) > 2 {
			return globalWidth(flags, "-"+arg[2:])
		}
		return flagWidth(flag, len(arg) > 2)
	}
	return 0
}

// flagWidth is 1 for a flag with its value in the same argument or none, 2 where the value follows, 0 for no flag.
func flagWidth(flag *pflag.Flag, valued bool) int {
	switch {
	case flag == nil:
		return 0
	case valued || flag.NoOptDefVal != "":
		return 1
	}
	return 2
}

// pluginArgs is the command line as the plugin framework wants it: "memsys" behind Docker's flags. A docker command
// puts it there; a person who types docker-memsys, or a script started with our environment, does not.
func pluginArgs(globals, rest []string) []string {
	if len(rest) > 0 && os.Getenv(metadata.ReexecEnvvar) != "" && (rest[0] == name || completes(rest[0])) {
		return append(globals, rest...)
	}
	if len(rest) > 0 && rest[0] == metadata.MetadataSubcommandName {
		return append(globals, rest...)
	}
	if len(rest) > 0 && completes(rest[0]) {
		return append(append(globals, rest[0], name), rest[1:]...)
	}
	return append(append(globals, name), rest...)
}

// completes tells whether verb is the hidden one by which shells ask for completions.
func completes(verb string) bool {
	return verb == cobra.ShellCompRequestCmd || verb == cobra.ShellCompNoDescRequestCmd
}
