package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	dockercli "github.com/docker/cli/cli"
	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/store"
)

func TestEveryKindOfErrorHasItsCodeAndItsHint(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		code int
		hint string
	}{
		{"nothing", nil, exitDone, ""},
		{"anything", errors.New("x"), exitFailed, ""},
		{"wrong use", usagef("x"), exitUsage, ""},
		{"a flag with a wrong value", &compose.FlagError{Err: errors.New("x")}, exitUsage, ""},
		{"outcome", &outcome{code: exitIncomplete, message: "x", hint: "y"}, exitIncomplete, "y"},
		{"no backup", &store.NotFoundError{Arg: "x"}, exitNoBackup, "docker memsys list"},
		{"locked", &journal.LockedError{}, exitLocked, "--wait"},
		{"compose's own code", &compose.ExitError{Code: 42}, 42, ""},
		{"docker's own code", dockercli.StatusError{StatusCode: 125, Status: "x"}, 125, ""},
		{"a status that says success is none", dockercli.StatusError{}, exitFailed, ""},
		{"no compose file", compose.ErrNoFile, exitFailed, "-f FILE"},
		{"no engine", &engine.UnreachableError{Err: errors.New("x")}, exitFailed, "docker version"},
		{"no permission", os.ErrPermission, exitFailed, "sudo"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.err
			if err != nil {
				err = fmt.Errorf("step object: %w", err)
			}
			v := judge(err, false, false)
			assert.Equal(t, v.Code, c.code)
			assert.Assert(t, strings.Contains(v.Hint, c.hint), v.Hint)
			assert.Assert(t, c.hint != "" || v.Hint == "", v.Hint)
		})
	}
}

func TestAnInterruptionIs130UnlessSomethingWorseHappened(t *testing.T) {
	assert.Equal(t, judge(context.Canceled, true, false).Code, exitInterrupted)
	assert.Equal(t, judge(errors.New("read tcp: closed"), true, false).Code, exitInterrupted)
	assert.Equal(t, judge(&outcome{code: exitNeedsPerson, message: "x"}, true, false).Code, exitNeedsPerson)
	assert.Equal(t, judge(nil, true, false).Code, exitDone, "it had ended when the signal came")
	assert.Equal(t, judge(nil, true, true).Code, exitInterrupted, "nobody read the result")
	assert.DeepEqual(t, judge(&compose.ExitError{Code: 1}, true, false), verdict{Code: 1})
}

// That everything was put back is said only where nothing says otherwise.
func TestAnInterruptionSaysWhatCouldNotBePutBack(t *testing.T) {
	assert.DeepEqual(t, judge(fmt.Errorf("step object: %w", context.Canceled), true, false), verdict{Code: 130, Message: "interrupted; everything was put back"})
	assert.DeepEqual(t, judge(errors.New("x"), true, false), verdict{Code: 130, Message: "interrupted; everything was put back: x"})
	err := fmt.Errorf("step object: %w", errors.Join(errInterrupted, errors.New("resume app: no room")))
	assert.DeepEqual(t, judge(err, true, false), verdict{
		Code: 130, Message: "interrupted, and besides: resume app: no room", Hint: "docker memsys recover",
	})
}

func TestACodeThatIsPassedThroughSaysNothing(t *testing.T) {
	var out bytes.Buffer
	a := newApp(&world{Out: stream{Writer: &out}, Err: stream{Writer: &out}})
	assert.Equal(t, a.finish(&compose.ExitError{Code: 3}), 3)
	assert.Equal(t, out.String(), "")
}

// What fails after docker compose has failed is said all the same.
func TestWhatGoesWrongBesidesDockerComposeIsSaid(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		err := errors.Join(&compose.ExitError{Code: 17}, errors.Join(nil, errors.New("start app: no room")), &outcome{code: exitIncomplete, message: "a hook failed", hint: "mend it"})
		v := judge(err, interrupted, false)
		assert.Equal(t, v.Code, 17)
		assert.Equal(t, v.Message, "start app: no room\na hook failed")
		assert.Equal(t, v.Hint, "mend it")
	}
	assert.DeepEqual(t, judge(fmt.Errorf("step object: %w", &compose.ExitError{Code: 17}), false, false), verdict{Code: 17})
}

func TestExitCodesAreDocumented(t *testing.T) {
	document, err := os.ReadFile("../docs/exit-codes.md")
	assert.NilError(t, err)
	for _, code := range []int{exitDone, exitFailed, exitUsage, exitIncomplete, exitDamaged, exitRolledBack, exitNeedsPerson, exitLocked, exitNoBackup, exitDiffers, exitInterrupted} {
		assert.Assert(t, strings.Contains(string(document), fmt.Sprintf("\n| %d |", code)), "code %d has no row", code)
	}
}
