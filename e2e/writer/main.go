// Program writer changes JSON files and SQLite databases in a folder as fast as it can, until SIGTERM; it is the adversary of the tests that
// copy a folder which is in use. With the word check it looks at a copy instead, and fails where the copy is torn.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == "check" {
		return check(args[1:])
	}
	return write(args)
}

// subjects are what is written, by name.
func subjects() map[string]func(context.Context, string) error {
	return map[string]func(context.Context, string) error{
		"atomic":   func(ctx context.Context, dir string) error { return documents(ctx, dir, "atomic.json", replace) },
		"inplace":  func(ctx context.Context, dir string) error { return documents(ctx, dir, "inplace.json", overwrite) },
		"lines":    lines,
		"wal":      func(ctx context.Context, dir string) error { return rows(ctx, dir, "wal") },
		"rollback": func(ctx context.Context, dir string) error { return rows(ctx, dir, "delete") },
	}
}

// write runs writers in parallel until SIGTERM, then ends what each has begun.
func write(args []string) error {
	flags := flag.NewFlagSet("writer", flag.ContinueOnError)
	dir := flags.String("dir", "/data", "folder to write in")
	what := flags.String("what", "atomic,inplace,lines,wal,rollback", "what to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var group sync.WaitGroup
	failed := make(chan error, len(subjects()))
	for name := range strings.SplitSeq(*what, ",") {
		subject, known := subjects()[name]
		if !known {
			return fmt.Errorf("unknown subject %q", name)
		}
		group.Go(func() {
			if err := subject(ctx, *dir); err != nil {
				failed <- fmt.Errorf("%s: %w", name, err)
				stop()
			}
		})
	}
	group.Wait()
	close(failed)
	return <-failed
}
