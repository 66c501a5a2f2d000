package plugin

import (
	"encoding/json"
	"errors"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/tree"
)

// codecs carry the errors that exit codes and hints are made of across the line to a helper. Those of the standard library's kinds
// cross without one.
func codecs() []helper.Codec {
	return []helper.Codec{
		helper.Sentinel(map[string]error{
			"backup.nothing": backup.ErrNothing, "plugin.interrupted": errInterrupted,
			"archive.not ours": archive.ErrNotOurs, "archive.newer": archive.ErrNewer,
			"engine.not found": engine.ErrNotFound, "engine.conflict": engine.ErrConflict,
			"tree.mount": tree.ErrMountPoint, "tree.kept": tree.ErrKept, "tree.torn": tree.ErrTorn,
		}),
		helper.Typed[*backup.NoSpaceError]("backup.no space"),
		helper.Typed[*backup.DamagedError]("backup.damaged"),
		helper.Typed[*restore.RefusedError]("restore.refused"),
		helper.Typed[*restore.DamagedError]("restore.damaged"),
		helper.Typed[*restore.UnknownError]("restore.unknown"),
		helper.Typed[*restore.LossError]("restore.loss"),
		helper.Typed[*restore.NotEmptyError]("restore.not empty"),
		helper.Typed[*restore.MapError]("restore.map"),
		helper.Typed[*restore.NoUndoError]("restore.no undo"),
		wrapping("restore.pattern", func(e *restore.PatternError) wrapped { return wrap(e.Err) },
			func(w wrapped) error { return &restore.PatternError{Err: w.cause()} }),
		wrapping("restore.reverted", func(e *restore.RevertedError) wrapped { return wrap(e.Err) },
			func(w wrapped) error { return &restore.RevertedError{Err: w.cause()} }),
		wrapping("restore.stuck", func(e *restore.StuckError) wrapped { return wrap(e.Err, e.Where...) },
			func(w wrapped) error { return &restore.StuckError{Err: w.cause(), Where: w.Words} }),
		wrapping("engine.unreachable", func(e *engine.UnreachableError) wrapped { return wrap(e.Err, e.Endpoint) },
			func(w wrapped) error { return &engine.UnreachableError{Endpoint: w.word(), Err: w.cause()} }),
		wrapping("plugin.outcome", outcomeOut, outcomeIn),
	}
}

// wrapped is what crosses of an error around another one: that one's text, for it crosses by itself too, and words of its own.
type wrapped struct {
	Text  string   `json:"text"`
	Words []string `json:"words,omitempty"`
	Code  int      `json:"code,omitempty"`
}

func wrap(err error, words ...string) wrapped {
	w := wrapped{Words: words}
	if err != nil {
		w.Text = err.Error()
	}
	return w
}

func (w wrapped) cause() error { return errors.New(w.Text) }

func (w wrapped) word() string {
	if len(w.Words) == 0 {
		return ""
	}
	return w.Words[0]
}

func outcomeOut(o *outcome) wrapped {
	return wrapped{Text: o.message, Words: []string{o.hint}, Code: o.code}
}

func outcomeIn(w wrapped) error {
	return &outcome{code: w.Code, message: w.Text, hint: w.word()}
}

// wrapping carries errors of the type E under a name.
func wrapping[E error](name string, out func(E) wrapped, in func(wrapped) error) helper.Codec {
	return helper.Codec{
		Encode: func(err error) (string, any, bool) {
			e, ok := err.(E) //nolint:errorlint // this one alone: the line walks the chain
			if !ok {
				return "", nil, false
			}
			return name, out(e), true
		},
		Decode: func(kind string, data json.RawMessage) error {
			var w wrapped
			if kind != name || helper.Unmarshal(data, &w) != nil {
				return nil
			}
			return in(w)
		},
	}
}
