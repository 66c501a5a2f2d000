package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/cli/cli-plugins/hooks"
	"github.com/docker/cli/cli-plugins/metadata"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/store"
)

const (
	// hintBudget is how long a hint may take: the docker command waits for it. What takes longer is left unsaid.
	hintBudget = 30 * time.Millisecond
	// oldBackup is from when on a backup is worth a word.
	oldBackup = 24 * time.Hour
)

// hintCommand answers the docker command that asks its plugins, after docker compose, what one may do next. It asks no engine.
func (a *app) hintCommand() *cobra.Command {
	return &cobra.Command{
		Use:               metadata.HookSubcommandName + " REQUEST",
		Short:             "Say what one may do next after docker compose up, pull and down",
		Long:              "The docker command calls this where its configuration says so; docs/hints.md says how.",
		Example:           examples(`docker-memsys ` + metadata.HookSubcommandName + ` '{"RootCmd":"compose up"}'`),
		GroupID:           groupOther,
		Hidden:            true,
		Args:              cobra.ExactArgs(1),
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE:              func(_ *cobra.Command, args []string) error { return a.printHint(args[0], hintBudget) },
	}
}

// printHint prints a hint, or nothing where it would take longer than limit. Whatever goes wrong is no error: the docker command that asks has ended already.
func (a *app) printHint(request string, limit time.Duration) error {
	var asked hooks.Request
	if json.Unmarshal([]byte(request), &asked) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	found := make(chan string, 1)
	go func() { found <- a.hint(ctx, asked) }()
	select {
	case text := <-found:
		if text == "" || strings.Contains(text, "{{") { // the docker command would take it for a template
			return nil
		}
		return a.printJSON(hooks.Response{Type: hooks.NextSteps, Template: text})
	case <-ctx.Done():
		return nil
	}
}

// hint is what to say after a command; empty where there is nothing worth a line.
func (a *app) hint(ctx context.Context, asked hooks.Request) string {
	verb, ok := strings.CutPrefix(asked.RootCmd, "compose ")
	if !ok || !slices.Contains([]string{"up", "pull", "down"}, verb) || !aboutThisProject(asked) {
		return ""
	}
	opts, err := a.loadOptions()
	if err != nil {
		return ""
	}
	opts.Runner = nil // a hint starts no program
	p, err := a.readProjectWith(ctx, opts, compose.Overrides{})
	if err != nil || !hasData(p) {
		return ""
	}
	all, err := p.Store.List(ctx)
	if err != nil {
		return ""
	}
	last, found := p.Store.NewestGood(all)
	if !found {
		return "There is no good backup of this project's data yet: docker memsys backup"
	}
	return hintText(verb, asked, last, a.world.Now())
}

// aboutThisProject tells that the command was about the project of the folder: the values of flags that say otherwise are not handed over.
func aboutThisProject(asked hooks.Request) bool {
	for _, flag := range []string{"file", "f", "project-name", "p", "project-directory", "workdir", "env-file", "profile", "dry-run", "help", "h"} {
		if _, given := asked.Flags[flag]; given {
			return false
		}
	}
	return true
}

// hasData tells whether the project has anything that would be backed up.
func hasData(p *project) bool {
	return slices.ContainsFunc(p.Sources(nil, p.Config), func(s compose.Source) bool { return s.Excluded == "" })
}

func hintText(verb string, asked hooks.Request, last store.Backup, now time.Time) string {
	past := max(now.Sub(last.Created), 0)
	age := strings.ToLower(units.HumanDuration(past)) + " old"
	_, short := asked.Flags["v"]
	_, long := asked.Flags["volumes"]
	switch {
	case asked.CommandError != "" && verb == "up":
		return fmt.Sprintf("If the data is in doubt: docker memsys validate (the last good backup is %s)", age)
	case asked.CommandError != "":
		return ""
	case verb == "down" && (short || long):
		return fmt.Sprintf("What the volumes had is in the last good backup, %s: docker memsys restore", age)
	case verb == "pull":
		return fmt.Sprintf("Before the new images run, docker memsys up -d backs the data up (the last good backup is %s)", age)
	case past >= oldBackup:
		return fmt.Sprintf("The last good backup is %s: docker memsys backup", age)
	}
	return ""
}
