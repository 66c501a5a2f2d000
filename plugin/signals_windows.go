package plugin

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// endingSignals are Ctrl-C and what Go makes of a closed console window, a logoff and a shutdown.
func endingSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// swallowSIGPIPE has nothing to do: there is no such signal here.
func swallowSIGPIPE() {}

// brokenPipe tells whether nobody reads any more.
func brokenPipe(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA)
}
