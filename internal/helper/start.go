package helper

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Times of a helper's life.
const (
	startTime  = time.Minute      // until it answers
	endTime    = 10 * time.Second // until the engine has removed a container that ends
	lookAgain  = 50 * time.Millisecond
	imageTries = 5 // other clients may keep the image from being made, or remove it before it is used
)

// Process is a helper at work.
type Process struct {
	engine  Engine
	id      string
	scratch string
	line    *Line
	stderr  *tail
	ended   func() (int, error)
}

// Start makes the image if the engine lacks it, and starts a helper that answers with the same version. Calls to the handlers come
// from it. The caller closes it; what a caller leaves that dies, Sweep removes.
func Start(ctx context.Context, e Engine, s Spec, h map[string]Handler) (*Process, error) {
	info, err := e.Info(ctx)
	if err != nil {
		return nil, err
	}
	if info.OS != "" && info.OS != "linux" {
		return nil, fmt.Errorf("the engine runs %s containers: a helper needs one that runs linux containers", info.OS)
	}
	path, err := s.Executable("linux", info.Architecture)
	if err != nil {
		return nil, err
	}
	if err := checkExecutable(path, info.Architecture); err != nil {
		return nil, err
	}
	p := &Process{engine: e, stderr: &tail{}}
	if err := p.start(ctx, s, info, path, h); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*endTime)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("start the helper container: %w", err), p.Close(ctx))
	}
	return p, nil
}

func (p *Process) start(ctx context.Context, s Spec, info engine.Info, path string, h map[string]Handler) error {
	name := strings.ToLower(rand.Text()[:12])
	if s.Scratch {
		p.scratch = "memsys-scratch-" + name
		if _, err := p.engine.CreateVolume(ctx, engine.Volume{Name: p.scratch, Labels: s.labels()}); err != nil {
			return err
		}
	}
	what := engine.Process{
		Name: "memsys-helper-" + name, Command: []string{"/" + program, Arg}, Labels: s.labels(), Mounts: s.mounts(p.scratch),
		Capabilities: s.capabilities(), HostUsers: info.RemapsUsers && !info.Rootless,
	}
	if err := p.create(ctx, what, path, s.Version); err != nil {
		return err
	}
	conn, err := p.engine.Attach(ctx, p.id, p.stderr)
	if err != nil {
		return err
	}
	p.line = NewLine(conn, h, s.Codecs...)
	p.ended = p.engine.Ended(context.WithoutCancel(ctx), p.id)
	if err := p.engine.Start(ctx, p.id); err != nil {
		return err
	}
	return p.greet(ctx, s.Version)
}

// create makes the container of the image, and the image again if it could not be had because of other clients, or if one of them has
// removed it meanwhile.
func (p *Process) create(ctx context.Context, what engine.Process, path, version string) error {
	for try := 1; ; try++ {
		ref, err := image(ctx, p.engine, path, version)
		if err == nil {
			what.Image, p.id = ref, what.Name // until it says its id, the container may be there all the same
			var id string
			if id, err = p.engine.CreateContainer(ctx, what); err == nil {
				p.id = id
				return nil
			}
			if _, missing := p.engine.Image(ctx, ref); !errors.Is(missing, engine.ErrNotFound) {
				return err
			}
		}
		if ref == "" || try == imageTries || ctx.Err() != nil {
			return err
		}
	}
}

func (p *Process) greet(ctx context.Context, version string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("it does not answer within %s", startTime))
	defer cancel()
	var g greeting
	if err := p.line.Call(ctx, helloMethod, nil, &g); err != nil {
		return p.explain(err)
	}
	if g.Version != version {
		return fmt.Errorf("its executable is of version %s, this program of %s: use the same of both", g.Version, version)
	}
	return nil
}

// Line is the line to the helper.
func (p *Process) Line() *Line { return p.line }

// Call calls a method of the helper. If the helper is gone, the error is ErrGone with the engine's account of its end.
func (p *Process) Call(ctx context.Context, method string, params, result any) error {
	return p.explain(p.line.Call(ctx, method, params, result))
}

// explain adds to the news that the helper is gone what the engine and the helper itself said of its end.
func (p *Process) explain(err error) error {
	if !errors.Is(err, ErrGone) {
		return err
	}
	how := "the engine does not say why"
	if code, failed := p.result(); failed != nil {
		how = failed.Error()
	} else if code == killedCode {
		how = "it was killed, perhaps for lack of memory (exit code 137)"
	} else {
		how = fmt.Sprintf("it ended with exit code %d", code)
	}
	if said := p.stderr.String(); said != "" {
		how += "; it said: " + said
	}
	return fmt.Errorf("%w: helper container: %s", err, how)
}

// killedCode is the exit code of a process that was killed.
const killedCode = 137

// result waits a moment for the engine's account of the helper's end.
func (p *Process) result() (int, error) {
	type outcome struct {
		code int
		err  error
	}
	told := make(chan outcome, 1)
	go func() {
		code, err := p.ended()
		told <- outcome{code, err}
	}()
	select {
	case o := <-told:
		return o.code, o.err
	case <-time.After(endTime):
		return 0, errors.New("the engine does not say how it ended")
	}
}

// Close ends the helper and removes its container and its scratch volume. Closing it again is no error.
func (p *Process) Close(ctx context.Context) error {
	if p.line != nil {
		_ = p.line.Close() // with its stdin the helper ends
	}
	if p.id != "" {
		if err := removeContainer(ctx, p.engine, p.id); err != nil {
			return err
		}
		p.id = ""
	}
	if p.scratch == "" {
		return nil
	}
	if err := p.engine.RemoveVolume(ctx, p.scratch); err != nil && !errors.Is(err, engine.ErrNotFound) {
		return err
	}
	p.scratch = ""
	return nil
}

// removeContainer removes a container, which the engine may be removing by itself, and waits until it is gone.
func removeContainer(ctx context.Context, e Engine, id string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, endTime, fmt.Errorf("container %s is not gone after %s", id, endTime))
	defer cancel()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		err := e.RemoveContainer(ctx, id)
		if err != nil && !errors.Is(err, engine.ErrConflict) && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
		if _, err = e.Container(ctx, id); errors.Is(err, engine.ErrNotFound) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// ErrAtWork is the outcome of a sweep that leaves a helper which may still be at work.
var ErrAtWork = errors.New("a helper container may still be at work")

// Sweep removes the containers and scratch volumes of the project with that key, and returns their names. Only whoever holds the
// project's lock may call it, while it has no helper. It leaves alone the helpers of clients that only read and of which reads says, by
// their Spec.Reader, that they are still there; nil: of none. Unless the error is ErrAtWork, no other helper works any more.
func Sweep(ctx context.Context, e Engine, key string, reads func(reader string) bool) (removed []string, err error) {
	spared := func(labels map[string]string) bool {
		reader := labels[readerLabel]
		return reader != "" && reads != nil && reads(reader)
	}
	containers, err := e.Containers(ctx, engine.Filter{Label: Label + "=" + key})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAtWork, err)
	}
	for _, c := range containers {
		if spared(c.Labels) {
			continue
		}
		if err := removeContainer(ctx, e, c.ID); err != nil {
			return removed, fmt.Errorf("%w: %w", ErrAtWork, err)
		}
		removed = append(removed, "container "+c.Name)
	}
	volumes, err := e.Volumes(ctx, Label, key)
	if err != nil {
		return removed, err
	}
	for _, v := range volumes {
		if spared(v.Labels) {
			continue
		}
		if err := e.RemoveVolume(ctx, v.Name); err != nil && !errors.Is(err, engine.ErrNotFound) {
			return removed, err
		}
		removed = append(removed, "volume "+v.Name)
	}
	return removed, nil
}

// tailSize is how much of what a helper writes to stderr is kept.
const tailSize = 4 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}
