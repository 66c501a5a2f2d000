package engine

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
)

// Info asks the engine which one it is, and tells whether it runs on this machine.
func (c *Client) Info(ctx context.Context) (Info, error) {
	res, err := c.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return Info{}, c.wrap(err, "ask the engine what it is", "")
	}
	in := res.Info
	info := Info{
		ID: in.ID, Name: in.Name, Version: in.ServerVersion, APIVersion: c.api.ClientVersion(), RootDir: in.DockerRootDir,
		OS: in.OSType, Architecture: architecture(in.Architecture),
		Rootless: security(in, "rootless"), RemapsUsers: security(in, "userns"),
	}
	info.NoPause = noPause(in, info.Rootless)
	// Without a readable clock the time stays zero: nothing is then taken for older than it is.
	info.Time, _ = time.Parse(time.RFC3339Nano, in.SystemTime)
	here := local(c.host, c.endpoint, in)
	info.Local = !info.Rootless && here
	info.SharesFiles = here || desktop(c.endpoint, in)
	return info, nil
}

// security tells whether the engine names a property of how it isolates containers.
func security(in system.Info, name string) bool {
	return slices.ContainsFunc(in.SecurityOptions, func(o string) bool { return o == "name="+name || strings.HasPrefix(o, "name="+name+",") })
}

// architecture translates what the kernel calls a machine into what Go calls it.
func architecture(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64", "arm64v8":
		return "arm64"
	case "i386", "i686":
		return "386"
	case "armv6l", "armv7l", "armv8l":
		return "arm"
	}
	return machine
}

// noPause says why the engine cannot freeze the processes of a container.
func noPause(in system.Info, rootless bool) string {
	switch {
	case in.OSType == "windows":
		return "an engine for Windows containers cannot pause them"
	case rootless && in.CgroupVersion == "1":
		return "a rootless engine with cgroup version 1 cannot pause containers"
	case in.CgroupDriver == "none":
		return "an engine without cgroups cannot pause containers"
	}
	return ""
}

// desktop tells whether the engine is Docker Desktop's, in a virtual machine on top of this machine's files.
func desktop(endpoint string, in system.Info) bool {
	return !strings.HasPrefix(endpoint, "tcp://") && !strings.HasPrefix(endpoint, "ssh://") && strings.Contains(in.OperatingSystem, "Docker Desktop")
}

// host is what local compares the engine's account of its machine with.
type host interface {
	name() string
	kernel() string
	memory() int64
	stat(path string) error
	read(path string) ([]byte, error)
}

// local tells whether the engine runs on this machine's kernel and sees this machine's files. When in doubt it does not: a path of
// another machine must never be taken for ours.
func local(h host, endpoint string, in system.Info) bool {
	if !strings.HasPrefix(endpoint, "unix://") || in.OSType != "linux" || strings.Contains(in.OperatingSystem, "Docker Desktop") {
		return false
	}
	if h.kernel() == "" || in.KernelVersion != h.kernel() || in.MemTotal != h.memory() {
		return false
	}
	if err := h.stat(in.DockerRootDir); err != nil && !os.IsPermission(err) {
		return false
	}
	// Engines since 24 keep their id in a file; who can read it needs no other proof.
	if id, err := h.read(filepath.Join(in.DockerRootDir, "engine-id")); err == nil {
		return strings.TrimSpace(string(id)) == in.ID
	}
	return in.Name != "" && in.Name == h.name()
}

// thisHost is the machine that this process runs on.
type thisHost struct{}

func (thisHost) name() string {
	name, _ := os.Hostname() // unknown is "", which equals no engine's name
	return name
}

func (thisHost) stat(path string) error {
	_, err := os.Lstat(path)
	return err
}

func (thisHost) read(path string) ([]byte, error) { return os.ReadFile(path) }
