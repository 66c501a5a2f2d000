// Package enginetest is a complete small engine for tests: containers with their states, volumes, images, and faults at any call.
// Conformance holds it and the real engine to the same behaviour; Serve puts it behind the engine's own protocol.
package enginetest

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Call is one request to the fake.
type Call struct {
	Name   string // of the method
	Object string // id or name it is about
}

// Hook is asked at each call; an error that it returns is the call's outcome.
type Hook func(Call) error

// Engine is the fake. It is safe for parallel use.
type Engine struct {
	mu         sync.Mutex
	info       engine.Info
	now        func() time.Time
	containers map[string]engine.Container
	volumes    map[string]engine.Volume
	images     map[string]engine.Image
	processes  map[string]*process
	layers     map[string]map[string]layerFile
	main       Main
	disk       string
	before     Hook
	after      Hook
	program    Program
	lost       chan struct{}
	calls      []Call
	made       int
}

// New returns an engine without anything in it, whose clock is now.
func New(now func() time.Time) *Engine {
	return &Engine{
		info:       engine.Info{ID: "fake-engine", Name: "fake", Version: "29.0.0", APIVersion: "1.52", OS: "linux", Architecture: runtime.GOARCH, RootDir: "/var/lib/docker"},
		now:        now,
		containers: map[string]engine.Container{}, volumes: map[string]engine.Volume{}, images: map[string]engine.Image{},
		processes: map[string]*process{}, lost: make(chan struct{}),
	}
}

// Lose breaks the connection of everyone who watches the engine.
func (e *Engine) Lose() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.lost)
	e.lost = make(chan struct{})
}

// Lost is closed when the engine is lost.
func (e *Engine) Lost(context.Context) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lost
}

// SetInfo replaces what the engine says of itself, but for its time.
func (e *Engine) SetInfo(info engine.Info) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.info = info
}

// Before sets what is asked before each call; with an error nothing is done. nil: nothing.
func (e *Engine) Before(h Hook) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.before = h
}

// After sets what is asked after each call that succeeded: with an error it was done and the caller does not know. nil: nothing.
func (e *Engine) After(h Hook) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.after = h
}

// Calls returns the calls so far, in order.
func (e *Engine) Calls() []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

// Add puts a container there, running if it has no state, and returns its id. Its labels follow from its fields.
func (e *Engine) Add(c engine.Container) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.add(c)
}

func (e *Engine) add(c engine.Container) string {
	e.made++
	if c.ID == "" {
		c.ID = fmt.Sprintf("%064x", e.made)
	}
	if c.Name == "" {
		c.Name = fmt.Sprintf("container%d", e.made)
	}
	if c.State == "" {
		c.State = engine.Running
	}
	if c.State != engine.Created && c.Started.IsZero() {
		c.Started = e.now()
	}
	c.Labels = maps.Clone(c.Labels)
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	for label, value := range map[string]string{engine.ProjectLabel: c.Project, engine.ServiceLabel: c.Service, engine.NumberLabel: c.Number} {
		if value != "" {
			c.Labels[label] = value
		}
	}
	e.containers[c.ID] = c
	return c.ID
}

// SetState changes a container's state as somebody else would.
func (e *Engine) SetState(id string, s engine.State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, ok := e.containers[id]
	if !ok {
		panic("no container " + id)
	}
	c.State = s
	e.containers[id] = c
}

// State returns a container's state, empty if there is none.
func (e *Engine) State(id string) engine.State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.containers[id].State
}

// Remove removes a container as somebody else would.
func (e *Engine) Remove(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.containers, id)
}

// AddImage puts an image there under its id and tags.
func (e *Engine) AddImage(i engine.Image) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.putImage(i)
}

// AddVolume puts a volume there as it is, its time of creation too.
func (e *Engine) AddVolume(v engine.Volume) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.volumes[v.Name] = v
}

// do runs one call with the hooks around it. The hooks may use the fake.
func (e *Engine) do(ctx context.Context, call Call, f func() error) error {
	e.mu.Lock()
	e.calls = append(e.calls, call)
	before, after := e.before, e.after
	e.mu.Unlock()
	if before != nil {
		if err := before(call); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	err := f()
	e.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s %s: %w", strings.ToLower(call.Name), call.Object, err)
	}
	if after != nil {
		return after(call)
	}
	return nil
}
