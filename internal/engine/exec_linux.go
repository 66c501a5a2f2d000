package engine

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// signalContained ends a process of this machine that belongs to the container: politely, or by force. It tells whether it was
// sent the signal. The process is held (by a pidfd) before its group is read, so that another one of the same number is never hit.
func signalContained(pid int, container string, force bool) bool {
	if pid <= 1 || container == "" {
		return false
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = process.Release() }()
	groups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil || !strings.Contains(string(groups), container) {
		return false
	}
	signal := syscall.SIGTERM
	if force {
		signal = syscall.SIGKILL
	}
	return process.Signal(signal) == nil
}
