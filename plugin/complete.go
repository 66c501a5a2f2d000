package plugin

import (
	"context"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/store"
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

// completeBackups completes names of backups for up to limit arguments, 0 for any number.
func (a *app) completeBackups(limit int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if limit > 0 && len(args) >= limit {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if strings.Contains(typed, "/") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		backups, _ := cmd.Flags().GetString("backups")
		dir, err := a.openArchives(completionContext(cmd), backups, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		all, err := dir.List(completionContext(cmd))
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words := []string{store.Latest}
		for _, b := range all {
			words = append(words, cobra.CompletionWithDesc(b.Name, size(b.Size)+", "+string(b.State)))
		}
		return without(words, args), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// completeServices completes the services of the project.
func (a *app) completeServices(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	p, err := a.readProject(completionContext(cmd), compose.Overrides{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	words := []string{}
	for _, s := range p.Services() {
		words = append(words, s.Name)
	}
	return without(words, args), cobra.ShellCompDirectiveNoFileComp
}

// completeSources completes the sources of the project.
func (a *app) completeSources(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	p, err := a.readProject(completionContext(cmd), compose.Overrides{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	words := []string{}
	for _, s := range p.Sources(nil, p.Config) {
		words = append(words, cobra.CompletionWithDesc(s.Name, where(s)))
	}
	return without(words, args), cobra.ShellCompDirectiveNoFileComp
}

// without is words without those that were given already.
func without(words, given []string) []string {
	return slices.DeleteFunc(words, func(word string) bool {
		name, _, _ := strings.Cut(word, "\t")
		return slices.Contains(given, name)
	})
}

// completionContext is the context of a completion, which runs no command.
func completionContext(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}
