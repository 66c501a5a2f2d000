package engine

import (
	"testing"

	"github.com/moby/moby/api/types/system"
	"gotest.tools/v3/assert"
)

func TestAnEngineThatCannotPauseSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name     string
		in       system.Info
		rootless bool
		want     string
	}{
		{"cgroup version 2", system.Info{OSType: "linux", CgroupDriver: "systemd", CgroupVersion: "2"}, false, ""},
		{"cgroup version 1", system.Info{OSType: "linux", CgroupDriver: "cgroupfs", CgroupVersion: "1"}, false, ""},
		{"rootless, version 2", system.Info{OSType: "linux", CgroupDriver: "systemd", CgroupVersion: "2"}, true, ""},
		{"rootless, version 1", system.Info{OSType: "linux", CgroupDriver: "cgroupfs", CgroupVersion: "1"}, true, "a rootless engine with cgroup version 1 cannot pause containers"},
		{"rootless without cgroups", system.Info{OSType: "linux", CgroupDriver: "none", CgroupVersion: "2"}, true, "an engine without cgroups cannot pause containers"},
		{"Windows containers", system.Info{OSType: "windows"}, false, "an engine for Windows containers cannot pause them"},
		{"an engine that does not say", system.Info{}, false, ""},
	} {
		assert.Equal(t, noPause(c.in, c.rootless), c.want, c.name)
	}
}
