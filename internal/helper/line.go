package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/sourcegraph/jsonrpc2"
)

// ErrGone is the outcome of calls whose other end is gone, or goes before it answers.
var ErrGone = errors.New("the other end of the line is gone")

// Handler answers one method; params and result are JSON. Each call runs in a goroutine of its own; its context ends when the
// caller's does, and with the line.
type Handler func(ctx context.Context, params json.RawMessage) (any, error)

// cancelMethod tells the other end that a caller does not wait any more.
const cancelMethod = "line.cancel"

// Line is a two-way line of calls: both ends call and answer. What crosses is JSON as Marshal makes it, so that
// names of files need not be UTF-8; handlers read their parameters with Unmarshal. It is safe for parallel use.
type Line struct {
	conn     *jsonrpc2.Conn
	handlers map[string]Handler
	codecs   []Codec
	calls    atomic.Uint64
	// last: this process ends with the line. Nobody is told that the line has ended then, for who is told would begin to put things back.
	last bool

	mu      sync.Mutex
	running map[jsonrpc2.ID]context.CancelCauseFunc
}

// NewLine begins a line over rw and answers the other end's calls with the handlers. Errors cross as text; those in their chain that a
// codec knows can be told apart on the other end too.
func NewLine(rw io.ReadWriteCloser, h map[string]Handler, codecs ...Codec) *Line {
	l := newLine(h, codecs...)
	l.begin(rw)
	return l
}

// newLine makes a line that is not connected yet, so that its handlers can be made with it.
func newLine(h map[string]Handler, codecs ...Codec) *Line {
	return &Line{handlers: maps.Clone(h), codecs: append(codecs, standard()), running: map[jsonrpc2.ID]context.CancelCauseFunc{}}
}

func (l *Line) begin(rw io.ReadWriteCloser) {
	ready := make(chan struct{})
	l.conn = jsonrpc2.NewConn(context.Background(), jsonrpc2.NewPlainObjectStream(rw), &receiver{l, ready}, jsonrpc2.SetLogger(log.New(io.Discard, "", 0)))
	close(ready)
}

// Call calls a method of the other end and waits for its result, which is stored in result unless that is nil. When ctx ends, so does
// the call's context on the other end; what it comes to is waited for all the same.
func (l *Line) Call(ctx context.Context, method string, params, result any) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	id := jsonrpc2.ID{Num: l.calls.Add(1)}
	sent, err := Marshal(params)
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	call, err := l.conn.DispatchCall(ctx, method, sent, jsonrpc2.PickID(id))
	if err != nil {
		return l.failed(method, err)
	}
	var raw json.RawMessage
	answered := make(chan error, 1)
	go func() { answered <- call.Wait(context.Background(), &raw) }()
	select {
	case err = <-answered:
	case <-ctx.Done():
		_ = l.Notify(cancelMethod, id)
		err = <-answered // it may have to put things back first, however long that takes, or have come to its end
	}
	if err == nil && result != nil {
		err = Unmarshal(raw, result)
	}
	err = l.failed(method, err)
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		err = errors.Join(err, context.Cause(ctx))
	}
	return err
}

// Notify tells the other end something that has no answer. What is told reaches the handlers in order.
func (l *Line) Notify(method string, params any) error {
	sent, err := Marshal(params)
	if err != nil {
		return fmt.Errorf("tell %s: %w", method, err)
	}
	return l.failed(method, l.conn.Notify(context.Background(), method, sent))
}

func (l *Line) failed(method string, err error) error {
	var answer *jsonrpc2.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer):
		return decodeError(answer, l.codecs)
	case l.last:
		select {}
	case errors.Is(err, jsonrpc2.ErrClosed):
		return fmt.Errorf("%s: %w", method, ErrGone)
	}
	return fmt.Errorf("call %s: %w", method, err)
}

// Done is closed when the other end is gone, or this one was closed.
func (l *Line) Done() <-chan struct{} { return l.conn.DisconnectNotify() }

// Close ends the line; calls that wait fail with ErrGone. Closing it again is no error.
func (l *Line) Close() error {
	if err := l.conn.Close(); !errors.Is(err, jsonrpc2.ErrClosed) {
		return err
	}
	return nil
}

// receiver takes the requests of the other end.
type receiver struct {
	line  *Line
	ready <-chan struct{}
}

// Handle runs a notification at once, so that they keep their order, and a call in a goroutine of its own.
func (r *receiver) Handle(ctx context.Context, _ *jsonrpc2.Conn, req *jsonrpc2.Request) {
	<-r.ready
	if req.Method == cancelMethod {
		r.line.cancel(params(req))
		return
	}
	h, known := r.line.handlers[req.Method]
	if req.Notif {
		if known {
			_, _ = h(ctx, params(req)) // nobody waits for what comes of it
		}
		return
	}
	if !known {
		h = func(context.Context, json.RawMessage) (any, error) {
			return nil, fmt.Errorf("the other end does not know the method %s", req.Method)
		}
	}
	if r.line.last {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r.line.mu.Lock()
	r.line.running[req.ID] = cancel
	r.line.mu.Unlock()
	go r.line.answer(ctx, req, h)
}

func (l *Line) answer(ctx context.Context, req *jsonrpc2.Request, h Handler) {
	result, err := h(ctx, params(req))
	l.mu.Lock()
	l.running[req.ID](nil)
	delete(l.running, req.ID)
	l.mu.Unlock()
	response := &jsonrpc2.Response{ID: req.ID}
	if err == nil {
		var raw json.RawMessage
		if raw, err = Marshal(result); err == nil {
			response.Result = &raw
		}
	}
	if err != nil {
		response.Error = encodeError(err, l.codecs)
	}
	_ = l.conn.SendResponse(context.Background(), response) // a caller that is gone needs no answer
}

func (l *Line) cancel(raw json.RawMessage) {
	var id jsonrpc2.ID
	if json.Unmarshal(raw, &id) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if cancel, ok := l.running[id]; ok {
		cancel(context.Canceled)
	}
}

func params(req *jsonrpc2.Request) json.RawMessage {
	if req.Params == nil {
		return nil
	}
	return *req.Params
}
