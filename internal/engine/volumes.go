package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"
)

// Volume returns the volume with this name.
func (c *Client) Volume(ctx context.Context, name string) (Volume, error) {
	res, err := c.api.VolumeInspect(ctx, name, client.VolumeInspectOptions{})
	if err != nil {
		return Volume{}, c.wrap(err, "inspect volume", name)
	}
	return fromVolume(res.Volume), nil
}

// Volumes returns the volumes that have this label with this value, in the order of their names.
func (c *Client) Volumes(ctx context.Context, label, value string) ([]Volume, error) {
	filters := make(client.Filters).Add("label", label+"="+value)
	res, err := c.api.VolumeList(ctx, client.VolumeListOptions{Filters: filters})
	if err != nil {
		return nil, c.wrap(err, "list volumes", "")
	}
	out := make([]Volume, 0, len(res.Items))
	for _, v := range res.Items {
		out = append(out, fromVolume(v))
	}
	slices.SortFunc(out, func(a, b Volume) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// CreateVolume makes a volume with the name, driver, options and labels of v. If one with this name exists, the engine returns that
// one as it is: compare the labels where it matters.
func (c *Client) CreateVolume(ctx context.Context, v Volume) (Volume, error) {
	res, err := c.api.VolumeCreate(ctx, client.VolumeCreateOptions{
		Name: v.Name, Driver: v.Driver, DriverOpts: v.Options, Labels: v.Labels,
	})
	if err != nil {
		return Volume{}, c.wrap(err, "create volume", v.Name)
	}
	return fromVolume(res.Volume), nil
}

// RemoveVolume removes a volume with all that is in it. ErrConflict: a container has it.
func (c *Client) RemoveVolume(ctx context.Context, name string) error {
	_, err := c.api.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
	return c.wrap(err, "remove volume", name)
}

func fromVolume(v volume.Volume) Volume {
	out := Volume{Name: v.Name, Driver: v.Driver, Mountpoint: v.Mountpoint, Options: v.Options, Labels: v.Labels}
	out.CreatedAt, _ = time.Parse(time.RFC3339Nano, v.CreatedAt) // drivers need not tell: then it is zero
	return out
}
