package backup

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/quiesce"
	"github.com/memsys/docker-memsys/internal/store"
)

// containers makes the backup see the fake engine's containers and volumes.
func (b *bed) containers(t *testing.T) {
	t.Helper()
	var err error
	b.req.Containers, err = b.engine.Containers(t.Context(), engine.Filter{})
	assert.NilError(t, err)
	b.req.Volume = b.engine.Volume
}

func (b *bed) mounting(name string, m engine.Mount) string {
	return b.engine.Add(engine.Container{Name: name, State: engine.Running, Mounts: []engine.Mount{m}})
}

func TestWritersAreKnownByWhateverNameTheyMountTheData(t *testing.T) {
	b := newBed(t)
	link := filepath.Join(filepath.Dir(b.data), "link")
	assert.NilError(t, os.Symlink(filepath.Dir(b.data), link))
	folder := filepath.Join(b.data, "memories")
	b.engine.AddVolume(engine.Volume{
		Name: "bound", Driver: "local", Mountpoint: "/var/lib/docker/volumes/bound/_data",
		Options: map[string]string{"type": "none", "o": "bind", "device": folder},
	})
	b.mounting("by-link", engine.Mount{Type: "bind", Source: filepath.Join(link, "data")})
	b.mounting("child", engine.Mount{Type: "bind", Source: folder})
	b.mounting("parent-by-link", engine.Mount{Type: "bind", Source: link})
	b.mounting("volume", engine.Mount{Type: "volume", Name: "bound", Source: "/var/lib/docker/volumes/bound/_data"})
	b.mounting("beside", engine.Mount{Type: "bind", Source: b.data + "base"})
	b.mounting("other-volume", engine.Mount{Type: "volume", Name: "other", Source: "/var/lib/docker/volumes/other/_data"})
	b.containers(t)
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	var held []string
	for _, it := range plan.Quiesce.Items {
		held = append(held, it.Name)
	}
	assert.DeepEqual(t, held, []string{"by-link", "child", "parent-by-link", "volume"})
}

// TestWhoWritesAllTheSameMakesTheBackupIncomplete: started or let go by somebody else while the data is read, or not to be held.
func TestWhoWritesAllTheSameMakesTheBackupIncomplete(t *testing.T) {
	const unheld, ended = "could write while its data was read", "was stopped or removed while it was paused"
	for name, c := range map[string]struct {
		disturb func(b *bed, writer string)
		told    string
	}{
		"started":    {func(b *bed, _ string) { b.service("job", false) }, unheld},
		"let go":     {func(b *bed, writer string) { b.engine.SetState(writer, engine.Running) }, unheld},
		"restarting": {func(b *bed, _ string) {}, unheld},
		"stopped":    {func(b *bed, writer string) { b.engine.SetState(writer, engine.Exited) }, ended},
		"removed":    {func(b *bed, writer string) { b.engine.Remove(writer) }, ended},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			writer := b.service("app", false)
			if name == "restarting" {
				b.engine.SetState(writer, engine.Restarting)
			}
			b.containers(t)
			plan, err := Prepare(t.Context(), b.dir, b.req)
			assert.NilError(t, err)
			run, once := b.runner(), false
			run.Containers = func(ctx context.Context) ([]engine.Container, error) {
				return b.engine.Containers(ctx, engine.Filter{})
			}
			run.Progress = progress.Func(func(e progress.Event) {
				if e.Step == "write" && !once {
					once = true
					c.disturb(b, writer)
				}
			})
			res, err := run.Run(t.Context(), plan)
			assert.NilError(t, err)
			assert.Equal(t, res.Backup.State, store.Incomplete)
			assert.Assert(t, strings.Contains(res.Problems[0].Error, c.told), "%v", res.Problems)
		})
	}
}

func TestWhoIsHeldOrWasNotToBeHeldIsNoProblem(t *testing.T) {
	for _, mode := range []quiesce.Mode{quiesce.Pause, quiesce.Stop, quiesce.None} {
		b := newBed(t)
		b.req.Quiesce = mode
		b.service("app", false)
		b.service("reader", true)
		b.containers(t)
		plan, err := Prepare(t.Context(), b.dir, b.req)
		assert.NilError(t, err)
		run := b.runner()
		run.Containers = func(ctx context.Context) ([]engine.Container, error) {
			return b.engine.Containers(ctx, engine.Filter{})
		}
		res, err := run.Run(t.Context(), plan)
		assert.NilError(t, err)
		assert.Assert(t, res.Complete, "%s: %v", mode, res.Problems)
	}
}
