package quiesce

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach gives the process a group of its own and no console, so that Ctrl-C does not reach it.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}
