//go:build e2e && unix

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// SampleImage is the image of examples/memory-system.
const SampleImage = "memsystest/memory-system:latest"

// A quick health check, so that no test waits ten seconds for the first.
const sampleOverride = `
services:
  memory-system:
    healthcheck: {interval: 1s}
`

// Sample deploys examples/memory-system with a number of made-up memories, the same ones each time, and brings it up. Its
// data, logs and backups lie in the folder home of the project; the service is memory-system.
func Sample(t testing.TB, memories int) *Project {
	t.Helper()
	NeedImage(t, SampleImage)
	compose, err := os.ReadFile(filepath.Join("..", "examples", "memory-system", "compose.yaml"))
	assert.NilError(t, err)
	p := NewProject(t, string(compose))
	p.Write("compose.override.yaml", sampleOverride)
	p.Setenv("MEMORY_SYSTEM_IMAGE", SampleImage)
	p.Setenv("MEMORY_SYSTEM_CONTAINER", p.Name+"-memory-system")
	p.Setenv("MEMORY_SYSTEM_HOME", p.Path("home"))
	p.Setenv("MEMORY_SYSTEM_PORT", "127.0.0.1:"+FreePort(t))
	p.Compose("run", "--rm", "--no-deps", "--name", p.Name+"-seed", "memory-system",
		"-seed", strconv.Itoa(memories), "-seed-value", "7").Assert(t, icmd.Success)
	p.Up("memory-system")
	return p
}

// FreePort is a TCP port of 127.0.0.1 that nothing listens on.
func FreePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NilError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	assert.NilError(t, err)
	return port
}
