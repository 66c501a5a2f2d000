package plugin

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/moby/term"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
)

// world is everything that commands need of the outside, so that a test can put another in its place.
type world struct {
	Now     func() time.Time
	Environ []string
	Dir     func() (string, error)
	UID     int
	In      stream
	Out     stream
	Err     stream
	// OutWidth is the width of the terminal on standard output, 0 where there is none.
	OutWidth func() int
	// Width is the width of the terminal on standard error, 0 where there is none.
	Width func() int
	// Engine connects to the engine that Docker's configuration names; nil where there is none.
	Engine func() (connection, error)
	// Helper starts a helper; nil starts a container.
	Helper func(ctx context.Context, e *engine.Client, spec helper.Spec, h map[string]helper.Handler) (process, error)
	// Patience is how long a helper may be silent after an interruption; 0: as long as it should.
	Patience time.Duration
	// PluginDirs are where docker's plugins lie; nil: Compose is a plugin.
	PluginDirs func() []string
	// Globals are Docker's own flags that stood before memsys, as they were given.
	Globals []string
}

// stream is one of the three standard streams.
type stream struct {
	io.Reader
	io.Writer
	Terminal bool
}

// newWorld is the world of this process.
func newWorld(globals []string) *world {
	stdin, stdout, stderr := term.StdStreams()
	errFD, errTerminal := term.GetFdInfo(stderr)
	_, inTerminal := term.GetFdInfo(stdin)
	outFD, outTerminal := term.GetFdInfo(stdout)
	return &world{
		Now:      time.Now,
		Environ:  os.Environ(),
		Dir:      os.Getwd,
		UID:      os.Getuid(),
		In:       stream{Reader: stdin, Terminal: inTerminal},
		Out:      stream{Writer: stdout, Terminal: outTerminal},
		Err:      stream{Writer: stderr, Terminal: errTerminal},
		OutWidth: func() int { return terminalWidth(outFD) },
		Width:    func() int { return terminalWidth(errFD) },
		Globals:  globals,
	}
}

// terminalWidth is 0 where fd is no terminal.
func terminalWidth(fd uintptr) int {
	size, err := term.GetWinsize(fd)
	if err != nil {
		return 0
	}
	return int(size.Width)
}
