//go:build !linux && !darwin

package plugin

// callerArgs is nil: it is not known how this system shows the command line of another process.
func callerArgs() []string { return nil }
