package plugin

import (
	"bytes"
	"fmt"
	"os"
)

// callerArgs is the command line of the process that has started this one; nil where the system does not show it.
func callerArgs() []string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", os.Getppid()))
	if err != nil {
		return nil
	}
	var args []string
	for _, arg := range bytes.Split(bytes.TrimSuffix(line, []byte{0}), []byte{0}) {
		args = append(args, string(arg))
	}
	return args
}
