package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
)

type shortage struct{ Need, Free int64 }

func (s shortage) Error() string { return fmt.Sprint("short of space: ", s.Need, s.Free) }

type told struct{ Name []byte }

func (t *told) Error() string { return fmt.Sprintf("told %q", t.Name) }

var errOwn = errors.New("of our own")

func codecs() []Codec {
	return []Codec{Sentinel(map[string]error{"own": errOwn}), Typed[shortage]("shortage"), Typed[*told]("told")}
}

func ends(t *testing.T, a, b map[string]Handler) (*Line, *Line) {
	t.Helper()
	left, right := net.Pipe()
	la, lb := NewLine(left, a, codecs()...), NewLine(right, b, codecs()...)
	t.Cleanup(func() { la.Close(); lb.Close() })
	return la, lb
}

func TestBothEndsCallAndCallBackWithinACall(t *testing.T) {
	var b *Line
	a, b := ends(t, map[string]Handler{"double": func(_ context.Context, p json.RawMessage) (any, error) {
		var n int64
		return 2 * must(t, json.Unmarshal(p, &n), &n), nil
	}}, map[string]Handler{"quadruple": func(ctx context.Context, p json.RawMessage) (any, error) {
		var n int64
		if err := b.Call(ctx, "double", p, &n); err != nil {
			return nil, err
		}
		return 2 * n, nil
	}})
	for n := range int64(50) {
		var got int64
		big := n + 1<<60/4
		assert.NilError(t, a.Call(t.Context(), "quadruple", big, &got))
		assert.Equal(t, got, 4*big)
	}
}

func must(t *testing.T, err error, n *int64) int64 {
	t.Helper()
	assert.NilError(t, err)
	return *n
}

func TestErrorsCrossWithTheirTextAndWhatTheyCanBeTestedFor(t *testing.T) {
	cases := map[string]error{
		"own": fmt.Errorf("do it: %w", errOwn), "shortage": fmt.Errorf("write: %w", shortage{5, 3}),
		"errno": &fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOSPC}, "joined": errors.Join(errOwn, &told{[]byte("\xff\x00")}),
		"missing": fmt.Errorf("read: %w", os.ErrNotExist), "canceled": fmt.Errorf("stop: %w", context.Canceled), "plain": errors.New("only text"),
	}
	handlers := map[string]Handler{}
	for name, err := range cases {
		handlers[name] = func(context.Context, json.RawMessage) (any, error) { return nil, err }
	}
	a, _ := ends(t, nil, handlers)
	got := map[string]error{}
	for name, want := range cases {
		got[name] = a.Call(t.Context(), name, nil, nil)
		assert.Error(t, got[name], want.Error())
	}
	assert.ErrorIs(t, got["own"], errOwn)
	assert.ErrorIs(t, got["joined"], errOwn)
	assert.ErrorIs(t, got["errno"], syscall.ENOSPC)
	assert.ErrorIs(t, got["missing"], fs.ErrNotExist)
	assert.ErrorIs(t, got["canceled"], context.Canceled)
	var s shortage
	assert.Assert(t, errors.As(got["shortage"], &s))
	assert.DeepEqual(t, s, shortage{5, 3})
	var w *told
	assert.Assert(t, errors.As(got["joined"], &w))
	assert.Equal(t, string(w.Name), "\xff\x00")
	assert.Assert(t, !errors.Is(got["plain"], errOwn))
}

func TestACallThatIsCancelledEndsOnTheOtherEndToo(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	a, _ := ends(t, nil, map[string]Handler{"wait": func(ctx context.Context, _ json.RawMessage) (any, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	go func() { <-begun; cancel(why) }()
	assert.ErrorIs(t, a.Call(ctx, "wait", nil, nil), why)
	<-ended
	assert.ErrorIs(t, a.Call(ctx, "wait", nil, nil), why)
}

func TestACancelledCallTellsWhatItCameTo(t *testing.T) {
	begun := make(chan struct{})
	a, _ := ends(t, nil, map[string]Handler{"finish": func(ctx context.Context, _ json.RawMessage) (any, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return "done all the same", nil
	}, "put back": func(ctx context.Context, _ json.RawMessage) (any, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return nil, fmt.Errorf("put back: %w", os.ErrNotExist)
	}})
	cancelled := func() context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-begun; cancel() }()
		return ctx
	}
	var got string
	assert.NilError(t, a.Call(cancelled(), "finish", nil, &got))
	assert.Equal(t, got, "done all the same")
	err := a.Call(cancelled(), "put back", nil, nil)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestCallsFailWhenTheOtherEndGoes(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	a, b := ends(t, nil, map[string]Handler{"wait": func(ctx context.Context, _ json.RawMessage) (any, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}})
	go func() { <-begun; b.Close() }()
	assert.ErrorIs(t, a.Call(t.Context(), "wait", nil, nil), ErrGone)
	<-ended
	<-a.Done()
	assert.ErrorIs(t, a.Call(t.Context(), "wait", nil, nil), ErrGone)
	assert.ErrorIs(t, a.Notify("word", nil), ErrGone)
	assert.NilError(t, b.Close())
}

func TestNotificationsKeepTheirOrderAndComeBeforeTheAnswer(t *testing.T) {
	var b *Line
	var last atomic.Int64
	const count = 1000
	a, b := ends(t, map[string]Handler{"at": func(_ context.Context, p json.RawMessage) (any, error) {
		var n int64
		if json.Unmarshal(p, &n) == nil && last.Load() == n-1 {
			last.Store(n)
		}
		return nil, nil
	}}, map[string]Handler{"work": func(context.Context, json.RawMessage) (any, error) {
		for n := range count {
			if err := b.Notify("at", n+1); err != nil {
				return nil, err
			}
		}
		return "done", nil
	}})
	var result string
	assert.NilError(t, a.Call(t.Context(), "work", nil, &result))
	assert.Equal(t, last.Load(), int64(count))
}

func TestAnUnknownMethodIsAnError(t *testing.T) {
	a, _ := ends(t, nil, nil)
	assert.ErrorContains(t, a.Call(t.Context(), "nothing", nil, nil), "does not know the method nothing")
	assert.NilError(t, a.Notify("nothing", nil))
	assert.ErrorContains(t, a.Call(t.Context(), "nothing", nil, nil), "does not know the method nothing")
}
