// Package engine talks to the Docker Engine: containers, volumes, images. It is the only package that imports the engine's client.
// Operations declare the small interfaces they need; enginetest is a complete fake held to the real engine by a shared conformance test.
package engine

import "time"

// Info is which engine this is.
type Info struct {
	ID         string
	Name       string // the engine's host name
	Version    string
	APIVersion string
	RootDir    string
	OS         string // of its containers: linux, windows
	// Architecture is the engine's as Go names it: amd64, arm64 …
	Architecture string
	Rootless     bool
	// NoPause says why the engine cannot pause containers; empty where it can.
	NoPause string
	// RemapsUsers tells that containers have user ids of their own, which are others on the engine's host.
	RemapsUsers bool
	// Local tells that the engine runs on this machine's own kernel, so that its paths are ours.
	Local bool
	// SharesFiles tells that the paths of bind mounts are this machine's, though the engine's own are not: Docker Desktop.
	SharesFiles bool
	Time        time.Time // the engine's clock
}

// State is a container's state as the engine names it.
type State string

// The states of containers.
const (
	Created    State = "created"
	Running    State = "running"
	Paused     State = "paused"
	Restarting State = "restarting"
	Exited     State = "exited"
	Removing   State = "removing"
	Dead       State = "dead"
)

// Container is one container, whatever its state.
type Container struct {
	ID      string
	Name    string
	Project string // com.docker.compose.project
	Service string // com.docker.compose.service
	Number  string // com.docker.compose.container-number
	OneOff  bool
	State   State
	Image   string // reference it was created from
	ImageID string
	Mounts  []Mount
	Labels  map[string]string
	// Health is what its healthcheck says: starting, healthy, unhealthy; empty where it has none.
	Health string
	// Policy is how the engine restarts it: no, on-failure, always, unless-stopped; Restarts is how often it did since somebody started it.
	Policy   string
	Restarts int
	// Created is when it was made; Started and Ended are when it did so last, by the engine's clock; ExitCode and OutOfMemory are how it ended.
	Created, Started, Ended time.Time
	ExitCode                int
	OutOfMemory             bool
	// Network is the mode of its network: host, container:ID, or the name of one.
	Network string
	// Addresses are its own in the engine's networks, while it runs; Ports are what of it is published.
	Addresses []string
	Ports     []Port
}

// Port is a published TCP port of a container.
type Port struct {
	Inside int
	// HostIP and HostPort are where it answers on the engine's host; 0.0.0.0 and :: are all addresses of it.
	HostIP   string
	HostPort string
}

// Mount is what the engine really mounted into a container.
type Mount struct {
	Type        string // bind, volume, tmpfs, ...
	Name        string // of a volume
	Source      string // path on the engine's host
	Destination string
	Driver      string
	ReadOnly    bool
	// Subpath is the folder of a volume that is mounted, where it is not all of it.
	Subpath string
}

// Volume is a volume of the engine.
type Volume struct {
	Name       string
	Driver     string
	Mountpoint string
	Options    map[string]string
	Labels     map[string]string
	CreatedAt  time.Time
}

// Image is an image of the engine.
type Image struct {
	ID          string
	RepoTags    []string
	RepoDigests []string
	Labels      map[string]string
	// User is whom its containers run as: NAME or NUMBER, with or without :GROUP; empty is root.
	User string
	// Volumes are the places at which its containers get a volume, one without a name if nothing else is mounted there; sorted.
	Volumes []string
	// Created is when it was made; zero where it does not say.
	Created time.Time
}
