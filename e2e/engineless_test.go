//go:build e2e && unix

package e2e

import (
	"net"
	"sync/atomic"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// countDials makes the project's engine a listener that counts who dials it and answers nobody.
func countDials(t testing.TB, p *Project) *atomic.Int64 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NilError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	dialled := &atomic.Int64{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			_ = conn.Close()
		}
	}()
	p.Setenv("DOCKER_HOST", "tcp://"+listener.Addr().String())
	return dialled
}

// Issue 2, the plugin: nothing that needs no engine dials one.
func TestCommandsThatNeedNoEngineDialNone(t *testing.T) {
	v := newWriters(t, 1)
	v.Standalone("backup").Assert(t, icmd.Success)
	backup := v.archives()[0]
	p := BareProject(t, v.Dir)
	p.Setenv("COMPOSE_PROJECT_NAME", v.Name)
	dialled := countDials(t, p)
	for _, args := range [][]string{
		{"version"},
		{"--help"},
		{"help", "backup"},
		{"backup", "--help"},
		{},
		{"config"},
		{"list"},
		{"ls", "--format", "json"},
		{"inspect", "latest"},
		{"inspect", backup},
		{"verify"},
		{"verify", "--all"},
	} {
		p.Memsys(args...).Assert(t, icmd.Success)
		p.Standalone(args...).Assert(t, icmd.Success)
		assert.Equal(t, dialled.Load(), int64(0), "%q dialled the engine", args)
	}
	p.Memsys("restore", "--to", p.Path("restored"), "latest").Assert(t, icmd.Success)
	assert.Equal(t, dialled.Load(), int64(0), "restore --to dialled the engine")
	for _, words := range [][]string{{""}, {"restore", ""}, {"verify", "memory"}, {"backup", ""}, {"restore", "--source", ""}} {
		p.Docker(append([]string{"__complete", "memsys"}, words...)...).Assert(t, icmd.Success)
		p.Standalone(append([]string{"__complete"}, words...)...).Assert(t, icmd.Success)
		assert.Equal(t, dialled.Load(), int64(0), "completion of %q dialled the engine", words)
	}
	p.Memsys("sources").Assert(t, icmd.Success)
	assert.Assert(t, dialled.Load() > 0, "the listener counts nothing")
}
