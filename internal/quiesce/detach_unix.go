//go:build unix

package quiesce

import (
	"os/exec"
	"syscall"
)

// detach gives the process a session of its own: it has no terminal, and no signal to our group reaches it.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir = "/" // keeps no folder of the user's busy
}
