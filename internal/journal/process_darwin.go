package journal

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// bootID names the running system since its start.
func bootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}

// processStart is when the process began; ok is false when that cannot be read.
func processStart(pid int) (start string, ok bool) {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return "", false
	}
	return fmt.Sprintf("%d.%06d", p.Proc.P_starttime.Sec, p.Proc.P_starttime.Usec), true
}

// alive tells whether the process with this id that began at start still runs. What cannot be found out counts as alive.
func alive(pid int, start string) bool {
	if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return false
	}
	now, ok := processStart(pid)
	return !ok || start == "" || now == start
}
