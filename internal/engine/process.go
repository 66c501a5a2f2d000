package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
)

// Process is what a container of our own runs, without network, with a root that it cannot write, removed by the engine when it ends.
type Process struct {
	Name    string
	Image   string
	Command []string
	Labels  map[string]string
	// Mounts need Type, Name or Source, Destination, ReadOnly.
	Mounts []Mount
	// Capabilities are all that it has, without their CAP_.
	Capabilities []string
	// HostUsers lets its user ids be the host's, where the engine gives containers ids of their own.
	HostUsers bool
}

// CreateContainer makes a container of a process, not started, and returns its id. ErrNotFound: no such image or volume.
func (c *Client) CreateContainer(ctx context.Context, p Process) (string, error) {
	host := &container.HostConfig{
		AutoRemove: true, NetworkMode: "none", ReadonlyRootfs: true, LogConfig: container.LogConfig{Type: "none"},
		CapDrop: []string{"ALL"}, CapAdd: p.Capabilities, SecurityOpt: []string{"no-new-privileges", "label=disable"},
	}
	if p.HostUsers {
		host.UsernsMode = "host"
	}
	for _, m := range p.Mounts {
		to := mount.Mount{Type: mount.Type(m.Type), Source: m.Source, Target: m.Destination, ReadOnly: m.ReadOnly}
		if to.Type == mount.TypeVolume {
			to.Source, to.VolumeOptions = m.Name, &mount.VolumeOptions{NoCopy: true}
		}
		host.Mounts = append(host.Mounts, to)
	}
	res, err := c.api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: p.Name, HostConfig: host,
		Config: &container.Config{
			Image: p.Image, Cmd: p.Command, Labels: p.Labels, User: "0:0", NetworkDisabled: true,
			OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true,
		},
	})
	if err != nil {
		return "", c.wrap(err, "create container", p.Name)
	}
	return res.ID, nil
}

// RemoveContainer removes the container with this id or name, running or not, with the volumes without a name that the engine has made for it.
// ErrConflict: it is being removed already.
func (c *Client) RemoveContainer(ctx context.Context, id string) error {
	_, err := c.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	return c.wrap(err, "remove container", id)
}

// Attach connects to stdin, stdout and stderr of a container. Reading the result gives its stdout, writing goes to its stdin,
// closing ends both. What it writes to stderr goes to stderr; that is over when reading has ended.
func (c *Client) Attach(ctx context.Context, id string, stderr io.Writer) (io.ReadWriteCloser, error) {
	res, err := c.api.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		if _, missing := c.Container(ctx, id); errors.Is(missing, ErrNotFound) {
			return nil, missing // the refused connection does not say so
		}
		return nil, c.wrap(err, "attach to container", id)
	}
	stdout, to := io.Pipe()
	go func() {
		_, err := stdcopy.StdCopy(to, stderr, res.Reader)
		_ = to.CloseWithError(err) // nil becomes io.EOF
	}()
	return &attached{stdout, res.HijackedResponse}, nil
}

type attached struct {
	stdout *io.PipeReader
	conn   client.HijackedResponse
}

// Read reads from stdout.
func (a *attached) Read(p []byte) (int, error) { return a.stdout.Read(p) }

// Write writes to stdin.
func (a *attached) Write(p []byte) (int, error) { return a.conn.Conn.Write(p) }

// Close drops the connection.
func (a *attached) Close() error {
	err := a.conn.Conn.Close()
	_ = a.stdout.Close()
	return err
}

// Ended asks the engine to tell when a container that it removes by itself has ended and is gone; call it before the start. The
// function that it returns waits for that, and returns the exit code of its process.
func (c *Client) Ended(ctx context.Context, id string) func() (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	res := c.api.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
	return sync.OnceValues(func() (int, error) {
		defer cancel()
		select {
		case got := <-res.Result:
			if got.Error != nil && got.Error.Message != "" {
				return int(got.StatusCode), errors.New(got.Error.Message)
			}
			return int(got.StatusCode), nil
		case err := <-res.Error:
			return -1, c.wrap(err, "wait for container", id)
		}
	})
}

// CopyFrom reads a file or folder out of a container as an uncompressed tar stream; the caller closes it. Until then the engine
// answers nothing else about this container.
func (c *Client) CopyFrom(ctx context.Context, id, path string) (io.ReadCloser, error) {
	res, err := c.api.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: path})
	if err != nil {
		return nil, c.wrap(err, fmt.Sprintf("copy %s from container", path), id)
	}
	return res.Content, nil
}

// CopyTo unpacks an uncompressed tar stream into a folder of a container.
func (c *Client) CopyTo(ctx context.Context, id, dir string, archive io.Reader) error {
	_, err := c.api.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: dir, Content: archive})
	return c.wrap(err, fmt.Sprintf("copy to %s of container", dir), id)
}
