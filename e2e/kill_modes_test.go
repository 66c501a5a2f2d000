//go:build e2e && unix

package e2e

import (
	"testing"
)

// A mode is a way to the files of a project that is killed.
type mode struct {
	name string
	// helper tells that the files are read and written by a helper container.
	helper bool
	set    func(t *testing.T)
}

// The modes: by the plugin itself, through a helper, and through one on an engine that shares no files with this machine.
var (
	direct = mode{name: "direct", set: func(t *testing.T) { t.Setenv("MEMSYS_HELPER", "never") }}
	helped = mode{name: "helper", helper: true, set: func(t *testing.T) { t.Setenv("MEMSYS_HELPER", "always") }}
	remote = mode{name: "remote", helper: true, set: func(t *testing.T) {
		address := forward(t, "tcp", "127.0.0.1:0").Addr().String()
		t.Setenv("DOCKER_HOST", "tcp://"+address)
	}}
)

// inEach does the same in several modes.
func inEach(t *testing.T, modes []mode, do func(t *testing.T, m mode)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			m.set(t)
			do(t, m)
		})
	}
}

// some is a sample that is smaller in the mode that costs most.
func (m mode) some(sample int) int {
	if m.name == remote.name {
		return max(2, sample/2)
	}
	return sample
}
