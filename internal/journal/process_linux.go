package journal

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// bootID names the running kernel and the process ids that this process sees: a container of the same machine counts its own.
func bootID() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + space
}

// processStart is when the process began, in clock ticks since the system's start; ok is false when that cannot be read.
func processStart(pid int) (start string, ok bool) {
	fields, ok := procStat(pid)
	if !ok {
		return "", false
	}
	return fields[19], true
}

// procStat returns the fields of the process's stat file behind its name, the state first.
func procStat(pid int) ([]string, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, false
	}
	_, rest, ok := strings.Cut(string(data[max(0, strings.LastIndexByte(string(data), ')')):]), ") ")
	fields := strings.Fields(rest)
	return fields, ok && len(fields) > 19
}

// alive tells whether the process with this id that began at start still runs. What cannot be found out counts as alive.
func alive(pid int, start string) bool {
	if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return false
	}
	fields, ok := procStat(pid)
	if !ok {
		return true // hidden from us
	}
	return fields[0] != "Z" && fields[0] != "X" && (start == "" || fields[19] == start)
}
