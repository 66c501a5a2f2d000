package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// What callers test for with errors.Is.
var (
	// ErrNotFound: the engine has no such object.
	ErrNotFound = errors.New("no such object")
	// ErrConflict: the object is not in a state that allows the request, or it is in use.
	ErrConflict = errors.New("object is in another state or in use")
	// ErrUnreachable: no engine answers. The error is an *UnreachableError.
	ErrUnreachable = errors.New("engine does not answer")
)

// UnreachableError names the endpoint that does not answer.
type UnreachableError struct {
	Endpoint string
	Err      error
}

// Error says which endpoint does not answer, and why.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("engine at %s does not answer: %v", e.Endpoint, e.Err)
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Is makes the error match ErrUnreachable.
func (e *UnreachableError) Is(target error) bool { return target == ErrUnreachable }

// wrap gives err its kind, and says which step on which object failed.
func (c *Client) wrap(err error, step, object string) error {
	if err == nil {
		return nil
	}
	if object != "" {
		step += " " + object
	}
	return fmt.Errorf("%s: %w", step, c.kind(err))
}

func (c *Client) kind(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case client.IsErrConnectionFailed(err):
		return &UnreachableError{Endpoint: c.endpoint, Err: err}
	case errdefs.IsNotFound(err):
		return kindError{ErrNotFound, err}
	case errdefs.IsConflict(err):
		return kindError{ErrConflict, err}
	}
	return err
}

// kindError carries the kind of an error beside the engine's own words.
type kindError struct{ kind, err error }

func (e kindError) Error() string   { return e.err.Error() }
func (e kindError) Unwrap() []error { return []error{e.kind, e.err} }
