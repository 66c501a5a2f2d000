package plugin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errDeclined is the answer no, or none.
var errDeclined = errors.New("not confirmed")

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
		return &outcome{code: exitFailed, message: "not confirmed; nothing was changed", err: errDeclined}
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
			return "", &outcome{code: exitFailed, message: "no answer; nothing was changed", err: errDeclined}
		}
		return l.text, nil
	}
}
