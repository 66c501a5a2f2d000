package plugin

import (
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/spf13/cobra"
)

// completeRootFlags completes the values of the flags that every command takes.
func completeRootFlags(cmd *cobra.Command) {
	for _, flag := range []string{"file", "env-file"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, completeFiles)
	}
	_ = cmd.RegisterFlagCompletionFunc("project-directory", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	_ = cmd.RegisterFlagCompletionFunc("progress", cobra.FixedCompletions(display.ModeNames(), cobra.ShellCompDirectiveNoFileComp))
}

// completeFiles leaves the completion of file names to the shell.
func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}
