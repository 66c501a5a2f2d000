package quiesce

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
)

// Times of a guardian at work.
const (
	guardReach = 5 * time.Second  // to reach the engine before it says that it is ready
	guardTries = 60 * time.Second // to let go when the engine does not answer
	// A request of the dead parent may still be under way in the engine: for so long the guardian looks again.
	guardAfterPause = 1500 * time.Millisecond
	guardAfterStop  = 30 * time.Second
	guardLook       = 100 * time.Millisecond
)

// GuardianMain is the guardian process: it reads its order from in, says on out that it watches, and waits. When in ends without
// the word that all is done, or when the limit has passed, it lets the containers go. It writes nothing else and ends by itself; the
// signals that end its parent do not end it. It returns the exit code.
func GuardianMain(in io.Reader, out io.Writer) int {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
	lines := bufio.NewReader(in)
	o, e, err := takeOrder(lines)
	answer := reply{Ready: err == nil}
	if err != nil {
		answer.Error = err.Error()
	}
	if json.NewEncoder(out).Encode(answer) != nil || err != nil {
		return 1 // nobody listens: nothing was paused yet
	}
	defer e.Close()
	if waitForEnd(lines, time.Duration(o.LimitMS)*time.Millisecond) {
		return 0
	}
	return resume(e, o.Items, o.others(e))
}

// others tells whether another run of the project than the parent is at work on the engine. What cannot be found out counts as no.
func (o order) others(e *engine.Client) func(context.Context) bool {
	return func(ctx context.Context) bool {
		if o.Project == "" {
			return false
		}
		atWork, err := journal.AtWork(ctx, e, o.Project, o.Parent)
		return err == nil && atWork
	}
}

func takeOrder(lines *bufio.Reader) (order, *engine.Client, error) {
	var o order
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return o, nil, fmt.Errorf("read the order: %w", err)
	}
	if err := json.Unmarshal(line, &o); err != nil {
		return o, nil, fmt.Errorf("read the order: %w", err)
	}
	e, err := engine.Dial(o.Endpoint)
	if err != nil {
		return o, nil, err
	}
	reach := guardReach
	if o.Endpoint.SSH() {
		reach += guardByWay
	}
	ctx, cancel := context.WithTimeout(context.Background(), reach)
	defer cancel()
	for _, it := range o.Items {
		if _, err := e.Container(ctx, it.ID); err != nil {
			return o, nil, err
		}
	}
	return o, e, nil
}

// waitForEnd returns true when the parent says that all is done, false when it is gone or the limit has passed.
func waitForEnd(lines *bufio.Reader, limit time.Duration) bool {
	done := make(chan bool, 1)
	go func() {
		line, err := lines.ReadString('\n')
		done <- err == nil && line == doneLine+"\n"
	}()
	var over <-chan time.Time
	if limit > 0 {
		over = time.After(limit)
	}
	select {
	case d := <-done:
		return d
	case <-over:
		return false
	}
}

// resume lets go, then looks again for a while. What is held then, while another run is at work, is held by that one.
func resume(e Engine, items []Item, others func(context.Context) bool) int {
	var paused, stopped []Item
	for _, it := range items {
		if it.Action == Stop {
			stopped = append(stopped, it)
		} else {
			paused = append(paused, it)
		}
	}
	failed := make(chan bool, 2)
	go func() { failed <- resumeFor(e, paused, guardAfterPause, others) }()
	go func() { failed <- resumeFor(e, stopped, guardAfterStop, others) }()
	if a, b := <-failed, <-failed; a || b {
		return 1
	}
	return 0
}

func resumeFor(e Engine, items []Item, watch time.Duration, others func(context.Context) bool) (failed bool) {
	if len(items) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), guardTries)
	defer cancel()
	end := time.After(watch)
	tick := time.NewTicker(guardLook)
	defer tick.Stop()
	_, left, _ := letGoAll(ctx, e, items)
	again := &yielding{Engine: e, others: others, end: cancel}
	for {
		select {
		case <-end:
			return len(left) > 0
		case <-tick.C:
		}
		if _, left, _ = letGoAll(ctx, again, items); again.yielded.Load() {
			return false
		}
	}
}

// yielding is an engine that lets nothing go any more once another run of the project is at work. It asks when a container was
// already seen to be held: the other run held it after it had come.
type yielding struct {
	Engine
	others  func(context.Context) bool
	end     context.CancelFunc
	yielded atomic.Bool
}

// errYielded ends the attempts to let go.
var errYielded = errors.New("another run of the project is at work")

// Unpause lets go what no other run holds.
func (y *yielding) Unpause(ctx context.Context, id string) error {
	if y.yields(ctx) {
		return errYielded
	}
	return y.Engine.Unpause(ctx, id)
}

// Start starts what no other run holds.
func (y *yielding) Start(ctx context.Context, id string) error {
	if y.yields(ctx) {
		return errYielded
	}
	return y.Engine.Start(ctx, id)
}

func (y *yielding) yields(ctx context.Context) bool {
	if !y.yielded.Load() && y.others(ctx) {
		y.yielded.Store(true)
		y.end()
	}
	return y.yielded.Load()
}
