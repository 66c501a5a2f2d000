package journal

import (
	"errors"
	"strconv"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// bootID names the machine; a process id and its start suffice on it, also across restarts.
func bootID() string {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return ""
	}
	defer key.Close()
	id, _, err := key.GetStringValue("MachineGuid")
	if err != nil {
		return ""
	}
	return id
}

// processStart is when the process began; ok is false when that cannot be read.
func processStart(pid int) (start string, ok bool) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return "", false
	}
	defer windows.CloseHandle(h)
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(h, &created, &exited, &kernel, &user) != nil {
		return "", false
	}
	return strconv.FormatInt(created.Nanoseconds(), 10), true
}

// alive tells whether the process with this id that began at start still runs. What cannot be found out counts as alive.
func alive(pid int, start string) bool {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return !errors.Is(err, windows.ERROR_INVALID_PARAMETER) // that error: no such process
	}
	defer windows.CloseHandle(h)
	if ended, err := windows.WaitForSingleObject(h, 0); err == nil && ended == windows.WAIT_OBJECT_0 {
		return false
	}
	now, ok := processStart(pid)
	return !ok || start == "" || now == start
}
