package plugin

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// env is the last value of an environment variable in the world, empty where it is not set.
func (a *app) env(key string) string {
	value := ""
	for _, pair := range a.world.Environ {
		if k, v, ok := strings.Cut(pair, "="); ok && k == key {
			value = v
		}
	}
	return value
}

// flagError turns cobra's complaint about a flag into wrong use.
func flagError(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return &usageError{message: err.Error(), hint: flagHint(cmd.CommandPath(), err)}
}

// flagHint says what to do about a wrong flag of a command.
func flagHint(command string, err error) string {
	flags, _ := globalFlags()
	if given, ok := strings.CutPrefix(err.Error(), "unknown flag: --"); ok && flags.Lookup(given) != nil {
		return fmt.Sprintf("put Docker's own flags before memsys: docker --%s … memsys …", given)
	}
	return command + " --help"
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return argError(cmd, "%s takes no arguments, got %q", cmd.CommandPath(), args[0])
}

// oneArg wants exactly one argument, what names it.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return argError(cmd, "%s needs exactly one %s, got %d", cmd.CommandPath(), what, len(args))
	}
}

// atMostOne wants one argument, what names it, or none.
func atMostOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= 1 {
			return nil
		}
		return argError(cmd, "%s takes one %s at most, got %d", cmd.CommandPath(), what, len(args))
	}
}

// argError is wrong use of arguments.
func argError(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...), hint: cmd.CommandPath() + " --help"}
}

// unknownCommand is what runs where no verb was found: help for nothing, an error for a word that is no command.
func (a *app) unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	message := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	hint := cmd.CommandPath() + " --help"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = cmd.CommandPath() + " " + near[0]
	}
	return &usageError{message: message, hint: hint}
}
