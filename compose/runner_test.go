package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

// TestMain lets the test program stand in for docker: FAKE_DOCKER says what it does.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == GateArg {
		os.Exit(GateMain(os.Args[2:]))
	}
	switch os.Getenv("FAKE_DOCKER") {
	case "":
		os.Exit(m.Run())
	case "echo":
		input, _ := io.ReadAll(os.Stdin)
		fmt.Printf("%s|%s|%s", strings.Join(os.Args[1:], " "), os.Getenv("DOCKER_CLI_HOOKS"), input)
	case "fail":
		fmt.Fprintln(os.Stderr, "Warning: x\nNo such thing")
		os.Exit(42)
	case "wait":
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		fmt.Println("ready")
		<-ended
		os.Exit(130)
	case "deaf":
		fmt.Println("ready")
		time.Sleep(time.Minute)
	case "hang":
		hangAtGate()
	case "config":
		fmt.Print(os.Getenv("FAKE_CONFIG"))
	}
}

// hangAtGate is a process that says who waits at its gate, and never opens it.
func hangAtGate() {
	self, _ := os.Executable()
	r := &Runner{Docker: self, Environ: append(os.Environ(), "FAKE_DOCKER=echo"), Gate: func(pid int, _ func() error) error {
		fmt.Println(pid)
		select {}
	}}
	out, err := os.Create(os.Getenv("FAKE_OUT"))
	if err != nil {
		panic(err)
	}
	r.Stdout = out
	_ = r.Run(context.Background(), "down")
}

// fake is a Runner whose docker is this test program.
func fake(t *testing.T, does string, environ ...string) *Runner {
	t.Helper()
	self, err := os.Executable()
	assert.NilError(t, err)
	return &Runner{Docker: self, Environ: append(os.Environ(), append(environ, "FAKE_DOCKER="+does)...)}
}

func TestRunnerPassesArgumentsInputAndOutput(t *testing.T) {
	r := fake(t, "echo", "DOCKER_CLI_HOOKS=true")
	var out bytes.Buffer
	r.Globals, r.Stdin, r.Stdout = []string{"--context", "far away"}, strings.NewReader("typed"), &out
	assert.NilError(t, r.Run(t.Context(), "up", "-d", "; rm -rf /"))
	assert.Equal(t, out.String(), "--context far away compose up -d ; rm -rf /|false|typed")
}

func TestRunnerPassesTheExitCodeOn(t *testing.T) {
	err := fake(t, "fail").Run(t.Context(), "up")
	exit := (*ExitError)(nil)
	assert.Assert(t, errors.As(err, &exit))
	assert.Equal(t, exit.Code, 42)
	assert.Error(t, err, "docker compose ended with exit code 42")
}

func TestRunnerNamesAProgramThatIsNotThere(t *testing.T) {
	err := (&Runner{Docker: "/no/such/docker"}).Run(t.Context(), "up")
	assert.ErrorContains(t, err, "start /no/such/docker")
}

// TestRunnerAsksTheChildToEnd cancels once the child said that it runs.
func TestRunnerAsksTheChildToEnd(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("this system has no signal to ask a child with")
	}
	for _, does := range []string{"wait", "deaf"} { // one that has not begun to listen, as docker compose at first, ends all the same
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := fake(t, does)
		r.Stdout = writerFunc(func([]byte) { cancel() })
		err := r.Run(ctx, "up")
		exit := (*ExitError)(nil)
		assert.Assert(t, errors.As(err, &exit), "%s: %v", does, err)
		assert.Equal(t, exit.Code, 130, does)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

func TestARemoteIncludeIsLoadedByDockerCompose(t *testing.T) {
	const resolved = `name: far
services:
  a: {image: x, volumes: [{type: volume, source: v, target: /v}], environment: {PASSWORD: "a$$b"}}
  off: {image: y, profiles: [debug], volumes: [{type: bind, source: /srv/off, target: /off}]}
volumes: {v: {name: far_v}}
x-memsys: {quiesce: stop}
`
	p := project(t, map[string]string{"compose.yaml": "include: ['oci://example.org/part:1']\nservices: {a: {image: x}}\nx-memsys:\n  quiesce: stop\n"},
		func(o *LoadOptions) { o.Runner = fake(t, "config", "FAKE_CONFIG="+resolved) })
	c := config(t, p)
	assert.Equal(t, p.Name, "far")
	assert.Equal(t, c.Origins["quiesce"], "compose.yaml:4")
	assert.DeepEqual(t, table(p, nil, c), []string{"off bind /srv/off: off:/off", "v volume far_v: a:/v"})
	assert.Equal(t, p.Services()[1].Enabled, false)
	assert.Assert(t, cmp.Len(p.Files(), 1))
	assert.Equal(t, *p.model.Services["a"].Environment["PASSWORD"], "a$b")
}

func TestARemoteIncludeThatFailsSaysWhy(t *testing.T) {
	_, err := tryProject(t, t.TempDir(), map[string]string{"compose.yaml": "include: ['oci://example.org/part:1']\n"},
		func(o *LoadOptions) { o.Runner = fake(t, "fail") })
	assert.Error(t, err, "remote compose file oci://example.org/part:1: docker compose config: no such thing")
}
