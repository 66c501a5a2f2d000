//go:build e2e && unix

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"
)

// socket is the path of the socket of the engine under the tests.
func socket(t testing.TB) string {
	t.Helper()
	path, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	assert.Assert(t, ok, "the tests' engine has no socket")
	return path
}

// OverSSH makes the project reach an engine's socket through a real sshd on this machine, which lets the user in by a key. It runs in
// the tests' network until the test ends.
func (p *Project) OverSSH(u *User, socket string) {
	p.t.Helper()
	t := p.t
	if _, err := os.Stat("/usr/sbin/sshd"); err != nil {
		SkipOrFail(t, "sshd is missing (Debian: openssh-server)")
	}
	dir := reachable(t, t.TempDir())
	for _, key := range []string{"host", "user"} {
		run(t, dir, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).Assert(t, icmd.Success)
	}
	port := FreePort(t)
	write := func(name, text string, mode os.FileMode) {
		assert.NilError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), mode))
	}
	write("sshd_config", fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %s/user.pub\nPidFile none\n"+
		"StrictModes no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 100\nMaxSessions 100\nPrintMotd no\n", port, dir, dir), 0o600)
	write("ssh_config", fmt.Sprintf("IdentityFile %s/user\nIdentitiesOnly yes\nBatchMode yes\nUserKnownHostsFile %s/known_hosts\n", dir, dir), 0o644)
	host, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	assert.NilError(t, err)
	write("known_hosts", fmt.Sprintf("[127.0.0.1]:%s %s", port, host), 0o644)
	real, err := exec.LookPath("ssh")
	assert.NilError(t, err)
	write("ssh", fmt.Sprintf("#!/bin/sh\nexec %s -F %s/ssh_config \"$@\"\n", real, dir), 0o755)
	assert.NilError(t, os.Chown(filepath.Join(dir, "user"), u.UID, u.GID))
	startSSHD(t, dir, port)
	p.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	p.Setenv("DOCKER_HOST", "ssh://"+u.Name+"@127.0.0.1:"+port+socket)
}

func startSSHD(t testing.TB, dir, port string) {
	t.Helper()
	assert.NilError(t, os.MkdirAll("/run/sshd", 0o755))
	server := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	log, err := os.Create(filepath.Join(dir, "log"))
	assert.NilError(t, err)
	server.Stderr = log
	assert.NilError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("sshd: %s", text)
		}
		log.Close()
	})
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err != nil {
			return poll.Continue("sshd does not listen: %v", err)
		}
		conn.Close()
		return poll.Success()
	}, poll.WithTimeout(10*time.Second), poll.WithDelay(20*time.Millisecond))
}

// engineWith starts one more engine of the same version with settings of its own (see scripts/engine.sh) and the tests' image, and
// returns the address of its socket and its process id.
func engineWith(t testing.TB, settings ...string) (host string, pid int) {
	t.Helper()
	return engineOfWith(t, EngineVersion(), settings...)
}

// engineOfWith is engineWith for an engine of a version.
func engineOfWith(t testing.TB, version string, settings ...string) (host string, pid int) {
	t.Helper()
	NeedImage(t, Busybox)
	dir, pid := engineOf(t, version, settings...)
	host = "unix://" + filepath.Join(dir, "docker.sock")
	image := filepath.Join(t.TempDir(), "image.tar")
	run(t, "", nil, "docker", "save", "--output", image, Busybox).Assert(t, icmd.Success)
	run(t, "", nil, "docker", "--host", host, "load", "--input", image).Assert(t, icmd.Success)
	return host, pid
}

// Within makes every later command of the project run in the network of another engine.
func (p *Project) Within(engine int) { p.network = engine }
