package plugin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
)

// pulling is a pull of the test's project, before it.
func pulling(t *testing.T, images ...engine.Image) (*guarded, *enginetest.Engine) {
	t.Helper()
	s, fake := openTestSession(t)
	s.app.world.Now = func() time.Time { return time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC) }
	for _, i := range images {
		fake.AddImage(i)
	}
	c, err := parseComposeCommand("pull", nil, wrapFlags(&wrapOptions{}))
	assert.NilError(t, err)
	return &guarded{session: s, command: c}, fake
}

func image(id string, tags ...string) engine.Image {
	return engine.Image{ID: "sha256:" + strings.Repeat(id, 64), RepoTags: tags, RepoDigests: []string{"app@sha256:" + strings.Repeat("d", 64)}, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// pulled moves the name app to an image, as a pull does.
func pulled(t *testing.T, fake *enginetest.Engine, i engine.Image) {
	t.Helper()
	fake.AddImage(i)
	assert.NilError(t, fake.TagImage(t.Context(), i.ID, "app"))
}

const keptName = "memsys/keep:notes-app-20261123T180000Z"

func TestAPullKeepsTheImageThatItReplaces(t *testing.T) {
	w, fake := pulling(t, image("a", "app"))
	assert.NilError(t, w.keepImages(t.Context()))
	pulled(t, fake, image("b"))
	assert.Equal(t, w.change(w.pulled[0], image("b", "app")),
		"app was aaaaaaaaaaaa (digest dddddddddddd) of "+time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Local().Format(time.DateTime)+
			", is bbbbbbbbbbbb (digest dddddddddddd) of "+time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Local().Format(time.DateTime)+
			"; the former is kept as "+keptName)
	assert.NilError(t, w.tellPulled(t.Context(), nil))
	kept, err := fake.Image(t.Context(), keptName)
	assert.NilError(t, err)
	assert.Equal(t, kept.ID, image("a").ID)
}

func TestAPullThatChangesNothingLeavesNoNameBehind(t *testing.T) {
	for _, result := range []error{nil, errors.New("no such host")} {
		w, fake := pulling(t, image("a", "app"))
		assert.NilError(t, w.keepImages(t.Context()))
		_, err := fake.Image(t.Context(), keptName)
		assert.NilError(t, err)
		assert.Equal(t, w.change(w.pulled[0], image("a", "app")), "")
		got := w.tellPulled(t.Context(), result)
		assert.Equal(t, got != nil, result != nil, "%v", got)
		left, err := fake.Image(t.Context(), "app")
		assert.NilError(t, err)
		assert.DeepEqual(t, left.RepoTags, []string{"app"})
	}
}

// A second pull of the same second must not take the name away that keeps what the first one replaced.
func TestTwoPullsOfOneSecondKeepBothImages(t *testing.T) {
	w, fake := pulling(t, image("a", "app"))
	pull := func(id string) {
		t.Helper()
		again := &guarded{session: w.session, command: w.command}
		assert.NilError(t, again.keepImages(t.Context()))
		if id != "" {
			pulled(t, fake, image(id))
		}
		assert.NilError(t, again.tellPulled(t.Context(), nil))
	}
	pull("b")
	pull("")
	pull("c")
	for id, name := range map[string]string{"a": keptName, "b": keptName + ".2"} {
		kept, err := fake.Image(t.Context(), name)
		assert.NilError(t, err)
		assert.Equal(t, kept.ID, image(id).ID)
	}
}

func TestAFirstPullReplacesNothing(t *testing.T) {
	w, fake := pulling(t)
	assert.NilError(t, w.keepImages(t.Context()))
	assert.Equal(t, len(w.kept), 0)
	pulled(t, fake, image("b"))
	assert.Assert(t, strings.HasPrefix(w.change(w.pulled[0], image("b", "app")), "app is new: bbbbbbbbbbbb"))
	assert.NilError(t, w.tellPulled(t.Context(), nil))
}

// TestAPullKeepsWhatAContainerStillRuns: somebody else has pulled before, and nobody has started what came.
func TestAPullKeepsWhatAContainerStillRuns(t *testing.T) {
	w, fake := pulling(t, image("a"), image("b", "app"))
	fake.Add(engine.Container{Name: "app", Project: "notes", Service: "app", Number: "1", State: engine.Running, ImageID: image("a").ID})
	assert.NilError(t, w.lookAgain(t.Context()))
	assert.NilError(t, w.keepImages(t.Context()))
	assert.Equal(t, len(w.kept), 2)
	pulled(t, fake, image("c"))
	assert.NilError(t, w.tellPulled(t.Context(), nil))
	for name, id := range map[string]string{keptName: "b", keptName + ".2": "a"} {
		kept, err := fake.Image(t.Context(), name)
		assert.NilError(t, err)
		assert.Equal(t, kept.ID, image(id).ID, name)
	}

	// Another pull keeps what runs under the name that it has, and takes no name that keeps another.
	again := &guarded{session: w.session, command: w.command}
	assert.NilError(t, again.keepImages(t.Context()))
	tags := []string{again.kept[0].Tag, again.kept[1].Tag}
	slices.Sort(tags)
	assert.DeepEqual(t, tags, []string{keptName + ".2", keptName + ".3"})
}

// TestAnImageThatCannotBeKeptStopsThePull, and no name of it is left.
func TestAnImageThatCannotBeKeptStopsThePull(t *testing.T) {
	w, fake := pulling(t, image("a", "app"))
	fake.Before(func(c enginetest.Call) error {
		if c.Name == "TagImage" {
			return errors.New("no room")
		}
		return nil
	})
	assert.ErrorContains(t, w.keepImages(t.Context()), "no room")
	assert.Equal(t, len(w.kept), 0)
}

// TestAnInterruptionBeforeThePullLeavesNoName: also where the request was done whose answer nobody has waited for.
func TestAnInterruptionBeforeThePullLeavesNoName(t *testing.T) {
	w, fake := pulling(t, image("a", "app"))
	ctx, cancel := context.WithCancelCause(t.Context())
	fake.After(func(c enginetest.Call) error {
		if c.Name == "TagImage" {
			cancel(errInterrupted)
			return errInterrupted
		}
		return nil
	})
	assert.Assert(t, w.keepImages(ctx) != nil)
	left, err := fake.Image(t.Context(), "app")
	assert.NilError(t, err)
	assert.DeepEqual(t, left.RepoTags, []string{"app"})
}

func TestANameThatKeepsAnImageFitsTheEngine(t *testing.T) {
	long := keepTag("notes", strings.Repeat("service", 40), "20261123T180000Z", 11)
	_, tag, _ := strings.Cut(long, ":")
	assert.Assert(t, len(tag) <= longestTag, tag)
	assert.Assert(t, keepTag("notes", strings.Repeat("service", 40)+"x", "20261123T180000Z", 11) != long)
	for name, kept := range map[string]bool{keptName: true, keptName + ".2": true, "memsys/keep:notes-app-more-20261123T180000Z": false, "memsys/keep:notes-app-x": false} {
		assert.Equal(t, keptAs(engine.Image{RepoTags: []string{name}}, "notes", "app") == name, kept, name)
	}
}

func TestARepositoryIsAReferenceWithoutItsTag(t *testing.T) {
	for ref, want := range map[string]string{"app": "app", "app:1": "app", "127.0.0.1:5000/app": "127.0.0.1:5000/app", "127.0.0.1:5000/app:1": "127.0.0.1:5000/app"} {
		assert.Equal(t, repository(ref), want)
	}
}
