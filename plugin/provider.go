package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/progress"
)

// provider is what a process has that docker compose has called for a service of "provider: {type: memsys}". Its standard output takes
// messages of Compose's protocol and nothing else; Compose shows nothing of its standard error.
type provider struct {
	call     *composeCall
	messages io.Writer
}

// providerVerbs are the commands that Compose may call; without a block of its own in the metadata it does not call stop.
var providerVerbs = [...]string{"up", "down", "stop"}

// providerFlags are those of our flags that mean something where Compose is already at work.
var providerFlags = [...]string{"backup", "force", "lock-wait", "no-hooks"}

// becomeProvider turns standard output over to messages; whatever else is printed goes to standard error.
func (a *app) becomeProvider(call *composeCall) {
	a.provider = &provider{call: call, messages: &pipe{to: a.world.Out.Writer, broken: a.interruption.broken}}
	a.world.Out = stream{Writer: a.world.Err.Writer}
	a.out.to = a.err
	a.world.In.Terminal = false
}

// providerCommand is how docker compose calls this plugin for a service that it provides.
func (a *app) providerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     composeWord + " COMMAND",
		Short:   "Guard a project for docker compose, as the provider of one of its services",
		Long:    "Docker Compose calls this for a service of provider type memsys; docs/provider.md says how to write one.",
		Example: examples("docker-memsys compose metadata", "docker-memsys compose --project-name=notes up --backup=always memsys"),
		GroupID: groupCompose,
		Hidden:  true,
		Args:    cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{message: "docker compose calls this by itself, for a service of provider type memsys", hint: "docker memsys up"}
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "metadata", Short: "Say which options a service of provider type memsys takes", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.printMetadata() },
	})
	for _, verb := range providerVerbs {
		cmd.AddCommand(a.providerVerb(verb))
	}
	return cmd
}

func (a *app) providerVerb(verb string) *cobra.Command {
	var opts wrapOptions
	cmd := &cobra.Command{
		Use: verb + " [OPTIONS] SERVICE", Short: "What comes before docker compose " + verb, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.provide(cmd.Context(), verb, args[0], opts)
		},
	}
	cmd.Flags().AddFlagSet(providerOptions(&opts))
	return cmd
}

// providerOptions are the flags of a provider's command.
func providerOptions(o *wrapOptions) *pflag.FlagSet {
	all, set := wrapFlags(o), pflag.NewFlagSet("provider", pflag.ContinueOnError)
	for _, name := range providerFlags {
		if f := all.Lookup(name); f != nil {
			set.AddFlag(f)
		}
	}
	return set
}

// providerMetadata is what Compose asks for before it calls: options that are not in it, it drops.
type providerMetadata struct {
	Description string          `json:"description"`
	Up          providerOffers  `json:"up"`
	Down        providerOffers  `json:"down"`
	Stop        *providerOffers `json:"stop,omitempty"`
}

// providerOffers are the options of one command.
type providerOffers struct {
	Parameters []providerParameter `json:"parameters"`
}

// providerParameter is one option.
type providerParameter struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Required    bool   `json:"required"`
	Type        string `json:"type"`
	Default     string `json:"default,omitempty"`
}

func newProviderMetadata() providerMetadata {
	offers := providerOffers{Parameters: []providerParameter{}}
	providerOptions(&wrapOptions{}).VisitAll(func(f *pflag.Flag) {
		p := providerParameter{Name: f.Name, Description: f.Usage, Type: "string", Default: f.DefValue}
		switch f.Value.Type() {
		case "bool":
			p.Type = "boolean"
		case "stringArray", "stringSlice":
			p.Type, p.Default = "array", ""
		}
		offers.Parameters = append(offers.Parameters, p)
	})
	return providerMetadata{Description: short, Up: offers, Down: offers, Stop: &offers}
}

// printMetadata answers on standard output itself: the answer is no message.
func (a *app) printMetadata() error {
	if a.provider == nil {
		return a.printJSON(newProviderMetadata())
	}
	if err := json.NewEncoder(a.provider.messages).Encode(newProviderMetadata()); err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	return nil
}

// provide does before what docker compose is about to do what docker memsys does before it. Compose goes on when this ends well.
func (a *app) provide(ctx context.Context, verb, service string, opts wrapOptions) error {
	if a.provider == nil {
		return &usageError{message: "docker compose calls this by itself, for a service of provider type memsys", hint: "docker memsys " + verb}
	}
	if err := opts.check(); err != nil {
		return err
	}
	if a.insideRun(a.flags.project) {
		a.sink().Report(progress.Event{Step: "guard", Status: progress.Done, Text: "docker memsys runs around this, and has done it"})
		return nil
	}
	call := a.provider.call
	a.adopt(call)
	s, err := a.openSession(ctx, compose.Overrides{})
	if err != nil {
		return providerBlind(call, err)
	}
	if !s.reachable() {
		return &outcome{
			code: exitFailed, message: "the engine that docker compose uses cannot be found from here: the project is not guarded",
			hint: "name it with DOCKER_HOST or DOCKER_CONTEXT instead of a flag of docker",
		}
	}
	s.warnOfOptions(service)
	err = s.guard(ctx, verb, opts)
	s.onFailure(ctx, hooks.Operation(verb), nil, opts.noHooks || call.dryRun(), err)
	return err
}

// guard does what comes before a verb of the docker compose that has called us, or says it where that does nothing itself.
func (s *session) guard(ctx context.Context, verb string, opts wrapOptions) error {
	call := s.app.provider.call
	w := &guarded{session: s, command: call.commandFor(verb), opts: opts, inside: true}
	if call.dryRun() {
		defer s.leave(ctx)
		s.app.noticeInterrupted(s.project)
		return w.planBefore(ctx)
	}
	if !call.seen {
		w.say("plan", "whether this is a dry run cannot be seen here: a backup is harmless")
	}
	locked, err := s.begin(ctx, verb, opts.lockOptions, map[string]any{"line": w.command.args, "provider": true})
	if err != nil {
		return w.notBegun(err)
	}
	if err = w.before(locked); err != nil {
		err = w.hooksAfter(locked, err)
	}
	return errors.Join(err, s.end(locked, err))
}

// warnOfOptions says which options of the service we do not have: Compose drops them without a word.
func (s *session) warnOfOptions(service string) {
	var known []string
	providerOptions(&wrapOptions{}).VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	for _, svc := range s.Project.Services() {
		if svc.Name != service || svc.Provider == nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(svc.Provider.Options)) {
			if slices.Contains(known, name) {
				continue
			}
			text := fmt.Sprintf("service %s: the provider has no option %s", service, name)
			if near := compose.Nearest(name, known); near != "" {
				text += ", did you mean " + near + "?"
			}
			s.warn("load", text)
		}
	}
}

// adopt takes over the flags that say which project it is. Compose itself hands over its name alone.
func (a *app) adopt(call *composeCall) {
	own, project := a.flags, a.flags.project
	if !call.seen {
		return
	}
	a.flags = call.flags
	a.flags.project, a.flags.progress = project, own.progress
}

// providerBlind says why a project that docker compose has loaded cannot be loaded here.
func providerBlind(call *composeCall, err error) error {
	switch {
	case slices.Contains(call.flags.files, "-"):
		return &outcome{
			code: exitFailed, message: "docker compose reads the project from standard input, where it cannot be read again: the project is not guarded",
			hint: "name a file, or run docker memsys instead of docker compose", err: err,
		}
	case !call.seen && errors.Is(err, compose.ErrNoFile):
		return &outcome{
			code: exitFailed, message: "the project's files cannot be found from here: the project is not guarded",
			hint: "name them with COMPOSE_FILE instead of a flag of docker compose", err: err,
		}
	}
	return err
}

// printError tells Compose why it may not go on. Compose ends this process as soon as it has read it: it comes last.
func (p *provider) printError(v verdict) {
	text := v.Message
	if v.Hint != "" {
		text += "; next: " + v.Hint
	}
	_, _ = p.messages.Write(append(display.ComposeMessage("error", text), '\n'))
}
