package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	dockercli "github.com/docker/cli/cli"
	"github.com/spf13/pflag"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/foreign"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/layout"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
)

// The exit codes of docker memsys; docs/exit-codes.md explains them. They never change their meaning.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitIncomplete  = 3
	exitDamaged     = 4
	exitRolledBack  = 5
	exitNeedsPerson = 6
	exitLocked      = 7
	exitNoBackup    = 8
	exitDiffers     = 9
	exitInterrupted = 130
)

// verdict is how a run ended: what to say, what to do next, and the exit code.
type verdict struct {
	Message string
	Hint    string
	Code    int
}

// usageError is wrong use of a flag or an argument.
type usageError struct {
	message string
	hint    string
}

func (e *usageError) Error() string { return e.message }

// usagef is a usageError without a hint of its own.
func usagef(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// outcome is a result that is no success although the command did what it could: its own code, message and next command.
type outcome struct {
	code    int
	message string
	hint    string
	err     error
}

func (o *outcome) Error() string { return o.message }

func (o *outcome) Unwrap() error { return o.err }

// judge turns the error of a command into the verdict. It is the only place that knows which error means which code.
// A command that ended well although a signal came has done its work; where nobody read the result, it has not.
func judge(err error, interrupted, unread bool) verdict {
	v := verdictOf(err)
	switch {
	case err == nil && unread:
		return verdict{Code: exitInterrupted}
	case errors.As(err, new(*compose.ExitError)): // it has heard the signal too, and what it did is not put back
	case v.Code == exitFailed && (interrupted || errors.Is(err, errInterrupted)):
		return interruptedVerdict(err)
	}
	return v
}

// verdictOf finds the first kind of error that is known.
func verdictOf(err error) verdict {
	var (
		child    *compose.ExitError
		result   *outcome
		usage    *usageError
		notFound *store.NotFoundError
		setting  *compose.FlagError
		status   dockercli.StatusError
	)
	switch {
	case err == nil:
		return verdict{Code: exitDone}
	case errors.As(err, &child):
		return besideChild(err, child)
	case errors.As(err, &result):
		return verdict{Code: result.code, Message: err.Error(), Hint: result.hint}
	case errors.As(err, &usage):
		return verdict{Code: exitUsage, Message: err.Error(), Hint: usage.hint}
	case errors.As(err, &setting):
		return verdict{Code: exitUsage, Message: err.Error()}
	case isFlagError(err):
		return verdict{Code: exitUsage, Message: err.Error(), Hint: flagHint("docker "+name, err)}
	case errors.As(err, &notFound):
		return verdict{Code: exitNoBackup, Message: err.Error(), Hint: notFoundHint(notFound)}
	case errors.Is(err, journal.ErrLocked):
		return verdict{Code: exitLocked, Message: err.Error(), Hint: "run it again when the other has ended, or wait for it with --wait 10m"}
	case errors.Is(err, journal.ErrDamaged):
		return verdict{Code: exitNeedsPerson, Message: err.Error(), Hint: "docker memsys recover says what is where"}
	case foreignVerdict(err) != nil:
		return *foreignVerdict(err)
	case restoreVerdict(err) != nil:
		return *restoreVerdict(err)
	case errors.Is(err, errLeft):
		return verdict{Code: exitInterrupted, Message: "interrupted; the data was not changed; " + errLeft.Error(), Hint: "docker memsys recover removes what it left"}
	case errors.As(err, &status):
		return verdict{Code: max(status.StatusCode, exitFailed), Message: status.Error()}
	}
	return verdict{Code: exitFailed, Message: err.Error(), Hint: hintFor(err)}
}

// besideChild is the verdict on a docker compose that has failed: it has said why itself. What went wrong besides is ours to say, such as that
// its services could not be started again.
func besideChild(err error, child *compose.ExitError) verdict {
	v := verdict{Code: child.Code}
	var others []error
	for _, err := range parts(err) {
		if !errors.As(err, new(*compose.ExitError)) {
			others = append(others, err)
		}
	}
	if len(others) > 0 {
		other := verdictOf(errors.Join(others...))
		v.Message, v.Hint = other.Message, other.Hint
	}
	return v
}

// parts are the errors that were joined into one; what is wrapped around a joined one is left out.
func parts(err error) (all []error) {
	switch e := err.(type) { //nolint:errorlint // what was joined is taken apart, level by level
	case *outcome, *restore.RevertedError: // they say what became of it
		return []error{err}
	case interface{ Unwrap() []error }:
		if joined := errors.Join(e.Unwrap()...); joined == nil || joined.Error() != err.Error() {
			return []error{err} // one of several kinds, as those that cross from a helper
		}
		for _, err := range e.Unwrap() {
			all = append(all, parts(err)...)
		}
		return all
	}
	if inner := errors.Unwrap(err); inner != nil {
		if all = parts(inner); len(all) > 1 {
			return all
		}
	}
	return []error{err}
}

// notFoundHint is where to look for a backup, or how to make the first.
func notFoundHint(e *store.NotFoundError) string {
	if e.Empty {
		return "docker memsys backup"
	}
	return "docker memsys list"
}

// isFlagError tells the errors about flags that stand before the verb: cobra hands them over as they are.
func isFlagError(err error) bool {
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	return errors.As(err, &unknown) || errors.As(err, &missing) || errors.As(err, &invalid) || errors.As(err, &syntax)
}

// foreignVerdict knows the errors of archives that others made, and of what is made for others; nil for others.
func foreignVerdict(err error) *verdict {
	var limit *foreign.LimitError
	switch {
	case errors.As(err, new(*foreign.MapError)):
		return &verdict{Code: exitUsage, Message: err.Error()}
	case errors.As(err, new(*foreign.DamagedError)):
		return &verdict{Code: exitDamaged, Message: err.Error() + "; nothing was changed", Hint: "get the archive again from where it was made"}
	case errors.As(err, new(*foreign.UnsafeError)), errors.Is(err, foreign.ErrUnknown):
		return &verdict{Code: exitFailed, Message: err.Error() + "; nothing was changed"}
	case errors.As(err, &limit):
		return &verdict{Code: exitFailed, Message: err.Error() + "; nothing was changed", Hint: "if you know the archive and trust it: --no-limits"}
	case errors.As(err, new(*foreign.NoSpaceError)):
		return &verdict{Code: exitFailed, Message: err.Error() + "; nothing was changed", Hint: "free some room"}
	case errors.As(err, new(*layout.NotEmptyError)), errors.As(err, new(*layout.NoSpaceError)):
		return &verdict{Code: exitFailed, Message: err.Error() + "; nothing was changed", Hint: "name a new folder with --plain, where there is room"}
	case errors.As(err, new(*layout.DevicesError)):
		return &verdict{Code: exitFailed, Message: err.Error() + "; nothing was changed", Hint: "if they are meant: --allow-devices"}
	}
	return nil
}

// restoreVerdict knows the errors of restore; nil for others.
func restoreVerdict(err error) *verdict {
	var (
		stuck    *restore.StuckError
		damaged  *restore.DamagedError
		unknown  *restore.UnknownError
		pattern  *restore.PatternError
		refused  *restore.RefusedError
		notEmpty *restore.NotEmptyError
		unmapped *restore.MapError
		noUndo   *restore.NoUndoError
	)
	switch {
	case errors.As(err, &stuck):
		return &verdict{Code: exitNeedsPerson, Message: err.Error(), Hint: "look at what is where, then run docker memsys again: it tries once more"}
	case errors.As(err, &damaged):
		return &verdict{Code: exitDamaged, Message: err.Error(), Hint: "docker memsys list, and restore from a backup that is verified"}
	case errors.As(err, &unknown), errors.As(err, &pattern), errors.As(err, &unmapped):
		return &verdict{Code: exitUsage, Message: err.Error()}
	case errors.As(err, &refused):
		return &verdict{Code: exitFailed, Message: err.Error() + "; nothing was changed", Hint: refusalHint(refused.Refusals)}
	case errors.As(err, &noUndo):
		return &verdict{Code: exitNoBackup, Message: err.Error(), Hint: "docker memsys list: a backup of reason before-restore is restored by its name"}
	case errors.As(err, &notEmpty):
		return &verdict{Code: exitFailed, Message: err.Error() + "; nothing was changed", Hint: "name a folder that does not exist yet with --to"}
	}
	return nil
}

// refusalHint names what to do about refusals, each once.
func refusalHint(all []restore.Refusal) string {
	hints := map[restore.Reason]string{
		restore.OtherProject: "if it is meant: --allow-other-project",
		restore.ForeignUse:   "stop the containers that are listed, or let it be done with --stop-foreign",
		restore.PausedUse:    "docker unpause, or docker stop",
		restore.NoSpace:      "free some room",
		restore.ReadOnly:     "make it writable, or run it as a user who may write: sudo docker memsys …",
		restore.Unreachable:  "restore it to a folder with --to DIR",
		restore.DeviceNodes:  "if they are meant: --allow-devices",
		restore.Conflict:     "move it away, or restore to a folder with --to DIR",
		restore.NothingToDo:  "docker memsys inspect, and --to DIR",
		restore.DamagedData:  "take a backup without damage, or restore what is damaged with --last-good; if this one is meant: --accept-damage",
	}
	var out []string
	for _, r := range all {
		if hint := hints[r.Reason]; !slices.Contains(out, hint) {
			out = append(out, hint)
		}
	}
	return strings.Join(out, "; ")
}

// hintFor names the next command for errors that need no code of their own.
func hintFor(err error) string {
	switch {
	case errors.As(err, new(*backup.NoSpaceError)):
		return "free some room, or write elsewhere: --backups DIR, or MEMSYS_BACKUPS=DIR for up, down and restart"
	case errors.Is(err, backup.ErrNothing):
		return "docker memsys sources"
	case errors.Is(err, compose.ErrNoFile):
		return "docker memsys -f FILE …, or --backups DIR for commands that only read archives"
	case errors.Is(err, engine.ErrUnreachable):
		return "docker version"
	case errors.Is(err, syscall.EROFS):
		return "name a folder that can be written: --backups DIR, or MEMSYS_BACKUPS=DIR for up, down and restart, for archives, --to DIR for a restore"
	case errors.Is(err, fs.ErrPermission):
		return "run it as a user who may, such as root: sudo docker memsys …"
	}
	return ""
}

// interruptedVerdict says that the run ended early, and what else went wrong if anything did, such as that a service could not be started again.
func interruptedVerdict(err error) verdict {
	v := verdict{Code: exitInterrupted, Message: "interrupted; everything was put back"}
	all := parts(err)
	others := slices.DeleteFunc(slices.Clone(all), func(err error) bool {
		return errors.Is(err, context.Canceled) || errors.Is(err, errInterrupted)
	})
	switch {
	case len(others) == len(all):
		v.Message += ": " + err.Error()
	case len(others) > 0:
		v.Message, v.Hint = "interrupted, and besides: "+errors.Join(others...).Error(), "docker memsys recover"
	}
	return v
}

// finish ends the run: it closes the display, prints the verdict on standard error and returns the exit code.
func (a *app) finish(err error) int {
	if err == nil {
		err = a.out.failed
	}
	if err == nil && a.missed != nil && a.provider != nil { // no reason for Compose to stop
		a.sink().Report(progress.Event{Step: "guard", Status: progress.Warning, Text: a.missed.Error()})
	} else if err == nil && a.missed != nil {
		err = &outcome{code: exitIncomplete, message: "done, but " + a.missed.Error(), hint: "docker memsys audit --verify"}
	}
	v := judge(err, a.interruption.happened(), a.interruption.unread.Load())
	a.closeDisplay()
	a.interruption.release()
	if v.Message == "" && a.provider != nil && v.Code != exitDone {
		v.Message = fmt.Sprintf("ended with exit code %d", v.Code) // without a message Compose would say less
	}
	if v.Message != "" {
		a.printVerdict(v)
	}
	return v.Code
}

// printVerdict writes the verdict as the last line of standard error: a JSON object with --progress json, else text.
func (a *app) printVerdict(v verdict) {
	if a.provider != nil {
		a.provider.printError(v)
		return
	}
	if a.flags.progress == "json" {
		line, _ := json.Marshal(struct {
			Error    bool   `json:"error"`
			Message  string `json:"message"`
			Hint     string `json:"hint,omitempty"`
			ExitCode int    `json:"exitCode"`
		}{true, v.Message, v.Hint, v.Code})
		fmt.Fprintf(a.err, "%s\n", line)
		return
	}
	if v.Hint != "" {
		fmt.Fprintf(a.err, "%s\nnext: %s\n", v.Message, v.Hint)
		return
	}
	fmt.Fprintln(a.err, v.Message)
}
