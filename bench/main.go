// Command bench makes stores of a memory system, and compares docker memsys with other backup tools on them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `bench gen    -out DIR [-size 600MB] [-scale 1] [-seed 1]   make a store
bench records -out DIR [-files 200000] [-each 10] [-seed 1]  make memory files
bench run    [flags]                                        measure; see bench run -h
bench up     [-project DIR] [-pairs 20]                       measure docker memsys up against docker compose up on a project that runs
bench report -in FILE [-format text|markdown]               show what a run has saved`

var errUsage = errors.New(usage)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "gen":
		return generate(ctx, args[1:], os.Stdout)
	case "records":
		return records(ctx, args[1:], os.Stdout)
	case "run":
		return run(ctx, args[1:], os.Stdout, os.Stderr)
	case "up":
		return up(ctx, args[1:], os.Stdout)
	case "report":
		return show(args[1:], os.Stdout)
	}
	return errUsage
}
