package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/tree"
)

// TestMain lets this test's executable be the plugin: scripts start it as docker-memsys, runs in a test as guardian and gate.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{quiesce.GuardianArg, compose.GateArg}, os.Args[1]) {
		Main()
	}
	testscript.Main(m, map[string]func(){
		"docker-memsys": Main,
		"hold":          holdMain,
	})
}

// TestScripts runs the command line as a person types it. Every script must leave the engine alone, unless it calls "dials".
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"dials": dials,
			"flip":  flip,

			"flipnewest": flipNewest,
			"newest":     newest,
			"interrupt":  interrupt,
			"rot":        rot,
			"plain":      plain,
		},
	})
}

// dialKey is under which a script keeps how often its engine was dialled.
type dialKey struct{}

// setUpScript gives a script an engine that only counts who dials it, an empty configuration, and a quiet display.
func setUpScript(env *testscript.Env) error {
	dir, err := os.MkdirTemp("", "memsys")
	if err != nil {
		return err
	}
	env.Defer(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "engine.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	dialled := &atomic.Int64{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			_ = conn.Close()
		}
	}()
	env.Defer(func() { _ = listener.Close() })
	env.Values[dialKey{}] = dialled
	env.Setenv("DOCKER_HOST", "unix://"+socket)
	env.Setenv("DOCKER_CONFIG", filepath.Join(env.WorkDir, ".docker"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv(journal.DirVariable, filepath.Join(dir, "state"))
	env.Setenv("TZ", "UTC")
	return nil
}

// exits runs a command that must end with an exit code: "exits 2 docker-memsys bogus".
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code is %d, want %d", got, want)
	}
}

// dials checks whether the script's engine was dialled since the last time: "dials" or "! dials".
func dials(ts *testscript.TestScript, neg bool, _ []string) {
	n := ts.Value(dialKey{}).(*atomic.Int64).Swap(0)
	if neg != (n == 0) {
		ts.Fatalf("the engine was dialled %d times", n)
	}
}

// flip changes one byte of a file, a third of the way in. The name may be a pattern of exactly one file.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) != 1 {
		ts.Fatalf("%s is %d files", args[0], len(files))
	}
	file := files[0]
	data, err := os.ReadFile(file)
	ts.Check(err)
	data[len(data)/3] ^= 1
	ts.Check(os.WriteFile(file, data, 0o600))
}

// flipNewest flips a byte of the newest archive in a folder and sets NEWEST to its path.
func flipNewest(ts *testscript.TestScript, neg bool, args []string) {
	newest(ts, neg, []string{"NEWEST", args[0]})
	flip(ts, neg, []string{ts.Getenv("NEWEST")})
}

// newest sets a variable to the path of the newest archive in a folder: "newest OLD backups".
func newest(ts *testscript.TestScript, _ bool, args []string) {
	names, err := filepath.Glob(filepath.Join(ts.MkAbs(args[1]), "memory_backup_*.tar.gz"))
	ts.Check(err)
	if len(names) == 0 {
		ts.Fatalf("no archive in %s", args[1])
	}
	slices.Sort(names)
	ts.Setenv(args[0], names[len(names)-1])
}

// plain runs the commands that the README gives for restoring with plain tools, on the one archive of the folder.
func plain(ts *testscript.TestScript, _ bool, _ []string) {
	readme, err := os.ReadFile("../README.md")
	ts.Check(err)
	_, rest, found := strings.Cut(string(readme), "## Without this program")
	_, rest, opened := strings.Cut(rest, "```console\n")
	commands, _, closed := strings.Cut(rest, "```")
	if !found || !opened || !closed || !strings.Contains(commands, "tar xzpf") {
		ts.Fatalf("the README has no commands for plain tools")
	}
	archives, err := filepath.Glob(ts.MkAbs("memory_backup_*.tar.gz"))
	ts.Check(err)
	if len(archives) != 1 {
		ts.Fatalf("found %d archives", len(archives))
	}
	commands = strings.NewReplacer("BACKUP", filepath.Base(archives[0]), "/tmp/restored", ts.Getenv("WORK")+"/restored").Replace(commands)
	ts.Check(ts.Exec("sh", "-euc", commands))
}

// interrupt leaves a folder and the journal as a restore leaves them that dies between two moves.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	root := ts.MkAbs(args[0])
	staging := filepath.Join(root, ".memsys-dead")
	ts.Check(os.MkdirAll(filepath.Join(staging, "old"), 0o700))
	ts.Check(os.MkdirAll(filepath.Join(staging, "new"), 0o700))
	swap := &tree.Swap{
		Root: tree.RawPath(root), Staging: tree.RawPath(staging),
		Moves: []tree.Move{{Path: "a.json", Old: true}, {Path: "new.json", New: true}, {Path: "z.json", New: true}},
	}
	ts.Check(os.Rename(filepath.Join(root, "a.json"), filepath.Join(staging, "old", "a.json")))
	ts.Check(os.WriteFile(filepath.Join(root, "new.json"), nil, 0o600))
	ts.Check(os.WriteFile(filepath.Join(staging, "new", "z.json"), nil, 0o600))
	moves, err := json.Marshal(swap)
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(staging, "swap.json"), moves, 0o600))

	state, err := journal.Open(ts.Getenv(journal.DirVariable), "notes in "+ts.MkAbs("."))
	ts.Check(err)
	j, err := state.Journal(time.Now)
	ts.Check(err)
	ts.Check(j.Begin("restore", nil))
	swap.Moves = nil
	ts.Check(j.Step("restore.swap", swap))
	ts.Check(j.Close())
}

// rot changes a byte in the first record of the journal.
func rot(ts *testscript.TestScript, _ bool, _ []string) {
	state := journal.View(ts.Getenv(journal.DirVariable), "notes in "+ts.MkAbs("."))
	path := filepath.Join(state.Dir(), "journal")
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[50] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}

// holdMain is a command line with one command that holds something until it is told to let go.
func holdMain() {
	w := newWorld(nil)
	a := newApp(w)
	root := a.root()
	cmd := a.versionCommand()
	cmd.Use = "hold"
	cmd.RunE = func(c *cobra.Command, _ []string) error { return hold(c.Context(), w) }
	root.AddCommand(cmd)
	root.SetArgs([]string{"hold"})
	os.Exit(a.finish(root.Execute()))
}

// hold waits for the interruption, then for the end of its input, and only then puts back what it held.
func hold(ctx context.Context, w *world) error {
	fmt.Fprintln(w.Out, "holding")
	<-ctx.Done()
	fmt.Fprintln(w.Out, "stopping")
	buffer := make([]byte, 1)
	_, _ = w.In.Read(buffer)
	fmt.Fprintln(w.Out, "put back")
	return context.Cause(ctx)
}
