package quiesce

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
)

// GuardianArg is the hidden first argument with which the plugin's executable becomes a guardian.
const GuardianArg = "__guardian"

// Times of the conversation with the guardian.
const (
	guardStart = 10 * time.Second // until it says that it is ready
	guardByWay = 20 * time.Second // longer, where ssh has to find its way first
	guardEnd   = 2 * time.Second  // until it has gone after it was told that all is done
)

// order is the first line that a guardian reads; it has the endpoint's keys in it, so it goes through the pipe, never through arguments.
type order struct {
	Endpoint engine.Endpoint `json:"endpoint"`
	Items    []Item          `json:"items"`
	LimitMS  int64           `json:"limit_ms"` // 0: no limit
	Project  string          `json:"project,omitempty"`
	Parent   int             `json:"parent,omitempty"` // process id
}

// doneLine is the last line that a guardian reads when nothing is left for it to do.
const doneLine = "done"

// reply is the one line that a guardian writes.
type reply struct {
	Ready bool   `json:"ready"`
	Error string `json:"error,omitempty"`
}

// Guardian is the Guard that starts this program's executable again, in a session of its own, with a pipe from this process: the end of
// the pipe is how it learns of our death. It reaches engines by unix://, npipe:// and tcp:// addresses, the latter with TLS, and by ssh://
// where that asks for nothing.
type Guardian struct {
	// Executable is the program to start; its Main hands over to GuardianMain at GuardianArg. Empty: the running one.
	Executable string
	Endpoint   engine.Endpoint
	// Project is the name under which runs lock the project on the engine: the guardian lets nothing go that the next run holds.
	Project string
}

// Watch starts the guardian and returns once it has reached the engine and watches.
func (g Guardian) Watch(ctx context.Context, items []Item, limit time.Duration) (Watch, error) {
	path, err := g.executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, GuardianArg)
	cmd.Env = g.environment()
	detach(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &watching{cmd: cmd, in: in}
	if err := w.instruct(ctx, out, order{
		Endpoint: g.Endpoint, Items: items, LimitMS: limit.Milliseconds(), Project: g.Project, Parent: os.Getpid(),
	}); err != nil {
		w.kill()
		return nil, err
	}
	return w, nil
}

// environment is what the guardian gets of ours: nothing, as the order says all that it needs, but what ssh needs where it is used.
func (g Guardian) environment() []string {
	env := []string{}
	if !g.Endpoint.SSH() {
		return env
	}
	for _, name := range []string{
		"HOME", "LOGNAME", "PATH", "SSH_AUTH_SOCK", "USER", "XDG_RUNTIME_DIR", "KRB5CCNAME",
		"SYSTEMROOT", "USERPROFILE", "PROGRAMDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", // on Windows
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (g Guardian) executable() (string, error) {
	if g.Executable != "" {
		return g.Executable, nil
	}
	if _, err := os.Stat("/proc/self/exe"); err == nil {
		return "/proc/self/exe", nil // stays right when an update replaces the file meanwhile
	}
	return os.Executable()
}

// watching is a guardian process at work.
type watching struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

func (w *watching) instruct(ctx context.Context, out io.Reader, o order) error {
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	answer := make(chan error, 1)
	go func() {
		if _, err := w.in.Write(append(line, '\n')); err != nil {
			answer <- err
			return
		}
		answer <- readReply(out)
	}()
	wait := guardStart
	if o.Endpoint.SSH() {
		wait += guardByWay
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errors.New("it does not answer"))
	defer cancel()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func readReply(out io.Reader) error {
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("it ended before it was ready: %w", err)
	}
	var r reply
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	if !r.Ready {
		return errors.New(r.Error)
	}
	return nil
}

// Done tells the guardian that nothing is left to do, and waits until it has gone.
func (w *watching) Done() {
	// A guardian that died already cannot be told and need not be.
	_, _ = io.WriteString(w.in, doneLine+"\n")
	_ = w.in.Close()
	timer := time.AfterFunc(guardEnd, func() { _ = w.cmd.Process.Kill() })
	defer timer.Stop()
	_ = w.cmd.Wait()
}

// Abandon closes the pipe, so that the guardian acts as if this process had died.
func (w *watching) Abandon() {
	_ = w.in.Close()
	_ = w.cmd.Process.Release()
}

// kill ends a guardian that was not given or has not taken its order.
func (w *watching) kill() {
	_ = w.cmd.Process.Kill()
	_ = w.in.Close()
	_ = w.cmd.Wait()
}
