package enginetest

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"

	"github.com/memsys/docker-memsys/internal/engine"
)

const conformanceLabel = "memsys.test.process"

// sleeperImage imports the sleeper under a name and labels it with the bench's prefix.
func (b Bench) sleeperImage(t *testing.T, name string) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	ref := b.Prefix + name + ":one"
	assert.NilError(t, b.ImportImage(ctx, ref, map[string]string{conformanceLabel: b.Prefix, "other": `a "quoted" word`}, bytes.NewReader(b.Sleeper)))
	t.Cleanup(func() {
		if err := b.RemoveImage(ctx, ref); !errors.Is(err, engine.ErrNotFound) {
			assert.Check(t, err)
		}
	})
	return ref
}

// echo creates a container of a process that prints what it reads.
func (b Bench) echo(t *testing.T, image string, mounts ...engine.Mount) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	id, err := b.CreateContainer(ctx, engine.Process{
		Name: b.Prefix + "echo", Image: image, Command: []string{"/sleeper", "echo"}, Labels: map[string]string{conformanceLabel: b.Prefix}, Mounts: mounts,
	})
	assert.NilError(t, err)
	t.Cleanup(func() {
		if err := b.RemoveContainer(ctx, id); !errors.Is(err, engine.ErrNotFound) && !errors.Is(err, engine.ErrConflict) {
			assert.Check(t, err)
		}
	})
	return id
}

func (b Bench) images(t *testing.T) {
	ctx := t.Context()
	ref := b.sleeperImage(t, "image")
	first, err := b.Image(ctx, ref)
	assert.NilError(t, err)
	assert.Equal(t, first.Labels[conformanceLabel]+first.Labels["other"], b.Prefix+`a "quoted" word`)
	assert.DeepEqual(t, first.RepoTags, []string{ref})
	id := b.echo(t, ref)
	assert.ErrorIs(t, b.RemoveImage(ctx, first.ID), engine.ErrConflict)
	named, err := b.Container(ctx, b.Prefix+"echo")
	assert.NilError(t, err)
	assert.Equal(t, named.ID, id)
	assert.Assert(t, !named.Created.IsZero())
	assert.NilError(t, b.RemoveContainer(ctx, named.Name))
	list, err := b.Images(ctx, conformanceLabel+"="+b.Prefix)
	assert.NilError(t, err)
	assert.Equal(t, len(list), 1)
	assert.Equal(t, list[0].ID, first.ID)
	list, err = b.Images(ctx, conformanceLabel+"="+b.Prefix+"x")
	assert.NilError(t, err)
	assert.Equal(t, len(list), 0)
	b.secondName(t, first)
	assert.NilError(t, b.RemoveImage(ctx, first.ID))
	assert.ErrorIs(t, b.RemoveImage(ctx, ref), engine.ErrNotFound)
}

// secondName gives an image one more name and takes it away again: the image stays.
func (b Bench) secondName(t *testing.T, i engine.Image) {
	t.Helper()
	ctx, name := t.Context(), b.Prefix+"/keep:second"
	assert.NilError(t, b.TagImage(ctx, i.ID, name))
	same, err := b.Image(ctx, name)
	assert.NilError(t, err)
	assert.Equal(t, same.ID, i.ID)
	assert.Equal(t, len(same.RepoTags), 2)
	assert.NilError(t, b.RemoveImage(ctx, name))
	same, err = b.Image(ctx, i.ID)
	assert.NilError(t, err)
	assert.DeepEqual(t, same.RepoTags, i.RepoTags)
}

func (b Bench) process(t *testing.T) {
	ctx := t.Context()
	id := b.echo(t, b.sleeperImage(t, "process"))
	list, err := b.Containers(ctx, engine.Filter{Label: conformanceLabel + "=" + b.Prefix})
	assert.NilError(t, err)
	assert.Equal(t, len(list), 1)
	assert.Equal(t, list[0].ID, id)
	var stderr bytes.Buffer
	conn, err := b.Attach(ctx, id, &stderr)
	assert.NilError(t, err)
	ended := b.Ended(ctx, id)
	assert.NilError(t, b.Start(ctx, id))
	lines := bufio.NewReader(conn)
	for i := range 100 {
		text := fmt.Sprintf("line %d\n", i)
		_, err := io.WriteString(conn, text)
		assert.NilError(t, err)
		got, err := lines.ReadString('\n')
		assert.NilError(t, err)
		assert.Equal(t, got, text)
	}
	assert.NilError(t, conn.Close())
	code, err := ended()
	assert.NilError(t, err)
	assert.Equal(t, code, 3)
	_, err = b.Container(ctx, id)
	assert.ErrorIs(t, err, engine.ErrNotFound)
}

func (b Bench) killed(t *testing.T) {
	ctx := t.Context()
	id := b.echo(t, b.sleeperImage(t, "killed"))
	conn, err := b.Attach(ctx, id, io.Discard)
	assert.NilError(t, err)
	defer conn.Close()
	ended := b.Ended(ctx, id)
	assert.NilError(t, b.Start(ctx, id))
	if err := b.RemoveContainer(ctx, id); !errors.Is(err, engine.ErrConflict) { // the engine removes it by itself too
		assert.NilError(t, err)
	}
	rest, err := io.ReadAll(conn)
	assert.NilError(t, err)
	assert.Equal(t, string(rest), "")
	code, err := ended()
	assert.NilError(t, err)
	assert.Equal(t, code, 137)
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if _, err := b.Container(ctx, id); errors.Is(err, engine.ErrNotFound) {
			return poll.Success()
		}
		return poll.Continue("it is there")
	}, poll.WithTimeout(10*time.Second), poll.WithDelay(20*time.Millisecond))
}

func (b Bench) copies(t *testing.T) {
	ctx := t.Context()
	name := b.Prefix + "copies"
	_, err := b.CreateVolume(ctx, engine.Volume{Name: name})
	assert.NilError(t, err)
	t.Cleanup(func() { assert.Check(t, b.RemoveVolume(context.WithoutCancel(ctx), name)) })
	id := b.echo(t, b.sleeperImage(t, "copies"), engine.Mount{Type: "volume", Name: name, Destination: "/volume"})
	content := strings.Repeat("content ", 1<<17)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	assert.NilError(t, w.WriteHeader(&tar.Header{Name: "file", Mode: 0o600, Size: int64(len(content))}))
	_, err = io.WriteString(w, content)
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	assert.NilError(t, b.CopyTo(ctx, id, "/volume", &archive))
	stream, err := b.CopyFrom(ctx, id, "/volume/file")
	assert.NilError(t, err)
	r := tar.NewReader(stream)
	header, err := r.Next()
	assert.NilError(t, err)
	got, err := io.ReadAll(r)
	assert.NilError(t, err)
	assert.NilError(t, stream.Close())
	assert.Equal(t, header.Name, "file")
	assert.Equal(t, string(got), content)
	_, err = b.CopyFrom(ctx, id, "/volume/missing")
	assert.ErrorIs(t, err, engine.ErrNotFound)
	assert.ErrorIs(t, b.CopyTo(ctx, id, "/missing", strings.NewReader("")), engine.ErrNotFound)
	assert.NilError(t, b.RemoveContainer(ctx, id))
}
