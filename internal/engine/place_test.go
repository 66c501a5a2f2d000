package engine

import (
	"context"
	"errors"
	"testing"

	"gotest.tools/v3/assert"
)

func TestAMountShowsTheFolderThatItsVolumeBinds(t *testing.T) {
	broken := errors.New("no answer")
	volume := func(_ context.Context, name string) (Volume, error) {
		switch name {
		case "bound":
			return Volume{Name: name, Driver: "local", Options: map[string]string{"o": "bind", "type": "none", "device": "/srv/data"}}, nil
		case "gone":
			return Volume{}, ErrNotFound
		case "broken":
			return Volume{}, broken
		}
		return Volume{Name: name, Driver: "local", Mountpoint: "/engine/" + name}, nil
	}
	for _, c := range []struct {
		mount Mount
		want  []string
		err   error
	}{
		{Mount{Type: "bind", Source: "/srv"}, []string{"/srv"}, nil},
		{Mount{Type: "volume", Name: "bound", Source: "/engine/bound"}, []string{"/engine/bound", "/srv/data"}, nil},
		{Mount{Type: "volume", Name: "plain", Source: "/engine/plain"}, []string{"/engine/plain"}, nil},
		{Mount{Type: "volume", Name: "gone", Source: "/engine/gone"}, []string{"/engine/gone"}, nil},
		{Mount{Type: "volume", Name: "broken", Source: "/engine/broken"}, nil, broken},
		{Mount{Type: "tmpfs"}, nil, nil},
	} {
		got, err := c.mount.Shown(t.Context(), volume)
		assert.Assert(t, errors.Is(err, c.err), "%v", err)
		assert.DeepEqual(t, got, c.want)
	}
}
