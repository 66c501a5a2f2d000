package plugin

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// asked is a run whose terminal answers with the text.
func asked(in io.Reader, terminal bool) (*app, *bytes.Buffer) {
	var screen bytes.Buffer
	a := newApp(&world{
		In: stream{Reader: in, Terminal: terminal}, Err: stream{Writer: &screen, Terminal: terminal}, Out: stream{Writer: io.Discard},
		Now: func() time.Time { return time.Unix(0, 0) },
	})
	a.flags.progress = "quiet"
	return a, &screen
}

func TestOnlyYesIsYes(t *testing.T) {
	for answer, yes := range map[string]bool{"y\n": true, "Yes\n": true, "\n": false, "n\n": false, "yess\n": false, "": false, "y": true} {
		a, screen := asked(strings.NewReader(answer), true)
		err := a.confirm(t.Context(), "Restore it?", false)
		a.closeDisplay()
		assert.Equal(t, err == nil, yes, "%q: %v", answer, err)
		assert.Equal(t, screen.String(), "Restore it? [y/N] ")
	}
}

func TestWithoutATerminalOnlyTheFlagIsYes(t *testing.T) {
	a, _ := asked(strings.NewReader("y\n"), false)
	assert.NilError(t, a.confirm(t.Context(), "Restore it?", true))
	err := a.confirm(t.Context(), "Restore it?", false)
	assert.Equal(t, judge(err, false, false).Code, exitUsage)
	assert.Equal(t, judge(err, false, false).Hint, "give the answer with --yes")
}

func TestAQuestionEndsWithTheRun(t *testing.T) {
	in, _ := io.Pipe()
	a, _ := asked(in, true)
	defer a.closeDisplay()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	err := a.confirm(ctx, "Restore it?", false)
	assert.Equal(t, judge(err, true, false).Code, exitInterrupted)
}
