package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks/ready"
	"github.com/memsys/docker-memsys/internal/progress"
)

// readyOptions are the flags about what comes after the commands that bring services up.
type readyOptions struct {
	none    bool
	stable  time.Duration
	timeout time.Duration
	given   func(flag string) bool
}

func readyFlags(own *pflag.FlagSet, o *readyOptions) {
	own.BoolVar(&o.none, "no-ready", false, "Do not wait until the services are ready, nor validate their data")
	own.DurationVar(&o.stable, "stable", 0, "How long a service must run without a restart to count as up (default: the project's health.stable)")
	own.DurationVar(&o.timeout, "ready-timeout", 0, "How long services may take to become ready (default: the project's health.timeout)")
	o.given = own.Changed
}

// check refuses flags that mean nothing.
func (o *readyOptions) check() error {
	switch {
	case o.stable < 0:
		return usagef("--stable: must not be negative, got %s", o.stable)
	case o.timeout < 0:
		return usagef("--ready-timeout: must not be negative, got %s", o.timeout)
	}
	return nil
}

// bringsUp tells whether a verb brings services up, so that they are waited for.
func bringsUp(verb string) bool { return verb == "up" || verb == "restart" }

// waitsForReady tells whether the command's services are waited for. Where Compose is to stop them all once one ends, that they run is not
// what is wanted.
func (w *guarded) waitsForReady() bool {
	if w.opts.ready.none || !bringsUp(w.command.verb) || !w.reachable() {
		return false
	}
	for _, flag := range []string{"no-start", "abort-on-container-exit", "abort-on-container-failure"} {
		if w.command.on(flag) {
			return false
		}
	}
	f := w.command.flags.Lookup("exit-code-from")
	return f == nil || !f.Changed
}

// risen is what became of the services that a command brought up.
type risen struct {
	up, done int
	took     time.Duration
	past     bool // docker compose has ended meanwhile, and its services with it
	remarks  []string
	data     string // what became of their data; empty where nobody looked
}

// text is the verdict in one line.
func (r *risen) text() string {
	var parts []string
	switch {
	case r.up > 0 && r.past:
		parts = append(parts, plural(int64(r.up), "container ran", "containers ran"))
	case r.up > 0:
		parts = append(parts, plural(int64(r.up), "container runs", "containers run"))
	}
	switch {
	case r.done > 0 && r.up > 0:
		parts = append(parts, plural(int64(r.done), "has ended well", "have ended well"))
	case r.done > 0:
		parts = append(parts, plural(int64(r.done), "container has ended well", "containers have ended well"))
	}
	text := strings.Join(parts, ", ")
	if r.took >= time.Second {
		text += " after " + r.took.Round(100*time.Millisecond).String()
	}
	parts = append([]string{text}, r.remarks...)
	if r.data != "" {
		parts = append(parts, r.data)
	}
	return strings.Join(parts, "; ")
}

// expected are the services that the command brings up: those that it names and what they depend on, else all that are enabled.
func (w *guarded) expected() []ready.Service {
	all := map[string]compose.Service{}
	for _, s := range w.Services() {
		if s.Enabled && !s.Job && s.Provider == nil { // a provider has no container
			all[s.Name] = s
		}
	}
	var out []ready.Service
	var add func(name string)
	add = func(name string) {
		s, known := all[name]
		if !known || slices.ContainsFunc(out, func(have ready.Service) bool { return have.Name == name }) {
			return
		}
		out = append(out, ready.Service{Name: name, Once: s.Once})
		if w.command.verb == "up" && !w.command.on("no-deps") {
			for _, needed := range s.DependsOn {
				add(needed)
			}
		}
	}
	if len(w.command.words) == 0 {
		for name := range all {
			add(name)
		}
	}
	for _, name := range w.command.words {
		for _, s := range w.Services() { // one that is named is enabled by that
			if s.Name == name && !s.Job && s.Provider == nil {
				all[name] = s
			}
		}
		add(name)
	}
	return out
}

// readiness waits until the services are ready that Compose has brought up, and looks at their data.
func (w *guarded) readiness(ctx context.Context, err error) error {
	if err != nil || !w.waitsForReady() {
		return err
	}
	p := w.newProving(false)
	if w.risen, err = p.prove(ctx); err != nil {
		return p.failure(ctx, err)
	}
	return nil
}

// pronounce says how the command ended where all is well; what is not well is said as the error that it is.
func (w *guarded) pronounce(_ context.Context, err error) error {
	if err == nil && w.risen != nil {
		w.say("ready", w.risen.text())
	}
	return err
}

// prove waits for the services, then has the servers asked and the data looked at. nil: there is nothing that could be ready.
func (p *proving) prove(ctx context.Context) (*risen, error) {
	out, err := p.settle(ctx)
	if err != nil || out == nil {
		return nil, err
	}
	out.data, err = p.w.validateRisen(ctx, p.same())
	return out, err
}

// failure is how a command ends whose services did not become ready.
func (p *proving) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &outcome{code: exitInterrupted, message: "interrupted while the services were waited for; they stay as they are", err: err}
	}
	return err
}

// notReady is the verdict that some services did not come up.
func notReady(texts []string, services []string) error {
	hint := "docker compose logs"
	if len(services) > 0 {
		hint += " " + strings.Join(services, " ")
	}
	return &outcome{code: exitFailed, message: "not ready: " + strings.Join(shortened(texts, 5), "; "), hint: hint}
}

// tell reports what is waited for, once for each change.
func (p *proving) tell(object, text string) {
	if p.told[object] == text {
		return
	}
	p.told[object] = text
	status := progress.Working
	if text == "" {
		status = progress.Done
	}
	p.w.app.sink().Report(progress.Event{Step: "ready", Object: object, Status: status, Text: text})
}

// failedText is a container that failed in words.
func failedText(s ready.Standing) string { return fmt.Sprintf("%s %s", s.Container, s.Text) }
