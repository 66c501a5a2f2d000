//go:build unix

package plugin

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// endingSignals are Ctrl-C, a polite kill and a dropped terminal.
func endingSignals() []os.Signal { return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} }

// swallowSIGPIPE makes a write to a broken pipe an error instead of the end of the process. It is caught, not ignored,
// because programs that we start would inherit the latter.
func swallowSIGPIPE() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// brokenPipe tells whether nobody reads any more.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) }
