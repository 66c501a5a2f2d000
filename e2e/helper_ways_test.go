//go:build e2e && unix

package e2e

import (
	"testing"

	"github.com/memsys/docker-memsys/internal/tree/treetest"
)

func TestAUserOfGroupDockerBacksUpAndRestoresWhatIsNotTheirs(t *testing.T) {
	u := NewUser(t, "docker")
	e := newElsewhere(t, u, "", treetest.Options{Seed: 31, Devices: true})
	e.As(u)
	e.roundTrip(t, true)
}

func TestOverSSHBackupAndRestoreDoTheSame(t *testing.T) {
	u := NewUser(t, "docker")
	e := newElsewhere(t, u, "", treetest.Options{Seed: 32})
	e.As(u)
	e.OverSSH(u, socket(t))
	e.roundTrip(t, false)
}

func TestOverTCPBackupAndRestoreDoTheSame(t *testing.T) {
	u := NewUser(t)
	port := FreePort(t)
	host, engine := engineWith(t, "tcp="+port)
	e := newElsewhere(t, u, host, treetest.Options{Seed: 33})
	e.As(u)
	e.Within(engine)
	e.Setenv("DOCKER_HOST", "tcp://127.0.0.1:"+port)
	e.roundTrip(t, false)
}

func TestOnAnEngineThatRemapsUsersBackupAndRestoreDoTheSame(t *testing.T) {
	u := NewUser(t, "docker")
	host, _ := engineWith(t, "userns-remap="+u.Name)
	e := newElsewhere(t, u, host, treetest.Options{Seed: 34, Devices: true})
	e.As(u)
	e.roundTrip(t, true)
}
