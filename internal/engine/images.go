package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/moby/moby/client"
)

// Image returns the image that ref, a reference or an id, names.
func (c *Client) Image(ctx context.Context, ref string) (Image, error) {
	res, err := c.api.ImageInspect(ctx, ref)
	if err != nil {
		return Image{}, c.wrap(err, "inspect image", ref)
	}
	out := Image{ID: res.ID, RepoTags: res.RepoTags, RepoDigests: res.RepoDigests}
	out.Created, _ = time.Parse(time.RFC3339Nano, res.Created) // an image need not say
	if res.Config != nil {
		out.Labels, out.User = res.Config.Labels, res.Config.User
		for place := range res.Config.Volumes {
			out.Volumes = append(out.Volumes, path.Clean(place))
		}
		slices.Sort(out.Volumes)
	}
	return out, nil
}

// Images returns the images that have this label, those without a name too.
func (c *Client) Images(ctx context.Context, label string) ([]Image, error) {
	res, err := c.api.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("label", label)})
	if err != nil {
		return nil, c.wrap(err, "list images", "")
	}
	var out []Image
	for _, i := range res.Items {
		out = append(out, Image{ID: i.ID, RepoTags: i.RepoTags, RepoDigests: i.RepoDigests, Labels: i.Labels})
	}
	return out, nil
}

// ImportImage makes an image of a tar stream, which may be compressed, and gives it the name ref and labels. An image that had the name
// stays without it.
func (c *Client) ImportImage(ctx context.Context, ref string, labels map[string]string, archive io.Reader) error {
	var changes []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		changes = append(changes, fmt.Sprintf("LABEL %s=%q", key, labels[key]))
	}
	res, err := c.api.ImageImport(ctx, client.ImageImportSource{Source: archive, SourceName: "-"}, ref, client.ImageImportOptions{Changes: changes})
	if err != nil {
		return c.wrap(err, "import image", ref)
	}
	defer res.Close()
	return c.wrap(readProgress(res), "import image", ref)
}

// readProgress reads what an engine says while it works, to the end; what goes wrong then stands there and nowhere else.
func readProgress(r io.Reader) error {
	for decoder := json.NewDecoder(r); ; {
		var line struct {
			Error string `json:"error"`
		}
		err := decoder.Decode(&line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line.Error != "" {
			return errors.New(line.Error)
		}
	}
}

// TagImage gives an image, named by its id or a reference, one more name, which another image loses.
func (c *Client) TagImage(ctx context.Context, image, name string) error {
	_, err := c.api.ImageTag(ctx, client.ImageTagOptions{Source: image, Target: name})
	return c.wrap(err, "tag image", name)
}

// RemoveImage removes an image, or its name if it has others. ErrConflict: a container uses it.
func (c *Client) RemoveImage(ctx context.Context, ref string) error {
	_, err := c.api.ImageRemove(ctx, ref, client.ImageRemoveOptions{PruneChildren: true})
	return c.wrap(err, "remove image", ref)
}
