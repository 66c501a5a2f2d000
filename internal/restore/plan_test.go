package restore

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
)

// reasons are those of a plan's refusals.
func reasons(p *Plan) []Reason {
	var out []Reason
	for _, r := range p.Refusals {
		out = append(out, r.Reason)
	}
	return out
}

func TestOtherProjectNeedsConsent(t *testing.T) {
	for name, change := range map[string]func(*archive.Project){
		"name":   func(p *archive.Project) { p.Name = "other" },
		"folder": func(p *archive.Project) { p.WorkingDir = "/elsewhere" },
		"engine": func(p *archive.Project) { p.EngineID = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			write(t, b.source("data"), "a", "1")
			req := b.request(t, b.backup(t, func(m *archive.Manifest) { change(&m.Project) }))
			p, err := prepare(t, req)
			assert.NilError(t, err)
			assert.DeepEqual(t, reasons(p), []Reason{OtherProject})
			_, err = b.runner(b.openJournal(t)).Run(t.Context(), p)
			assert.Assert(t, errors.As(err, new(*RefusedError)))
			req.AllowOtherProject = true
			p, err = prepare(t, req)
			assert.NilError(t, err)
			assert.Equal(t, len(p.Refusals), 0)
			assert.Equal(t, len(p.Differences), 1)
		})
	}
}

func TestUnknownEngineIsNoOtherProject(t *testing.T) {
	b := newBed(t)
	write(t, b.source("data"), "a", "1")
	p, err := prepare(t, b.request(t, b.backup(t, func(m *archive.Manifest) { m.Project.EngineID = "" })))
	assert.NilError(t, err)
	assert.Equal(t, len(p.Refusals), 0)
}

func TestEveryContainerThatUsesTheDataIsFound(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "sub/a", "1")
	assert.NilError(t, os.Symlink(root, b.path("alias")))
	path := b.backup(t)
	uses := func(project, name, source string, state engine.State) {
		b.engine.Add(engine.Container{
			Project: project, Service: name, Name: name, Number: "1", State: state,
			Mounts: []engine.Mount{{Type: "bind", Source: source}},
		})
	}
	uses("notes", "same", root, engine.Running)
	uses("notes", "restarting", root, engine.Restarting)
	uses("notes", "parent", b.dir, engine.Running)
	uses("notes", "child", root+"/sub", engine.Running)
	uses("notes", "through-a-link", b.path("alias"), engine.Running)
	uses("notes", "beside", root+"-2", engine.Running)
	uses("notes", "off", root, engine.Exited)
	uses("", "foreign", root, engine.Running)
	b.engine.AddVolume(engine.Volume{Name: "bound", Driver: "local", Options: map[string]string{"type": "none", "o": "bind", "device": root}})
	b.engine.Add(engine.Container{Project: "other", Name: "foreign-volume", Mounts: []engine.Mount{{Type: "volume", Name: "bound", Source: "/nowhere/_data"}}})
	req := b.request(t, path)
	p, err := prepare(t, req)
	assert.NilError(t, err)
	var names []string
	for _, c := range p.Stop {
		names = append(names, c.Name)
	}
	assert.DeepEqual(t, names, []string{"child", "foreign", "foreign-volume", "parent", "restarting", "same", "through-a-link"})
	assert.DeepEqual(t, reasons(p), []Reason{ForeignUse, ForeignUse})

	req.StopForeign = true
	res, err := b.restore(t, req)
	assert.NilError(t, err)
	assert.Equal(t, len(res.Stopped), 7)
	containers, err := b.engine.Containers(t.Context(), engine.Filter{})
	assert.NilError(t, err)
	for _, c := range containers {
		want := engine.Running
		if c.Name == "off" {
			want = engine.Exited
		}
		assert.Equal(t, c.State, want, c.Name)
	}
}

func TestPausedContainerIsRefused(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	id := b.app("app", root)
	b.engine.SetState(id, engine.Paused)
	p, err := prepare(t, b.request(t, b.backup(t)))
	assert.NilError(t, err)
	assert.DeepEqual(t, reasons(p), []Reason{PausedUse})
}

func TestContainerThatComesUpMeanwhileEndsTheRestore(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	b.app("late", root)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	_, err = b.runner(j).Run(t.Context(), p)
	assert.ErrorContains(t, err, "notes-late-1 has started meanwhile")
	assert.Equal(t, read(t, root, "a"), "2")
}

// TestContainerThatComesUpDuringTheSafetyBackupEndsTheRestore: an engine that is started anew starts again what always restarts. Nothing may
// run while the data is swapped.
func TestContainerThatComesUpDuringTheSafetyBackupEndsTheRestore(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := b.runner(j)
	r.Safety = func(context.Context) (Saved, error) {
		b.app("late", root)
		return b.safety(), nil
	}
	_, err = r.Run(t.Context(), p)
	assert.ErrorContains(t, err, "notes-late-1 has started meanwhile")
	assert.Equal(t, read(t, root, "a"), "2")
}

// TestContainerThatComesUpDuringTheSwapStandsStillOnTheWayBack, and runs again on the data as it was.
func TestContainerThatComesUpDuringTheSwapStandsStillOnTheWayBack(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := b.runner(j)
	var late string
	r.onMove = func() error {
		late = b.app("late", root)
		return errPlanted
	}
	stopped := false
	b.engine.After(func(c enginetest.Call) error {
		if c.Name == "Stop" && c.Object == late {
			now, _ := os.ReadFile(root + "/a") // aside at this moment
			stopped = string(now) != "2"
		}
		return nil
	})
	_, err = r.Run(t.Context(), p)
	assert.ErrorIs(t, err, errPlanted)
	assert.Assert(t, stopped, "it was not stopped before the way back")
	assert.Equal(t, read(t, root, "a"), "2")
	assert.Equal(t, b.engine.State(late), engine.Running)
}

func TestRemovedContainerIsStartedByServiceAndNumber(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	first := b.app("app", root)
	p, err := prepare(t, b.request(t, b.backup(t)))
	assert.NilError(t, err)
	var second string
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := b.runner(j)
	r.onMove = func() error {
		if second == "" {
			b.engine.Remove(first)
			second = b.app("app", root)
			b.engine.SetState(second, engine.Created)
		}
		return nil
	}
	write(t, root, "a", "2")
	_, err = r.Run(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, b.engine.State(second), engine.Running)
}

func TestSourcesServicesAndPathsAreChosen(t *testing.T) {
	b := newBed(t)
	data, conf := b.source("data"), b.source("conf")
	b.sources[1].Mounts[0].Service = "web"
	write(t, data, "a.json", "1", "sub/b.json", "2", "sub/c.txt", "3", "sub/deep/d.txt", "4")
	write(t, conf, "x", "1")
	path := b.backup(t)
	names := func(change func(*Request)) string {
		req := b.request(t, path)
		change(&req)
		p, err := prepare(t, req)
		assert.NilError(t, err)
		var out []string
		for _, target := range p.Targets {
			out = append(out, target.Name)
		}
		return strings.Join(out, " ")
	}
	assert.Equal(t, names(func(*Request) {}), "data conf")
	assert.Equal(t, names(func(r *Request) { r.Only = []string{"conf"} }), "conf")
	assert.Equal(t, names(func(r *Request) { r.Services = []string{"app"} }), "data")
	assert.Equal(t, names(func(r *Request) { r.Paths = []string{"*.json"} }), "data")
	for _, change := range []func(*Request){
		func(r *Request) { r.Only = []string{"nope"} }, func(r *Request) { r.Services = []string{"nope"} },
	} {
		req := b.request(t, path)
		change(&req)
		_, err := prepare(t, req)
		assert.Assert(t, errors.As(err, new(*UnknownError)), "%v", err)
	}
}

func TestPathsAreRestoredAndTheRestStays(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a.json", "1", "sub/b.json", "2", "sub/c.txt", "3", "whole/x/y", "4", "whole/z", "5")
	assert.NilError(t, os.Link(root+"/sub/c.txt", root+"/sub/d.json"))
	path := b.backup(t)
	write(t, root, "a.json", "changed", "sub/c.txt", "changed", "sub/new.json", "new", "whole/extra", "e", "other", "o")
	assert.NilError(t, os.Remove(root+"/sub/b.json"))
	assert.NilError(t, os.Remove(root+"/sub/d.json"))
	assert.NilError(t, os.RemoveAll(root+"/whole/x"))
	assert.NilError(t, os.Chmod(root+"/sub", 0o700))
	req := b.request(t, path)
	req.Paths = []string{"*.json", "whole"}
	res, err := b.restore(t, req)
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
	for file, want := range map[string]string{
		"a.json": "1", "sub/b.json": "2", "sub/c.txt": "changed", "sub/d.json": "3", "sub/new.json": "new",
		"whole/x/y": "4", "whole/z": "5", "other": "o",
	} {
		assert.Equal(t, read(t, root, file), want, file)
	}
	gone(t, root, "whole/extra")
	info, err := os.Stat(root + "/sub")
	assert.NilError(t, err)
	assert.Equal(t, info.Mode().Perm(), os.FileMode(0o700), "a folder that only leads there stays as it is")
}

func TestSourceThatTheProjectNoLongerHasIsSkipped(t *testing.T) {
	b := newBed(t)
	write(t, b.source("data"), "a", "1")
	write(t, b.source("former"), "a", "1")
	path := b.backup(t)
	b.sources = b.sources[:1]
	write(t, b.source("added"), "a", "1")
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Equal(t, len(p.Targets), 1)
	assert.Equal(t, p.Skipped[0].Name, "former")
	assert.Assert(t, !p.Skipped[0].Wanted)
	assert.Assert(t, slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "added is not in the backup") }))
}

func TestMissingVolumeIsMadeWithAllThatItHad(t *testing.T) {
	b := newBed(t)
	b.engine.SetInfo(engine.Info{ID: "fake-engine", RootDir: b.path("docker")})
	b.sources = []compose.Source{{Name: "db", Kind: compose.Volume, Volume: &compose.VolumeInfo{
		Key: "db", Name: "notes_db", Labels: map[string]string{"owner": "me", configHashLabel: "123"},
	}, Mounts: []compose.Mount{{Service: "app", Target: "/db"}}}}
	v, err := b.engine.CreateVolume(t.Context(), engine.Volume{Name: "notes_db"})
	assert.NilError(t, err)
	write(t, v.Mountpoint, "sub/a", "1")
	clone(t, v.Mountpoint, b.path("want"))
	path := b.backup(t)
	assert.NilError(t, b.engine.RemoveVolume(t.Context(), "notes_db"))
	assert.NilError(t, os.RemoveAll(v.Mountpoint))

	res, err := b.restore(t, b.request(t, path))
	assert.NilError(t, err)
	assert.Assert(t, res.Complete)
	made, err := b.engine.Volume(t.Context(), "notes_db")
	assert.NilError(t, err)
	assert.DeepEqual(t, made.Labels, map[string]string{
		"owner": "me", engine.ProjectLabel: "notes", "com.docker.compose.volume": "db",
	})
	same(t, b.path("want"), made.Mountpoint)
}

func TestVolumeThatIsMadeGoesAgainOnFailure(t *testing.T) {
	b := newBed(t)
	b.engine.SetInfo(engine.Info{ID: "fake-engine", RootDir: b.path("docker")})
	b.sources = []compose.Source{{Name: "db", Kind: compose.Volume, Volume: &compose.VolumeInfo{Key: "db", Name: "notes_db"}}}
	v, err := b.engine.CreateVolume(t.Context(), engine.Volume{Name: "notes_db"})
	assert.NilError(t, err)
	write(t, v.Mountpoint, "a", "1")
	path := b.backup(t)
	assert.NilError(t, b.engine.RemoveVolume(t.Context(), "notes_db"))
	assert.NilError(t, os.RemoveAll(v.Mountpoint))
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := b.runner(j)
	r.onMove = func() error { return errPlanted }
	_, err = r.Run(t.Context(), p)
	assert.ErrorIs(t, err, errPlanted)
	_, err = b.engine.Volume(t.Context(), "notes_db")
	assert.ErrorIs(t, err, engine.ErrNotFound)
	gone(t, v.Mountpoint)
}

func TestVolumesThatCannotBeReached(t *testing.T) {
	b := newBed(t)
	b.sources = []compose.Source{{Name: "db", Kind: compose.Volume, Volume: &compose.VolumeInfo{Key: "db", Name: "notes_db"}}}
	b.engine.AddVolume(engine.Volume{Name: "notes_db", Mountpoint: b.path("docker")})
	write(t, b.path("docker"), "a", "1")
	path := b.backup(t)
	b.engine.AddVolume(engine.Volume{Name: "notes_db", Driver: "local", Options: map[string]string{"type": "nfs", "device": ":/x"}, Mountpoint: b.path("docker")})
	p, err := prepare(t, b.request(t, path))
	assert.NilError(t, err)
	assert.DeepEqual(t, reasons(p), []Reason{Unreachable})

	req := b.request(t, path)
	req.Volumes, req.Containers = nil, nil
	p, err = prepare(t, req)
	assert.NilError(t, err)
	assert.DeepEqual(t, reasons(p), []Reason{NothingToDo})
	assert.Assert(t, p.Skipped[0].Wanted, "the result is incomplete without it")
}

func TestWithoutEngineBindMountsAreRestored(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", "1")
	b.sources = append(b.sources, compose.Source{Name: "db", Kind: compose.Volume, Volume: &compose.VolumeInfo{Key: "db", Name: "notes_db"}})
	b.engine.AddVolume(engine.Volume{Name: "notes_db", Mountpoint: b.path("docker")})
	write(t, b.path("docker"), "a", "1")
	path := b.backup(t)
	write(t, root, "a", "2")
	req := b.request(t, path)
	req.Volumes, req.Containers = nil, nil
	req.Locate = byPathOnly
	p, err := prepare(t, req)
	assert.NilError(t, err)
	j := b.openJournal(t)
	assert.NilError(t, j.Begin("restore", nil))
	r := b.runner(j)
	r.Volumes, r.Containers, r.Quiescer = nil, nil, nil
	res, err := r.Run(t.Context(), p)
	assert.NilError(t, err)
	assert.Equal(t, read(t, root, "a"), "1")
	assert.Assert(t, !res.Complete, "a volume was left out")
	assert.Assert(t, slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "engine does not answer") }))
}

func TestNoSpaceIsRefused(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", strings.Repeat("x", 10000))
	req := b.request(t, b.backup(t))
	req.Free = func(string) (int64, error) { return 15000, nil }
	p, err := prepare(t, req)
	assert.NilError(t, err)
	assert.DeepEqual(t, reasons(p), []Reason{NoSpace})
	assert.Assert(t, p.Space[0].Need > 15000 && p.Space[0].Free == 15000, "%+v", p.Space)
}

func TestNoSpaceForASafetyBackupSetsAside(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", strings.Repeat("x", 10000))
	req := b.request(t, b.backup(t))
	req.SafetySize = 5000
	req.Free = func(string) (int64, error) { return 20000, nil }
	p, err := prepare(t, req)
	assert.NilError(t, err)
	assert.Equal(t, len(p.Refusals), 0)
	assert.Equal(t, p.Safety.Mode, SafetyAside)
	assert.Assert(t, strings.Contains(p.Targets[0].Aside, "no space"), p.Targets[0].Aside)
}

// TestASafetyBackupInAScratchFolderIsCounted: it stays there until the restore ends.
func TestASafetyBackupInAScratchFolderIsCounted(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", strings.Repeat("x", 10000))
	for free, want := range map[int64]SafetyMode{20000: SafetyAside, 200000: SafetyBackup} {
		req := b.request(t, b.backup(t))
		req.SafetySize, req.Backups, req.Scratch = 5000, "", b.dir
		req.Free = func(string) (int64, error) { return free, nil }
		p, err := prepare(t, req)
		assert.NilError(t, err)
		assert.Equal(t, len(p.Refusals), 0)
		assert.Equal(t, p.Safety.Mode, want)
	}
}

func TestDamagedBackupChangesNothing(t *testing.T) {
	b := newBed(t)
	root := b.source("data")
	write(t, root, "a", strings.Repeat("x", 1000))
	app := b.app("app", root)
	path := b.backup(t)
	req := b.request(t, path)
	req.Backup.SHA256 = strings.Repeat("0", 64)
	_, err := b.restore(t, req)
	assert.Assert(t, errors.As(err, new(*DamagedError)), "%v", err)
	assert.Equal(t, b.engine.State(app), engine.Running)
	for _, call := range b.engine.Calls() {
		assert.Assert(t, call.Name != "Stop")
	}
}
