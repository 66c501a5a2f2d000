package plugin

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
)

// packed is an archive with these entries; "a => b" is a hard link.
func packed(t *testing.T, names ...string) *tar.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: 1}
		if from, to, link := strings.Cut(name, " => "); link {
			h.Name, h.Linkname, h.Typeflag, h.Size = from, to, tar.TypeLink, 0
		}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		assert.NilError(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write([]byte("x"))
			assert.NilError(t, err)
		}
	}
	assert.NilError(t, w.Close())
	return tar.NewReader(&b)
}

func TestOnlyTheDataIsRescued(t *testing.T) {
	c := engine.Container{Mounts: []engine.Mount{{Destination: "/app/data/cache"}, {Destination: "/app/data"}, {Destination: "/other"}}}
	all := []string{"data/", "data/a.json", "data/sub/", "data/sub/b.json", "data/sub/link => data/a.json", "data/image.txt", "data/cache/", "data/cache/c", "elsewhere"}
	for _, test := range []struct {
		name string
		f    finding
		want string
	}{
		{"a volume", finding{From: fromVolume}, "rescued/ rescued/a.json rescued/sub/ rescued/sub/b.json rescued/sub/link=rescued/a.json rescued/image.txt"},
		{"into a folder", finding{From: fromVolume, Path: "old/x"}, "rescued/old/x/ rescued/old/x/a.json rescued/old/x/sub/ rescued/old/x/sub/b.json rescued/old/x/sub/link=rescued/old/x/a.json rescued/old/x/image.txt"},
		{"a layer", finding{From: fromLayer, files: []string{"/app/data/sub/b.json", "/app/data/cache/c"}}, "rescued/ rescued/sub/ rescued/sub/b.json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.f.Folder, test.f.container = "/app/data", c
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			assert.NilError(t, test.f.filter(packed(t, all...), w))
			assert.NilError(t, w.Close())
			var names []string
			for r := tar.NewReader(&b); ; {
				h, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				assert.NilError(t, err)
				if h.Linkname != "" {
					h.Name += "=" + h.Linkname
				}
				names = append(names, h.Name)
			}
			assert.Equal(t, strings.Join(names, " "), test.want)
		})
	}
}

func TestAFileThatLacksItsFirstNameIsNotRescuedByHalf(t *testing.T) {
	f := finding{Folder: "/data", From: fromLayer, files: []string{"/data/link"}}
	err := f.filter(packed(t, "data/", "data/image.txt", "data/link => data/image.txt"), tar.NewWriter(io.Discard))
	assert.ErrorContains(t, err, "link is a second name of data/image.txt")
}

func TestWhatCannotBeRescuedIsSaid(t *testing.T) {
	one := finding{Service: "app", Container: "app-1", Folder: "/data", Source: "data"}
	two := finding{Service: "app", Container: "app-2", Folder: "/data", Source: "data"}
	lost := finding{Service: "app", Folder: "/x", Why: "nothing is mounted there"}
	assert.NilError(t, unfit([]finding{one, lost}, []finding{one}, false))
	assert.ErrorContains(t, unfit([]finding{one, lost}, []finding{one}, true), "app:/x cannot be rescued: nothing is mounted there")
	assert.ErrorContains(t, unfit([]finding{lost}, nil, false), "cannot be rescued")
	assert.ErrorContains(t, unfit([]finding{one, two}, []finding{one, two}, false), "app-1 and app-2 of app:/data would both go into source data")
	both, err := chosen([]finding{one, two}, []string{"app-2:/data"})
	assert.NilError(t, err)
	assert.Assert(t, len(both) == 1 && both[0].Container == "app-2", "each of two containers can be named")
	_, err = chosen([]finding{one}, []string{"app:/nosuch"})
	assert.ErrorContains(t, err, "there is: app:/data")
	all, err := chosen([]finding{one, lost}, []string{"app:/x"})
	assert.NilError(t, err)
	assert.Equal(t, len(all), 1)
	assert.Equal(t, rescueResult{}.text(), "all data lies in mounts that stay\n")
}

const rescuedProject = `
name: notes
services:
  app: {image: app, volumes: ["./data:/data"]}
`

// lostVolume is a container whose data lies in an anonymous volume at /data, where the compose file has a folder since.
func lostVolume(t *testing.T) (*session, *enginetest.Engine, string) {
	t.Helper()
	s, fake := openTestSessionOf(t, rescuedProject)
	s.Info.Local = true
	name, lost := strings.Repeat("0a", 32), t.TempDir()
	assert.NilError(t, os.Mkdir(filepath.Join(lost, "sub"), 0o700))
	assert.NilError(t, os.WriteFile(filepath.Join(lost, "sub", "memory.json"), []byte(`{"id": "1"}`), 0o640))
	assert.NilError(t, os.WriteFile(filepath.Join(lost, "debug.log"), []byte("line"), 0o600))
	assert.NilError(t, os.Symlink("sub", filepath.Join(lost, "link")))
	fake.AddVolume(engine.Volume{Name: name, Driver: "local", Mountpoint: lost})
	id := fake.Add(engine.Container{
		Name: "notes-app-1", Project: "notes", Service: "app", Number: "1", State: engine.Running,
		Mounts: []engine.Mount{{Type: "volume", Name: name, Source: lost, Destination: "/data", Driver: "local"}},
	})
	return s, fake, id
}

func (s *session) rescued(t *testing.T, opts rescueOptions, named ...string) (rescueResult, error) {
	t.Helper()
	opts.yes = true
	ctx, err := s.begin(t.Context(), "rescue", lockOptions{}, nil)
	assert.NilError(t, err)
	res, err := s.rescueLocked(ctx, named, opts)
	assert.NilError(t, s.end(ctx, err))
	return res, err
}

func TestDataOfAVolumeWithoutANameIsRescued(t *testing.T) {
	s, fake, id := lostVolume(t)
	res, err := s.rescued(t, rescueOptions{})
	assert.NilError(t, err)
	content, err := os.ReadFile(filepath.Join(s.WorkingDir, "data", "sub", "memory.json"))
	assert.NilError(t, err)
	assert.Equal(t, string(content), `{"id": "1"}`)
	assert.DeepEqual(t, res.Stopped, []string{"app"})
	assert.Equal(t, len(res.Lacking), 0, "%q", res.Lacking)
	assert.Equal(t, fake.State(id), engine.Exited, "what it writes now would be left behind")
	pending, err := s.state.Pending()
	assert.NilError(t, err)
	assert.Assert(t, pending == nil, "it is nobody's to start")

	w := &guarded{session: s, command: &composeCommand{verb: "up", flags: composeFlags("up")}}
	assert.Equal(t, w.refusedBy(t), "", "the data is where it belongs")
	again, err := s.rescued(t, rescueOptions{})
	assert.NilError(t, err)
	assert.Assert(t, again.Found[0].There && len(again.Stopped) == 0)
	assert.NilError(t, os.WriteFile(filepath.Join(s.WorkingDir, "data", "sub", "memory.json"), []byte("{}"), 0o600))
	assert.Equal(t, w.refusedBy(t), "anonymous")
}

// TestWhatWasRescuedIsKnownWhereItCannotBeSeen: the engine's files are another machine's.
func TestWhatWasRescuedIsKnownWhereItCannotBeSeen(t *testing.T) {
	s, fake, id := lostVolume(t)
	_, err := s.rescued(t, rescueOptions{})
	assert.NilError(t, err)
	s.Info.Local, s.Info.SharesFiles = false, true
	w := &guarded{session: s, command: &composeCommand{verb: "up", flags: composeFlags("up")}}
	again := func() {
		t.Helper()
		s.Containers, err = s.containers(t.Context())
		assert.NilError(t, err)
	}
	again()
	assert.Equal(t, w.refusedBy(t), "")
	assert.NilError(t, fake.Start(t.Context(), id))
	again()
	assert.Equal(t, w.refusedBy(t), "anonymous", "it may have written since")
	assert.NilError(t, fake.Stop(t.Context(), id, 0))
	again()
	assert.Equal(t, w.refusedBy(t), "anonymous", "it has run since")
}

func TestSocketsAreNoData(t *testing.T) {
	at := filepath.Join(t.TempDir(), "nosuch")
	assert.NilError(t, holds(at, 0, time.Time{}, os.ModeSocket|0o600))
	assert.ErrorIs(t, holds(at, 0, time.Time{}, 0o600), os.ErrNotExist)
}

// TestARescueThatSomebodyInterferesWithLeavesNothingDown: one of the services was started meanwhile, and has written since.
func TestARescueThatSomebodyInterferesWithLeavesNothingDown(t *testing.T) {
	s, fake := openTestSessionOf(t, `
name: notes
services:
  app: {image: app, volumes: ["./data:/data"]}
  other: {image: other, volumes: ["./others:/data"]}
`)
	s.Info.Local = true
	ids := map[string]string{}
	for name, digit := range map[string]string{"app": "a", "other": "b"} {
		volume, lost := strings.Repeat(digit, 64), t.TempDir()
		assert.NilError(t, os.WriteFile(filepath.Join(lost, "memory.json"), []byte("{}"), 0o600))
		fake.AddVolume(engine.Volume{Name: volume, Driver: "local", Mountpoint: lost})
		ids[name] = fake.Add(engine.Container{
			Name: "notes-" + name + "-1", Project: "notes", Service: name, Number: "1", State: engine.Running,
			Mounts: []engine.Mount{{Type: "volume", Name: volume, Source: lost, Destination: "/data", Driver: "local"}},
		})
	}
	s.Containers, _ = s.containers(t.Context())
	once := sync.OnceValue(func() error { return fake.Start(t.Context(), ids["app"]) })
	fake.Before(func(c enginetest.Call) error {
		if c.Name == "CopyFrom" && c.Object == ids["other"] {
			return once()
		}
		return nil
	})
	_, err := s.rescued(t, rescueOptions{})
	assert.ErrorContains(t, err, "somebody else has started it")
	assert.ErrorContains(t, err, "copied, and there still: app:/data into source data, other:/data into source others")
	for name, id := range ids {
		assert.Equal(t, fake.State(id), engine.Running, name)
	}
}

func TestARescueReplacesNothing(t *testing.T) {
	s, fake, id := lostVolume(t)
	there := filepath.Join(s.WorkingDir, "data", "mine.json")
	assert.NilError(t, os.WriteFile(there, []byte("{}"), 0o600))
	_, err := s.rescued(t, rescueOptions{}, "app:/data")
	assert.ErrorContains(t, err, "source data is not empty, it has mine.json; nothing was changed")
	assert.Equal(t, fake.State(id), engine.Running, "it goes on as it was")
	_, err = os.Lstat(filepath.Join(s.WorkingDir, "data", "sub"))
	assert.ErrorIs(t, err, os.ErrNotExist)

	res, err := s.rescued(t, rescueOptions{to: "data/former"}, "app:/data")
	assert.NilError(t, err)
	assert.DeepEqual(t, res.Stopped, []string{"app"})
	_, err = os.Lstat(filepath.Join(s.WorkingDir, "data", "former", "sub", "memory.json"))
	assert.NilError(t, err)
	_, err = os.Lstat(there)
	assert.NilError(t, err)
	_, err = s.rescued(t, rescueOptions{to: "data/former"}, "app:/data")
	assert.NilError(t, err, "the same once more changes nothing")
}
