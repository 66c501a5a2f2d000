package plugin

import (
	"os"

	"golang.org/x/sys/unix"
)

// callerArgs is the command line of the process that has started this one; nil where the system does not show it.
func callerArgs() []string {
	raw, err := unix.SysctlRaw("kern.procargs2", os.Getppid())
	if err != nil {
		return nil
	}
	return processArgs(raw)
}
