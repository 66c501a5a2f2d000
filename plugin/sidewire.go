package plugin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/restore"
)

// The methods that a helper answers.
const (
	callLook     = "backup.look"
	callRestless = "backup.restless"
	callRead     = "backup.read"
	callProve    = "backup.inspect"
	callComplete = "backup.complete"
	callAbort    = "backup.abort"
	callSizes    = "sizes"
	callRemove   = "scratch.remove"
	callShare    = "share"
	callPrepare  = "restore.prepare"
	callRun      = "restore.run"
	callRecover  = "restore.recover"

	callFindAside   = "aside.find"
	callRemoveAside = "aside.remove"

	callSurvey  = "inventory.survey"
	callInspect = "inventory.inspect"
	callCompare = "files.compare"
)

// The methods that a helper calls.
const (
	askStep         = "journal.step"
	askSafety       = "restore.safety"
	askSafetyAt     = "restore.safety-at"
	askKeep         = "restore.keep"
	askForget       = "restore.forget"
	askContainers   = "engine.containers"
	askContainer    = "engine.container"
	askPause        = "engine.pause"
	askUnpause      = "engine.unpause"
	askStop         = "engine.stop"
	askStart        = "engine.start"
	askPreStop      = "service.pre-stop"
	askPostStart    = "service.post-start"
	askVolume       = "engine.volume"
	askMakeVolume   = "engine.create-volume"
	askRemoveVolume = "engine.remove-volume"
	askRecords      = "inventory.records"
	askExpected     = "files.expected"
	tellProgress    = "progress"
)

type (
	// readCall asks for an archive of the sources; the file is made where it lies in a scratch folder.
	readCall struct {
		backup.ReadRequest
		Make bool `json:"make,omitempty"`
	}
	// readReply is an archive that waits for the rest.
	readReply struct {
		ID     int           `json:"id"`
		Copied backup.Copied `json:"copied"`
	}
	proveCall struct {
		ID      int               `json:"id"`
		Options inventory.Options `json:"options"`
	}
	completeCall struct {
		ID         int               `json:"id"`
		Completion backup.Completion `json:"completion"`
	}
	completeReply struct {
		Manifest *archive.Manifest `json:"manifest"`
	}
	idCall struct {
		ID int `json:"id"`
	}
	// spot is where a source lies, or why it has no place.
	spot struct {
		Path string `json:"path"`
		Err  string `json:"error,omitempty"`
	}
	prepareCall struct {
		Request restore.Request `json:"request"`
		Spots   map[string]spot `json:"spots"`
		Engine  bool            `json:"engine,omitempty"` // one answers
	}
	prepareReply struct {
		ID   int           `json:"id"`
		Plan *restore.Plan `json:"plan"`
	}
	recoverCall struct {
		Steps []journal.Step `json:"steps"`
	}
	sizesCall struct {
		Paths []string `json:"paths"`
		Sized bool     `json:"sized,omitempty"`
	}
	// sized is what one path holds: its bytes, -1 where they cannot be told, or why it cannot be reached.
	sized struct {
		Unreachable string `json:"unreachable,omitempty"`
		Size        int64  `json:"size"`
	}
	pathCall struct {
		Path string `json:"path"`
	}
	stepCall struct {
		Name string          `json:"name"`
		Data json.RawMessage `json:"data,omitempty"`
	}
	nameCall struct {
		Name    string  `json:"name"`
		Seconds float64 `json:"seconds,omitempty"`
	}
)

// on is a handler of calls whose parameters are a P.
func on[P, R any](f func(ctx context.Context, p P) (R, error)) helper.Handler {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var p P
		if len(raw) > 0 {
			if err := helper.Unmarshal(raw, &p); err != nil {
				return nil, fmt.Errorf("read a request: %w", err)
			}
		}
		return f(ctx, p)
	}
}

// nothing is the result of calls that only fail or not.
type nothing struct{}

// acts is a handler of calls without result.
func acts[P any](f func(ctx context.Context, p P) error) helper.Handler {
	return on(func(ctx context.Context, p P) (nothing, error) { return nothing{}, f(ctx, p) })
}

// caller is an end of a line.
type caller interface {
	Call(ctx context.Context, method string, params, result any) error
	Notify(method string, params any) error
}
