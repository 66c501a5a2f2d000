package plugin

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/pflag"
)

// confirm asks a question that only yes answers. Without a terminal it refuses; yes is the answer given by flag.
// It returns nil for yes, and an error that ends the run with nothing changed else.
func (a *app) confirm(ctx context.Context, question string, yes bool) error {
	if yes {
		return nil
	}
	if !a.world.In.Terminal || !a.world.Err.Terminal {
		return &usageError{message: question + " There is no terminal to ask on", hint: "give the answer with --yes"}
	}
	a.pauseDisplay()
	if _, err := fmt.Fprintf(a.err, "%s [y/N] ", question); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	answer, err := a.readLine(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return &outcome{code: exitFailed, message: "not confirmed; nothing was changed"}
	}
	return nil
}

// readLine reads a line from the terminal, or returns when the run is interrupted. The reader may then stay behind in
// its read until the process ends.
func (a *app) readLine(ctx context.Context) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(a.world.In).ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case l := <-read:
		if l.err != nil && l.text == "" {
			return "", &outcome{code: exitFailed, message: "no answer; nothing was changed"}
		}
		return l.text, nil
	}
}

// consents are dangerous acts that a general yes does not cover: each has a name that must be given by --accept.
type consents struct {
	known map[string]string // name: what is accepted
	given []string
}

// install adds the flag.
func (c *consents) install(flags *pflag.FlagSet) {
	flags.StringSliceVar(&c.given, "accept", nil, "Accept a danger by its name: "+strings.Join(c.names(), ", "))
}

// names are all that can be accepted, sorted.
func (c *consents) names() []string {
	names := make([]string, 0, len(c.known))
	for name := range c.known {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// check refuses names that mean nothing.
func (c *consents) check() error {
	for _, name := range c.given {
		if _, ok := c.known[name]; !ok {
			return usagef("--accept %s means nothing here: use %s", name, strings.Join(c.names(), ", "))
		}
	}
	return nil
}

// has tells whether name was accepted.
func (c *consents) has(name string) bool { return slices.Contains(c.given, name) }

// need refuses where name was not accepted; why says what is dangerous.
func (c *consents) need(name, why string) error {
	if c.has(name) {
		return nil
	}
	return &outcome{code: exitFailed, message: why + "; nothing was changed",
		hint: fmt.Sprintf("if you want it (%s), say so with --accept %s", c.known[name], name)}
}
