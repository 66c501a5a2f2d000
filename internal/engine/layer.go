package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Change is one path that differs between a container and its image.
type Change struct {
	Path string
	// Added tells that the image does not have it; else the image's own was changed or removed.
	Added, Removed bool
}

// ErrTooMany: there are more changes than were asked for.
var ErrTooMany = errors.New("too many changes")

// Changes are the paths in a container's own writable layer: what lies in mounts is not among them. At most limit are read;
// with more, these come together with ErrTooMany.
func (c *Client) Changes(ctx context.Context, id string, limit int) ([]Change, error) {
	// The engine's client reads the whole answer into memory, and a layer may have millions of files: this reads it one by one.
	dial := c.api.Dialer()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/containers/"+url.PathEscape(id)+"/changes", nil)
	if err != nil {
		return nil, c.wrap(err, "list changes of container", id)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, c.wrap(err, "list changes of container", id)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, c.wrap(refused(res), "list changes of container", id)
	}
	out, err := readChanges(res.Body, limit)
	return out, c.wrap(err, "list changes of container", id)
}

// refused is the error that an engine's answer tells.
func refused(res *http.Response) error {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&said) // without words the status tells enough
	err := fmt.Errorf("engine answered %s: %s", res.Status, said.Message)
	switch res.StatusCode {
	case http.StatusNotFound:
		return kindError{ErrNotFound, err}
	case http.StatusConflict:
		return kindError{ErrConflict, err}
	}
	return err
}

// readChanges reads a list of changes, null for none.
func readChanges(r io.Reader, limit int) ([]Change, error) {
	in := json.NewDecoder(r)
	first, err := in.Token()
	if err != nil || first == nil {
		return nil, err
	}
	var out []Change
	for in.More() {
		if len(out) == limit {
			return out, ErrTooMany
		}
		var one container.FilesystemChange
		if err := in.Decode(&one); err != nil {
			return nil, err
		}
		out = append(out, Change{Path: one.Path, Added: one.Kind == container.ChangeAdd, Removed: one.Kind == container.ChangeDelete})
	}
	_, err = in.Token()
	return out, err
}

// PathInfo is what an engine tells of a path in a container.
type PathInfo struct {
	Name    string
	Size    int64
	Mode    os.FileMode
	ModTime time.Time
	// Link is where a symbolic link leads to, inside the container.
	Link string
}

// Stat tells what is at a path of a container, in its mounts too, whether it runs or not. ErrNotFound: nothing.
func (c *Client) Stat(ctx context.Context, id, path string) (PathInfo, error) {
	res, err := c.api.ContainerStatPath(ctx, id, client.ContainerStatPathOptions{Path: path})
	if err != nil {
		return PathInfo{}, c.wrap(err, fmt.Sprintf("look at %s in container", path), id)
	}
	s := res.Stat
	return PathInfo{Name: s.Name, Size: s.Size, Mode: s.Mode, ModTime: s.Mtime, Link: s.LinkTarget}, nil
}
