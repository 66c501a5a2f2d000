package plugin

import (
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
)

const goneProject = `
name: notes
services:
  app: {image: app, depends_on: [store], volumes: ["/kept"]}
  store: {image: store}
  fetched: {image: fetched, pull_policy: always}
  made: {build: ., image: made}
  tool: {image: tool, profiles: [tools]}
`

// TestWhatUpRemoves: docker compose says that no configuration has changed, and the images are as they were.
func TestWhatUpRemoves(t *testing.T) {
	mount := func(place string) engine.Mount {
		return engine.Mount{Type: "volume", Name: strings.Repeat("0a", 32), Destination: place}
	}
	for _, c := range []struct{ line, service, removed, left string }{
		{line: "up", service: "app"},
		{line: "up --force-recreate", service: "app", removed: "makes it anew", left: "makes it anew, without a volume there"},
		{line: "up --force-recreate app", service: "store"},
		{line: "up --always-recreate-deps app", service: "store", removed: "makes it anew", left: "without a volume there"},
		{line: "up --always-recreate-deps", service: "store"},
		{line: "up --renew-anon-volumes", service: "app", removed: "makes it anew", left: "makes an empty one"},
		{line: "up --renew-anon-volumes app", service: "store"},
		{line: "up --pull always", service: "app", removed: "another image", left: "another image"},
		{line: "up --pull missing", service: "app"},
		{line: "up", service: "fetched", removed: "another image", left: "another image"},
		{line: "up --pull never", service: "fetched"},
		{line: "up --no-recreate", service: "fetched"},
		{line: "up --build", service: "made", removed: "another image", left: "another image"},
		{line: "up --build", service: "app"},
		{line: "up", service: "made"},
		{line: "up --scale app=0", service: "app", removed: "fewer containers", left: "fewer containers now and leaves it behind"},
		{line: "up --remove-orphans", service: "gone", removed: "--remove-orphans removes it", left: "leaves it behind"},
	} {
		w, fake := openGuarded(t, goneProject, c.line)
		one := engine.Container{
			ID: "1", Project: "notes", Service: c.service, Number: "1", Image: c.service, ImageID: "sha256:" + c.service,
			Labels: map[string]string{compose.ConfigHashLabel: "same"}, Mounts: []engine.Mount{mount("/kept"), mount("/lost"), mount("/image")},
		}
		fake.AddImage(engine.Image{ID: "sha256:" + c.service, RepoTags: []string{c.service}, Volumes: []string{"/image"}})
		w.Containers = []engine.Container{one}
		g := &guardFacts{guarded: w, services: w.Started(w.command.words, false), hashes: func() map[string]string {
			return map[string]string{"app": "same", "store": "same", "fetched": "same", "made": "same"}
		}}
		assert.Equal(t, len(g.mine()), 1, "%+v", c)
		says := func(text, want string) {
			t.Helper()
			assert.Assert(t, strings.Contains(text, want) && (want != "" || text == ""), "%+v: %q", c, text)
		}
		says(g.removed(t.Context(), one), c.removed)
		says(g.leftBehind(t.Context(), one, mount("/lost")), c.left)
		if !strings.Contains(c.left, "behind") && !strings.Contains(c.line, "renew") { // the next container gets it
			says(g.leftBehind(t.Context(), one, mount("/image")), "")
			if c.service == "app" {
				says(g.leftBehind(t.Context(), one, mount("/kept")), "")
			}
		}
		g.remade = []string{one.Mounts[0].Name}
		says(g.leftBehind(t.Context(), one, mount("/image")), "leaves it behind")
	}
}

func TestContainersThatUpKeeps(t *testing.T) {
	w, _ := openGuarded(t, goneProject, "up --scale app=2")
	g := &guardFacts{guarded: w}
	for _, number := range []string{"2", "3", "4"} {
		w.Containers = append(w.Containers, engine.Container{Project: "notes", Service: "app", Number: number})
	}
	for i, want := range []bool{false, false, true} {
		assert.Equal(t, g.surplus(w.Containers[i]), want, "those with the lowest numbers stay")
	}
}

// TestWhatDownRemoves: docker compose leaves single runs and services of other profiles alone.
func TestWhatDownRemoves(t *testing.T) {
	for _, c := range []struct{ line, env, want string }{
		{line: "down", want: "app"},
		{line: "down app", want: "app"},
		{line: "down store", want: "app"},
		{line: "down fetched"},
		{line: "down --remove-orphans", want: "app run gone"},
		{line: "down", env: "COMPOSE_REMOVE_ORPHANS=1", want: "app run gone"},
		{line: "up", want: "app"},
		{line: "up tool", want: "tool"},
		{line: "up --remove-orphans", want: "app ended gone"},
	} {
		w, _ := openGuarded(t, goneProject, c.line)
		if c.env != "" {
			w.app.world.Environ = append(w.app.world.Environ, c.env)
		}
		w.Containers = []engine.Container{
			{Name: "app", Project: "notes", Service: "app", State: engine.Running},
			{Name: "tool", Project: "notes", Service: "tool", State: engine.Running},
			{Name: "run", Project: "notes", Service: "app", OneOff: true, State: engine.Running},
			{Name: "gone", Project: "notes", Service: "gone", State: engine.Running},
			{Name: "other", Project: "other", Service: "app", State: engine.Running},
		}
		if strings.Contains(c.want, "ended") {
			w.Containers[2].Name, w.Containers[2].State = "ended", engine.Exited
		}
		g := &guardFacts{guarded: w, services: w.Started(w.command.words, false)}
		var names []string
		for _, one := range g.mine() {
			names = append(names, one.Name)
		}
		assert.Equal(t, strings.Join(names, " "), c.want, c.line)
	}
}
