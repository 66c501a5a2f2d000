//go:build e2e && linux

package power

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/plugin"
)

// A file system in user space is never told of syncfs, and nobody tells it where in a program an fsync stands. So the
// program runs under a filter that stops every sync until this process has seen who asks for it and for which file. Program and test are one
// executable: what stands on the program's stack are addresses of functions that this process has too.

const (
	launchVariable = "MEMSYS_POWER_LAUNCH"
	ownMounts      = "MEMSYS_POWER_MOUNTS"
	programName    = "docker-memsys"
)

// TestMain lets this executable be the plugin, and what starts it under the filter.
func TestMain(m *testing.M) {
	switch {
	case os.Getuid() == 0 && os.Getenv(ownMounts) == "":
		os.Exit(apart())
	case os.Getenv(launchVariable) != "":
		runtime.LockOSThread()
		fmt.Fprintln(os.Stderr, launch())
		os.Exit(125)
	case filepath.Base(os.Args[0]) == programName:
		plugin.Main()
	}
	if os.Getuid() == 0 {
		if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
			fmt.Fprintln(os.Stderr, "keep mounts to ourselves:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// apart runs the tests in a space of mounts of their own: whatever becomes of them, no mount is left.
func apart() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the signal comes when this thread ends
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			fmt.Fprintln(os.Stderr, err)
		}
		return 1
	}
	return 0
}

// launch puts the filter on this thread, hands its other end to the parent and becomes the program.
func launch() error {
	listener, err := filter()
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if err := unix.Sendmsg(3, []byte{1}, unix.UnixRights(listener), nil, 0); err != nil {
		return fmt.Errorf("hand over the filter: %w", err)
	}
	unix.Close(listener)
	unix.Close(3)
	// Here, and not between fork and exec: the parent stands still meanwhile, and has to answer for the layer.
	if err := os.Chdir(os.Getenv(launchVariable)); err != nil {
		return err
	}
	os.Unsetenv(launchVariable)
	return syscall.Exec("/proc/self/exe", append([]string{programName}, os.Args[1:]...), os.Environ())
}

var watched = []uint32{unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_SYNCFS, unix.SYS_SYNC, unix.SYS_SYNC_FILE_RANGE, unix.SYS_MSYNC}

// filter stops the watched calls of this thread, and of what it becomes.
func filter() (listener int, err error) {
	jump := func(value uint32, yes uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jt: yes}
	}
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}}
	for i, number := range watched {
		program = append(program, jump(number, uint8(len(watched)-i)))
	}
	program = append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// run runs the plugin in dir; with a recorder it takes down every sync.
func run(t testing.TB, rec *recorder, dir string, env []string, args ...string) (code int, output string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Args[0] = programName
	if rec == nil {
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		return exitCode(t, err), string(out)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	assert.NilError(t, err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(append([]string(nil), env...), launchVariable+"="+dir)
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	assert.NilError(t, cmd.Start())
	theirs.Close()
	listener, err := receive(ours)
	if err != nil {
		_ = cmd.Wait()
		t.Fatalf("watch %s: %v: %s", args, err, text.String())
	}
	done := make(chan error, 1)
	go func() { done <- watch(listener, rec) }()
	code = exitCode(t, cmd.Wait())
	assert.NilError(t, <-done)
	return code, text.String()
}

func exitCode(t testing.TB, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	assert.NilError(t, err)
	return 0
}

// receive takes the filter's other end.
func receive(from *os.File) (int, error) {
	conn, err := net.FileConn(from)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), rights)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return 0, fmt.Errorf("no filter came: %v", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return 0, fmt.Errorf("no filter came: %v", err)
	}
	return fds[0], nil
}

// notification is struct seccomp_notif of the kernel.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// response is struct seccomp_notif_resp of the kernel.
type response struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

// watch takes down syncs until the program has ended.
func watch(listener int, rec *recorder) error {
	defer unix.Close(listener)
	for {
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			return err
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			return nil
		}
		var n notification
		if err := ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			return err
		}
		o, failed := describe(&n)
		if failed == nil {
			rec.add(o)
		}
		r := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if err := ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		if failed != nil {
			return failed
		}
	}
}

func ioctl(fd int, request uint, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}

// describe says what is being synced, and where in the program.
func describe(n *notification) (op, error) {
	stack, err := callers(n.pid)
	if err != nil {
		return op{}, err
	}
	if n.nr == unix.SYS_SYNCFS || n.nr == unix.SYS_SYNC {
		return op{what: "sync all", syncAll: true, site: site(stack, "all")}, nil
	}
	if n.nr != unix.SYS_FSYNC && n.nr != unix.SYS_FDATASYNC {
		return op{}, fmt.Errorf("system call %d is not known to the test", n.nr)
	}
	var st unix.Stat_t
	link := "/proc/" + strconv.Itoa(int(n.pid)) + "/fd/" + strconv.FormatUint(n.args[0], 10)
	if err := unix.Stat(link, &st); err != nil {
		return op{}, fmt.Errorf("who is synced: %w", err)
	}
	path, _ := os.Readlink(link)
	kind := "file"
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		kind = "folder"
	}
	return op{what: "sync " + path, sync: id(st.Ino), site: site(stack, kind)}, nil
}

// callers are the functions of this repository on the stack of a stopped thread, the innermost first.
func callers(pid uint32) ([]string, error) {
	proc := "/proc/" + strconv.Itoa(int(pid))
	words, err := stopped(proc)
	if err != nil {
		return nil, err
	}
	sp, err := strconv.ParseUint(words[len(words)-2], 0, 64)
	if err != nil {
		return nil, err
	}
	mem, err := os.Open(proc + "/mem")
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	stack := make([]byte, 8<<10)
	n, err := mem.ReadAt(stack, int64(sp))
	if n == 0 {
		return nil, err
	}
	self, err := os.Open("/proc/self/mem")
	if err != nil {
		return nil, err
	}
	defer self.Close()
	words64 := make([]uintptr, n/8)
	for i := range words64 {
		words64[i] = uintptr(binary.LittleEndian.Uint64(stack[8*i:]))
	}
	if found := named(returns(words64, self)); len(found) > 0 {
		return found, nil
	}
	return named(slices.DeleteFunc(words64, func(pc uintptr) bool { return !isReturn(pc) })), nil
}

// stopped are the words of the kernel on the system call in which a thread stands. It says that there is one before the thread has stopped.
func stopped(proc string) ([]string, error) {
	for end := time.Now().Add(time.Minute); ; runtime.Gosched() {
		line, err := os.ReadFile(proc + "/syscall")
		if err != nil {
			return nil, err
		}
		if words := strings.Fields(string(line)); len(words) >= 3 {
			return words, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%s is in no system call: %s", proc, line)
		}
	}
}

// returns are the return addresses on a stack, whose first word is one. Each next one is behind a call of the function before; where a
// function was called by its address, the nearest one behind such a call is taken. On processors other than amd64 all addresses count that could be one.
func returns(stack []uintptr, text io.ReaderAt) (found []uintptr) {
	if runtime.GOARCH != "amd64" {
		return slices.DeleteFunc(stack, func(pc uintptr) bool { return !isReturn(pc) })
	}
	for at := 0; at < len(stack) && isReturn(stack[at]); {
		found = append(found, stack[at])
		called := runtime.FuncForPC(stack[at]).Entry()
		next, indirect := 0, 0
		for i := at + 1; i < len(stack) && next == 0; i++ {
			if !isReturn(stack[i]) {
				continue
			}
			target, direct := target(stack[i], text)
			switch {
			case direct && target == called:
				next = i
			case !direct && indirect == 0:
				indirect = i
			}
		}
		if at = max(next, 0); at == 0 {
			at = indirect
		}
		if at == 0 {
			return found
		}
	}
	return found
}

// target is what the call before a return address calls, past a function that does nothing but jump; direct tells whether the instruction
// says that.
func target(pc uintptr, text io.ReaderAt) (called uintptr, direct bool) {
	if called, direct = follow(pc-5, 0xe8, text); !direct {
		return 0, false
	}
	if jumped, ok := follow(called, 0xe9, text); ok {
		return jumped, true
	}
	return called, true
}

// follow reads the instruction at pc: the code of a call or jump, and how far.
func follow(pc uintptr, code byte, text io.ReaderAt) (to uintptr, ok bool) {
	instruction := make([]byte, 5)
	if _, err := text.ReadAt(instruction, int64(pc)); err != nil || instruction[0] != code {
		return 0, false
	}
	return pc + 5 + uintptr(int64(int32(binary.LittleEndian.Uint32(instruction[1:])))), true
}

func isReturn(pc uintptr) bool {
	f := runtime.FuncForPC(pc)
	return f != nil && f.Entry() != pc
}

// named are the functions of this repository at addresses.
func named(addresses []uintptr) (found []string) {
	for _, pc := range addresses {
		frames := runtime.CallersFrames([]uintptr{pc})
		for more := true; more; {
			var frame runtime.Frame
			frame, more = frames.Next()
			if name, ok := strings.CutPrefix(frame.Function, "github.com/memsys/docker-memsys/"); ok {
				found = append(found, strings.TrimPrefix(name, "internal/"))
			}
		}
	}
	return found
}

// site names a sync: the function that asks for it, past those that do nothing else.
func site(stack []string, kind string) string {
	for _, name := range stack {
		name = regexp.MustCompile(`\.func\d+$`).ReplaceAllString(name, "")
		if name != "tree.fd.sync" {
			name = strings.TrimSuffix(name, ".fd.sync") // it was inlined there
		}
		switch name[strings.LastIndexByte(name, '.')+1:] {
		case "sync", "syncAll", "SyncDir", "syncFolder", "retry", "fd":
			continue
		}
		return name + ", " + kind
	}
	return ""
}
