// Command server is a small memory system: it keeps what an assistant is told, and finds it again by words and by meaning.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "memory-system:", err)
		os.Exit(1)
	}
}

type options struct {
	healthcheck bool
	reindex     bool
	seed        int
	seedValue   uint64
	fill        int
	export      string
	get         string
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.healthcheck, "healthcheck", false, "ask the running service for its health and end")
	flags.BoolVar(&o.reindex, "reindex", false, "make embeddings and indexes anew from the memories and end; the service must not run")
	flags.IntVar(&o.seed, "seed", 0, "add this `number` of made-up memories and end; the service must not run")
	flags.Uint64Var(&o.seedValue, "seed-value", 1, "start `value` of the made-up memories; the same value makes the same")
	flags.StringVar(&o.export, "export", "", "write all memories to `file`, one JSON object a line, and end")
	flags.IntVar(&o.fill, "fill", 0, "add this `number` of made-up memories to the running service and end")
	flags.StringVar(&o.get, "get", "", "print what the running service answers for `path` and end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	c := config{
		host: env("HOST"), port: or(env("PORT"), "3000"),
		dataDir: or(env("DATA_DIR"), "/app/data"), logDir: or(env("LOG_DIR"), "/app/logs"),
		now: time.Now, stderr: stderr,
	}
	c.serviceURL = or(env("SERVICE_URL"), "http://"+net.JoinHostPort(or(c.host, "127.0.0.1"), c.port))
	switch {
	case o.healthcheck:
		return c.askHealth(ctx)
	case o.reindex:
		return c.reindex()
	case o.seed > 0:
		return c.seed(o.seed, o.seedValue)
	case o.export != "":
		return c.export(ctx, o.export)
	case o.fill > 0:
		return c.fill(ctx, o.fill, o.seedValue)
	case o.get != "":
		return c.get(ctx, o.get, stdout)
	default:
		return c.serve(ctx)
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
