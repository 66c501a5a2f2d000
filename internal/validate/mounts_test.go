package validate

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// mounted is a world with one service of these planned mounts, and a container of it with these.
func mounted(t *testing.T, planned []compose.Planned, live ...engine.Mount) (*World, *enginetest.Engine, string) {
	t.Helper()
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{Name: "memory-app-1", Project: "memory", Service: "app", Number: "1", Mounts: live})
	w := world()
	w.Engine = fake
	for i := range planned {
		planned[i].Service = "app"
	}
	w.Plans = []compose.ServicePlan{{Service: "app", Replicas: 1, Mounts: planned}}
	w.Containers, _ = fake.Containers(t.Context(), engine.Filter{})
	return w, fake, id
}

const anonymous = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestMountsAreAsTheComposeFileSays(t *testing.T) {
	bind := compose.Planned{Type: "bind", Path: "/srv/data", Target: "/data"}
	volume := compose.Planned{Type: "volume", Volume: &compose.VolumeInfo{Key: "v", Name: "memory_v"}, Target: "/v"}
	liveBind := engine.Mount{Type: "bind", Source: "/srv/data", Destination: "/data"}
	liveVolume := engine.Mount{Type: "volume", Name: "memory_v", Destination: "/v"}
	for _, c := range []struct {
		name    string
		planned compose.Planned
		live    []engine.Mount
		want    inventory.Status
		text    string
	}{
		{"a folder", bind, []engine.Mount{liveBind}, inventory.OK, ""},
		{"a folder behind Docker Desktop", bind, []engine.Mount{{Type: "bind", Source: "/host_mnt/srv/data", Destination: "/data"}}, inventory.OK, ""},
		{"a volume", volume, []engine.Mount{liveVolume}, inventory.OK, ""},
		{"missing", bind, nil, inventory.Warning, "has nothing mounted at /data, where the compose file has /srv/data"},
		{"another folder", bind, []engine.Mount{{Type: "bind", Source: "/srv/old", Destination: "/data"}}, inventory.Warning, "has /srv/old mounted at /data, where the compose file has /srv/data"},
		{"another kind", bind, []engine.Mount{{Type: "volume", Name: anonymous, Destination: "/data"}}, inventory.Warning, "has volume " + anonymous},
		{"another volume", volume, []engine.Mount{{Type: "volume", Name: "old_v", Destination: "/v"}}, inventory.Warning, "has volume old_v mounted at /v, where the compose file has volume memory_v"},
		{"read-only", bind, []engine.Mount{{Type: "bind", Source: "/srv/data", Destination: "/data", ReadOnly: true}}, inventory.Warning, "at /data read-only, where the compose file has it writable"},
		{"another folder of a volume", volume, []engine.Mount{{Type: "volume", Name: "memory_v", Destination: "/v", Subpath: "x"}}, inventory.Warning, `the folder "x" of volume memory_v`},
		{"one more", bind, []engine.Mount{liveBind, {Type: "bind", Source: "/srv/more", Destination: "/more"}}, inventory.Warning, "has /srv/more mounted at /more, where the compose file has nothing"},
		{"a volume of the image", bind, []engine.Mount{liveBind, {Type: "volume", Name: anonymous, Destination: "/more"}}, inventory.OK, ""},
		{"a secret", bind, []engine.Mount{liveBind, {Type: "bind", Source: "/srv/s", Destination: "/run/secrets/s"}}, inventory.OK, ""},
		{"memory", compose.Planned{Type: "tmpfs", Target: "/tmp"}, nil, inventory.OK, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _, _ := mounted(t, []compose.Planned{c.planned}, c.live...)
			w.OwnMount = func(_ string, m engine.Mount) bool { return m.Destination == "/run/secrets/s" }
			r := only(t, w, matchCheck())
			says(t, r, c.want, c.text)
			assert.Equal(t, r.Checked, int64(1))
		})
	}
}

func TestAVolumeThatComposeWouldMakeAnewIsNamed(t *testing.T) {
	v := &compose.VolumeInfo{Key: "v", Name: "memory_v", Options: map[string]string{"type": "nfs", "o": "addr=a,password=neu", "device": ":/b"}}
	w, fake, _ := mounted(t, []compose.Planned{{Type: "volume", Volume: v, Target: "/v"}}, engine.Mount{Type: "volume", Name: "memory_v", Destination: "/v"})
	fake.AddVolume(engine.Volume{Name: "memory_v", Driver: "local", Options: map[string]string{"type": "nfs", "o": "addr=a,password=alt,secret=alt", "device": ":/b"}})
	says(t, only(t, w, matchCheck()), inventory.Warning, `was made with o="addr=a,password=…,secret=…"`, "would delete it with its data")
	fake.AddVolume(engine.Volume{Name: "memory_v", Driver: "rclone"})
	says(t, only(t, w, matchCheck()), inventory.Warning, "is of driver rclone, in the compose file of local")
	v.External = true
	says(t, only(t, w, matchCheck()), inventory.OK)
}

func TestServicesWithoutContainersAndContainersWithoutServices(t *testing.T) {
	w, fake, id := mounted(t, nil)
	w.Plans[0].Service = "web"
	says(t, only(t, w, matchCheck()), inventory.Warning, "service web has no container", "memory-app-1: runs, but the compose file has no enabled service app")
	fake.SetState(id, engine.Exited)
	w.Containers, _ = fake.Containers(t.Context(), engine.Filter{})
	says(t, only(t, w, matchCheck()), inventory.Unchecked)
	w.Plans[0].Replicas = 0
	says(t, only(t, w, matchCheck()), inventory.Unchecked)
	w.Engine, w.NoEngine = nil, "no engine answers at unix:///s"
	says(t, only(t, w, matchCheck()), inventory.Unchecked, "no engine answers")
	says(t, only(t, w, layerCheck()), inventory.Unchecked, "no engine answers")
}

func TestDataInALayerIsFoundAndOtherFilesAreNot(t *testing.T) {
	for _, c := range []struct {
		path string
		size int64
		want string // empty: nothing is found
	}{
		{"/app/data/memories/one.json", 10, "memory-app-1:/app/data: data (1 file, 10B, such as one.json)"},
		{"/opt/memory-system/data/x", 10, "memory-app-1:/opt/memory-system/data"},
		{"/srv/state.sqlite3", 10, "memory-app-1:/srv"},
		{"/root/index.db", 10, "memory-app-1:/root"},
		{"/app/notes/one.jsonl", 10, "memory-app-1:/app/notes"}, // beside the mount /app/files
		{"/app/files/one.json", 10, ""},                         // in the mount
		{"/srv/server/memory.jsonl", 10, "memory-app-1:/srv/server"},
		{"/app/notes/main.js", 10, ""},
		{"/app/package-lock.json", 10, ""},
		{"/app/node_modules/x/data.json", 10, ""},
		{"/app/logs/app.json", 10, ""},
		{"/elsewhere/one.json", 10, ""},
		{"/root/.cache/chroma/onnx.db", 10, ""},
		{"/tmp/x.db", 10, ""},
		{"/var/lib/dpkg/x.db", 10, ""},
		{"/data/empty", 0, ""},
	} {
		t.Run(c.path, func(t *testing.T) {
			w, fake, id := mounted(t, nil, engine.Mount{Type: "bind", Source: t.TempDir(), Destination: "/app/files"})
			fake.AddToLayer(id, c.path, c.size)
			if r := only(t, w, layerCheck()); c.want != "" {
				says(t, r, inventory.Warning, c.want, "docker compose down deletes it")
			} else {
				says(t, r, inventory.OK)
			}
		})
	}
}

// TestAFileOfTheImageThatWasWritten: what only got another owner has the time that the image gave it.
func TestAFileOfTheImageThatWasWritten(t *testing.T) {
	made := time.Now()
	for at, want := range map[time.Time]inventory.Status{made.Add(-time.Hour): inventory.OK, made.Add(time.Minute): inventory.Warning} {
		w, fake, id := mounted(t, nil)
		for i := range w.Containers {
			w.Containers[i].Created = made
		}
		fake.ChangeInLayer(id, "/app/data/seed.json", 10, at)
		says(t, only(t, w, layerCheck()), want)
	}
}

func TestALayerWithVeryManyFilesIsBounded(t *testing.T) {
	w, fake, id := mounted(t, nil)
	for i := range layerStats + 100 {
		fake.AddToLayer(id, fmt.Sprintf("/data/%d.json", i), 10)
	}
	says(t, only(t, w, layerCheck()), inventory.Warning, "at least 300 files")
	var asked int
	for _, c := range fake.Calls() {
		if c.Name == "Stat" {
			asked++
		}
	}
	assert.Equal(t, asked, layerStats)
}

func TestALayerThatCannotBeSeenIsNotChecked(t *testing.T) {
	w, fake, id := mounted(t, nil)
	fake.Before(func(c enginetest.Call) error {
		if c.Name == "Changes" {
			return errors.New("not supported")
		}
		return nil
	})
	says(t, only(t, w, layerCheck()), inventory.Unchecked, "its layer cannot be looked at: not supported")
	w.layers = nil
	fake.Before(nil)
	fake.Remove(id)
	says(t, only(t, w, layerCheck()), inventory.Unchecked)
}

func TestVolumesWithoutNamesAreNamed(t *testing.T) {
	full, empty := t.TempDir(), t.TempDir()
	w, _, _ := mounted(t, nil,
		engine.Mount{Type: "volume", Name: anonymous, Source: full, Destination: "/data"},
		engine.Mount{Type: "volume", Name: anonymous, Source: empty, Destination: "/nothing"},
		engine.Mount{Type: "volume", Name: anonymous, Source: full, Destination: "/app/node_modules"},
		engine.Mount{Type: "volume", Name: "memory_v", Source: full, Destination: "/v"})
	w.Empty = func(path string) (bool, error) { return path == empty, nil }
	r := only(t, w, layerCheck())
	says(t, r, inventory.Warning, "memory-app-1:/data: data lies in a volume without a name")
	assert.Equal(t, len(r.Findings), 1)
	w.Empty = func(string) (bool, error) { return false, fs.ErrPermission }
	says(t, only(t, w, layerCheck()), inventory.Warning, "memory-app-1:/nothing: whatever is in it lies in a volume without a name")
}

func TestWhatSeveralWriteIsNamed(t *testing.T) {
	w, fake, _ := mounted(t, nil)
	w.Plans = append(w.Plans, compose.ServicePlan{Service: "sidecar"})
	folder := compose.Source{Name: "data", Kind: compose.Bind, Path: "/srv/data", Mounts: []compose.Mount{{Service: "app", Target: "/data"}}}
	volume := compose.Source{Name: "v", Kind: compose.Volume, Volume: &compose.VolumeInfo{Name: "memory_v"}, Mounts: []compose.Mount{{Service: "app", Target: "/v"}}}
	w.Sources = []compose.Source{folder, volume}
	says(t, only(t, w, sharedCheck()), inventory.OK)
	for _, c := range []struct {
		name  string
		mount engine.Mount
		state engine.State
		want  inventory.Status
	}{
		{"the folder", engine.Mount{Type: "bind", Source: "/srv/data"}, "", inventory.Warning},
		{"the folder above", engine.Mount{Type: "bind", Source: "/srv"}, "", inventory.Warning},
		{"a folder below", engine.Mount{Type: "bind", Source: "/srv/data/memories"}, "", inventory.Warning},
		{"the volume", engine.Mount{Type: "volume", Name: "memory_v"}, "", inventory.Warning},
		{"another folder", engine.Mount{Type: "bind", Source: "/srv/data2"}, "", inventory.OK},
		{"read-only", engine.Mount{Type: "bind", Source: "/srv/data", ReadOnly: true}, "", inventory.OK},
		{"not running", engine.Mount{Type: "bind", Source: "/srv/data"}, engine.Exited, inventory.OK},
		{"the whole host, as monitors have it", engine.Mount{Type: "bind", Source: "/"}, "", inventory.OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := fake.Add(engine.Container{Name: "other-1", Project: "other", State: c.state, Mounts: []engine.Mount{c.mount}})
			defer fake.Remove(id)
			w.Containers, _ = fake.Containers(t.Context(), engine.Filter{})
			text := ""
			if c.want != inventory.OK {
				text = "is written by several: service app, container other-1 of project other"
			}
			says(t, only(t, w, sharedCheck()), c.want, text)
		})
	}
	w.Containers = nil
	w.Sources[0].Mounts = append(w.Sources[0].Mounts, compose.Mount{Service: "sidecar", Target: "/d", ReadOnly: true})
	says(t, only(t, w, sharedCheck()), inventory.OK)
	w.Sources[0].Mounts[1].ReadOnly = false
	says(t, only(t, w, sharedCheck()), inventory.Warning, "data: is written by several: service app, service sidecar")
}

func TestFoldersThatAreNotThereAreNamed(t *testing.T) {
	bound := &compose.VolumeInfo{Name: "v", Options: map[string]string{"type": "none", "o": "bind", "device": "/srv/gone"}}
	w, _, _ := mounted(t, []compose.Planned{
		{Type: "bind", Path: "/srv/there", Target: "/a"},
		{Type: "bind", Path: "/srv/missing", Target: "/b"},
		{Type: "bind", Path: "/run/x.sock", System: true, Target: "/c"},
		{Type: "volume", Volume: bound, Target: "/d"},
		{Type: "bind", Path: "/srv/hidden", Target: "/e"},
	})
	w.Exists = func(path string) error {
		return map[string]error{"/srv/there": nil, "/srv/hidden": fs.ErrPermission, "/srv/missing": fs.ErrNotExist, "/srv/gone": fs.ErrNotExist, "/run/x.sock": fs.ErrNotExist}[path]
	}
	r := only(t, w, sharedCheck())
	says(t, r, inventory.Warning, "/srv/missing: is not there, and service app mounts it at /b", "/srv/gone: is not there")
	assert.Equal(t, len(r.Findings), 2)
	w.Exists = nil
	says(t, only(t, w, sharedCheck()), inventory.Unchecked, "cannot be seen")
}
