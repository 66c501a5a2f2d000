package engine

import (
	"os"
	"testing"

	"github.com/moby/moby/api/types/system"
	"gotest.tools/v3/assert"
)

type fakeHost struct {
	hostname, release string
	mem               int64
	statErr           error
	id                string // of the engine-id file; empty: cannot be read
}

func (h fakeHost) name() string      { return h.hostname }
func (h fakeHost) kernel() string    { return h.release }
func (h fakeHost) memory() int64     { return h.mem }
func (h fakeHost) stat(string) error { return h.statErr }
func (h fakeHost) read(string) ([]byte, error) {
	if h.id == "" {
		return nil, os.ErrPermission
	}
	return []byte(h.id + "\n"), nil
}

func TestAnEngineIsLocalOnlyWhenNothingSpeaksAgainstIt(t *testing.T) {
	type change func(h *fakeHost, endpoint *string, in *system.Info)
	for _, c := range []struct {
		name   string
		change change
		want   bool
	}{
		{"same machine", func(*fakeHost, *string, *system.Info) {}, true},
		{"over tcp", func(_ *fakeHost, e *string, _ *system.Info) { *e = "tcp://127.0.0.1:2375" }, false},
		{"over ssh", func(_ *fakeHost, e *string, _ *system.Info) { *e = "ssh://host" }, false},
		{"Docker Desktop", func(_ *fakeHost, _ *string, in *system.Info) { in.OperatingSystem = "Docker Desktop" }, false},
		{"windows containers", func(_ *fakeHost, _ *string, in *system.Info) { in.OSType = "windows" }, false},
		{"another kernel behind a forwarded socket", func(_ *fakeHost, _ *string, in *system.Info) { in.KernelVersion = "6.2" }, false},
		{"another memory", func(_ *fakeHost, _ *string, in *system.Info) { in.MemTotal++ }, false},
		{"another host name", func(h *fakeHost, _ *string, _ *system.Info) { h.hostname = "other" }, false},
		{"root folder is not here", func(h *fakeHost, _ *string, _ *system.Info) { h.statErr = os.ErrNotExist }, false},
		{"root folder is hidden from us", func(h *fakeHost, _ *string, _ *system.Info) { h.statErr = os.ErrPermission }, true},
		{"renamed host with the engine's id", func(h *fakeHost, _ *string, _ *system.Info) { h.hostname, h.id = "other", "engine" }, true},
		{"id of another engine", func(h *fakeHost, _ *string, _ *system.Info) { h.id = "another" }, false},
		{"system without a local engine", func(h *fakeHost, _ *string, in *system.Info) { h.release, in.KernelVersion = "", "" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := fakeHost{hostname: "box", release: "6.1", mem: 1 << 30}
			endpoint := "unix:///var/run/docker.sock"
			in := system.Info{ID: "engine", Name: "box", KernelVersion: "6.1", MemTotal: 1 << 30, OSType: "linux", DockerRootDir: "/var/lib/docker"}
			c.change(&h, &endpoint, &in)
			assert.Equal(t, local(h, endpoint, in), c.want)
		})
	}
}
