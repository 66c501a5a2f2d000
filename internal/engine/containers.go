package engine

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// The labels by which Compose marks its containers.
const (
	ProjectLabel = "com.docker.compose.project"
	ServiceLabel = "com.docker.compose.service"
	NumberLabel  = "com.docker.compose.container-number"
	OneOffLabel  = "com.docker.compose.oneoff"
)

// Filter selects containers; its zero value selects all of the engine.
type Filter struct {
	Project string // exact name of a Compose project
	Service string // exact name of a service
	Label   string // key, or key=value
}

// Containers returns the containers that match, whatever their state, one-off ones too, in the order of their names. One that
// disappears meanwhile is left out.
func (c *Client) Containers(ctx context.Context, f Filter) ([]Container, error) {
	filters := make(client.Filters)
	if f.Project != "" {
		filters.Add("label", ProjectLabel+"="+f.Project)
	}
	if f.Service != "" {
		filters.Add("label", ServiceLabel+"="+f.Service)
	}
	if f.Label != "" {
		filters.Add("label", f.Label)
	}
	list, err := c.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return nil, c.wrap(err, "list containers", "")
	}
	out := make([]Container, 0, len(list.Items))
	for _, item := range list.Items {
		one, err := c.Container(ctx, item.ID)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Container returns the container with this id or name.
func (c *Client) Container(ctx context.Context, id string) (Container, error) {
	res, err := c.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return Container{}, c.wrap(err, "inspect container", id)
	}
	return fromInspect(res.Container), nil
}

func fromInspect(in container.InspectResponse) Container {
	out := Container{ID: in.ID, Name: strings.TrimPrefix(in.Name, "/"), ImageID: in.Image, Restarts: in.RestartCount, Created: moment(in.Created)}
	if in.State != nil {
		out.State = State(in.State.Status)
		out.ExitCode, out.OutOfMemory = in.State.ExitCode, in.State.OOMKilled
		out.Started, out.Ended = moment(in.State.StartedAt), moment(in.State.FinishedAt)
		if in.State.Health != nil && in.State.Health.Status != container.NoHealthcheck {
			out.Health = string(in.State.Health.Status)
		}
	}
	if in.Config != nil {
		l := in.Config.Labels
		out.Labels, out.Image = l, in.Config.Image
		out.Project, out.Service, out.Number = l[ProjectLabel], l[ServiceLabel], l[NumberLabel]
		out.OneOff = strings.EqualFold(l[OneOffLabel], "true")
	}
	for _, m := range in.Mounts {
		out.Mounts = append(out.Mounts, Mount{
			Type: string(m.Type), Name: m.Name, Source: m.Source, Destination: m.Destination, Driver: m.Driver, ReadOnly: !m.RW,
			Subpath: subpath(in.HostConfig, m.Destination),
		})
	}
	if in.HostConfig != nil {
		out.Network, out.Policy = string(in.HostConfig.NetworkMode), string(in.HostConfig.RestartPolicy.Name)
	}
	if in.NetworkSettings != nil {
		out.Addresses, out.Ports = addresses(in.NetworkSettings), ports(in.NetworkSettings.Ports)
	}
	slices.SortFunc(out.Mounts, func(a, b Mount) int { return strings.Compare(a.Destination, b.Destination) })
	return out
}

// moment is a time as the engine tells it; its zero is ours.
func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

// subpath is the folder of a volume that was asked for at a place: the engine does not tell it with the mounts.
func subpath(host *container.HostConfig, destination string) string {
	if host == nil {
		return ""
	}
	for _, m := range host.Mounts {
		if m.VolumeOptions != nil && path.Clean(m.Target) == path.Clean(destination) {
			return m.VolumeOptions.Subpath
		}
	}
	return ""
}

// addresses are those of a container, of the networks in the order of their names.
func addresses(in *container.NetworkSettings) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(in.Networks)) {
		n := in.Networks[name]
		if n == nil {
			continue
		}
		for _, a := range []netip.Addr{n.IPAddress, n.GlobalIPv6Address} {
			if a.IsValid() {
				all = append(all, a.String())
			}
		}
	}
	return all
}

// ports are the published TCP ports, sorted.
func ports(in network.PortMap) []Port {
	var all []Port
	for port, bindings := range in {
		for _, b := range bindings {
			if port.Proto() != network.TCP || b.HostPort == "" {
				continue
			}
			one := Port{Inside: int(port.Num()), HostPort: b.HostPort}
			if b.HostIP.IsValid() {
				one.HostIP = b.HostIP.String()
			}
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Inside, b.Inside), cmp.Compare(a.HostPort, b.HostPort), cmp.Compare(a.HostIP, b.HostIP))
	})
	return all
}

// Pause freezes the processes of a running container. ErrConflict: it does not run, or is paused already.
func (c *Client) Pause(ctx context.Context, id string) error {
	_, err := c.api.ContainerPause(ctx, id, client.ContainerPauseOptions{})
	return c.wrap(err, "pause container", id)
}

// Unpause lets a paused container go on. ErrConflict: it is not paused.
func (c *Client) Unpause(ctx context.Context, id string) error {
	_, err := c.api.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
	if err != nil && strings.Contains(err.Error(), "is not paused") {
		err = kindError{ErrConflict, err} // engines of version 20 report an internal error
	}
	return c.wrap(err, "unpause container", id)
}

// Stop stops a container; one that does not run is no error. It is killed when it takes longer than timeout; with 0 the container's
// own setting counts.
func (c *Client) Stop(ctx context.Context, id string, timeout time.Duration) error {
	var opts client.ContainerStopOptions
	if timeout > 0 {
		seconds := int((timeout + time.Second - 1) / time.Second)
		opts.Timeout = &seconds
	}
	_, err := c.api.ContainerStop(ctx, id, opts)
	return c.wrap(err, "stop container", id)
}

// Start starts a container; one that runs already is no error.
func (c *Client) Start(ctx context.Context, id string) error {
	_, err := c.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
	return c.wrap(err, "start container", id)
}
