package plugin

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/templates"
)

// formatHelp describes --format of commands that print one object.
const formatHelp = `Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`

// pipe is a stream that calls broken once when nobody reads it any more, and swallows what comes then.
type pipe struct {
	to     io.Writer
	broken func()
	mu     sync.Mutex
	gone   bool
}

// Write writes p. A broken pipe is no error of the writer: what it does must go on to its orderly end.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return len(b), nil
	}
	n, err := p.to.Write(b)
	if err != nil && brokenPipe(err) {
		p.gone = true
		p.broken()
		return len(b), nil
	}
	return n, err
}

// result is standard output. What is written to it never mixes with the display, and a failure is remembered: the
// formatter of Docker's lists does not tell it.
type result struct {
	app    *app
	to     io.Writer
	failed error
}

// Write writes b where the display does not draw over it.
func (r *result) Write(b []byte) (n int, err error) {
	write := func() { n, err = r.to.Write(b) }
	if r.app.display == nil {
		write()
	} else {
		r.app.display.Print(write)
	}
	if err != nil && r.failed == nil {
		r.failed = fmt.Errorf("write result: %w", err)
	}
	return n, err
}

// printf writes to standard output.
func (a *app) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format, args...)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// printFormatted prints one object as JSON or by a template.
func (a *app) printFormatted(format string, v any) error {
	if format == "json" {
		return a.printJSON(v)
	}
	tmpl, err := templates.Parse(format)
	if err != nil {
		return formatError(err, nil)
	}
	if err := tmpl.Option("missingkey=error").Execute(a.out, v); err != nil {
		return formatError(err, fieldsOf(v))
	}
	return a.printf("\n")
}

// printRows prints a listing by Docker's formatter: format is that of --format, and table what it is where none is given. header is a row
// that holds nothing but the headings.
func printRows[R formatter.SubContext](a *app, format, table string, header R, rows []R) error {
	if format == "" || format == formatter.TableFormatKey {
		format = table
	}
	c := formatter.Context{Output: a.out, Format: formatter.Format(format)}
	err := c.Write(header, func(write func(formatter.SubContext) error) error {
		for _, row := range rows {
			if err := write(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return formatError(err, columns(header.FullHeader().(formatter.SubHeaderContext)))
	}
	return nil
}

// printJSON prints v on one line, as scripts read it.
func (a *app) printJSON(v any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}
