//go:build unix

package hooks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
)

func TestAProgramOfTheHostHasItsFolderItsEnvironmentAndItsInput(t *testing.T) {
	dir := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "say.sh"), []byte("#!/bin/sh\npwd; echo $OWN $MEMSYS_EVENT \"$1\"; cat; echo problem >&2; exit 3\n"), 0o700))
	h := Host{Dir: dir, Environ: []string{"PATH=" + os.Getenv("PATH"), "OWN=1", "MEMSYS_EVENT=of the caller"}}
	var out bytes.Buffer
	code, err := h.Run(t.Context(), []string{"./say.sh", "two words; $HOME"}, []string{"MEMSYS_EVENT=before-up"}, strings.NewReader("{}\n"), &out)
	assert.NilError(t, err)
	assert.Equal(t, code, 3)
	real, err := filepath.EvalSymlinks(dir)
	assert.NilError(t, err)
	assert.Equal(t, out.String(), real+"\n1 before-up two words; $HOME\n{}\nproblem\n")
}

func TestAProgramOfTheHostThatCannotStartOrIsEndedIsSaid(t *testing.T) {
	h := Host{Dir: t.TempDir()}
	_, err := h.Run(t.Context(), []string{"./nothing"}, nil, strings.NewReader(""), io.Discard)
	assert.ErrorContains(t, err, "start ./nothing: ")
	_, err = h.Run(t.Context(), []string{"sh", "-c", "kill -9 $$"}, nil, strings.NewReader(""), io.Discard)
	assert.ErrorContains(t, err, "signal: killed")
	big := strings.NewReader(strings.Repeat("x", 1<<20)) // more than a pipe takes
	code, err := h.Run(t.Context(), []string{"true"}, nil, big, io.Discard)
	assert.NilError(t, err)
	assert.Equal(t, code, 0)
}

// heard is a writer that says when something was written.
type heard struct{ once func() }

func (h heard) Write(p []byte) (int, error) {
	h.once()
	return len(p), nil
}

func TestWhatAProgramHasStartedEndsWithIt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("too late")
	fifo := filepath.Join(t.TempDir(), "fifo") // its end tells that nobody writes to it any more
	assert.NilError(t, syscall.Mkfifo(fifo, 0o600))
	script := "(trap '' TERM; exec 3>&1 >" + fifo + " 2>&1; echo begun >&3; exec 3>&- sleep 60) & wait"
	read := make(chan error, 1)
	go func() {
		_, err := os.ReadFile(fifo)
		read <- err
	}()
	h := Host{Dir: t.TempDir(), Environ: os.Environ()}
	_, err := h.Run(ctx, []string{"sh", "-c", script}, nil, strings.NewReader(""), heard{func() { cancel(late) }})
	assert.ErrorIs(t, err, late)
	assert.NilError(t, <-read)
}
