package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/progress"
)

// keepName is the repository whose tags keep the images that a pull replaces: no prune takes an image that has a name.
const keepName = "memsys/keep"

// keepLayout is the time in such a tag.
const keepLayout = "20060102T150405Z"

// longestTag is how long the engine lets a tag be.
const longestTag = 128

// mostKept is how many images of a service one second can keep.
const mostKept = 99

// afterPull is how long it may take to look at the images once a pull has ended, however it did.
const afterPull = time.Minute

// keptImage is an image that a service has, or runs, before a pull.
type keptImage struct {
	engine.Image
	// Service has it; Ref is what the compose file calls the service's image.
	Service, Ref string
	// Named tells that Ref stood for it; else a container runs it, and Ref stood for another already.
	Named bool
	// Tag keeps it.
	Tag string
}

// keepImages gives the images that docker compose pull may replace a name of their own, before it does. What a run that was killed has left
// of such names is taken over: no image has two of one service.
func (w *guarded) keepImages(ctx context.Context) error {
	if w.command.verb != "pull" {
		return nil
	}
	stamp := w.app.world.Now().UTC().Format(keepLayout)
	for _, svc := range w.pulledServices() {
		w.pulled = append(w.pulled, svc)
		found, err := w.imagesOf(ctx, svc)
		if err != nil {
			return errors.Join(err, w.dropKept(ctx))
		}
		for _, k := range found {
			if k.Tag = keptAs(k.Image, w.Name, svc.Name); k.Tag != "" {
				w.kept = append(w.kept, k)
				continue
			}
			if k.Tag, err = w.freeTag(ctx, svc.Name, stamp); err == nil {
				w.kept = append(w.kept, k) // it counts from before the request: one that fails on the way back may have been done
				err = w.Engine.TagImage(ctx, k.ID, k.Tag)
			}
			if err != nil {
				return errors.Join(err, w.dropKept(ctx))
			}
		}
	}
	return nil
}

// freeTag is a name for an image of a service that no image has: a pull of the same second may have kept another.
func (w *guarded) freeTag(ctx context.Context, service, stamp string) (string, error) {
	for n := range mostKept {
		tag := keepTag(w.Name, service, stamp, n)
		if _, err := w.Engine.Image(ctx, tag); errors.Is(err, engine.ErrNotFound) {
			return tag, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("keep the image of service %s: all names of this second are taken", service)
}

// pulledServices are those whose images docker compose pull may pull. One by digest cannot be replaced.
func (w *guarded) pulledServices() []compose.Service {
	all := len(w.command.words) == 0 || w.command.on("include-deps")
	return slices.DeleteFunc(w.Project.Services(), func(s compose.Service) bool {
		wanted := all && s.Enabled || slices.Contains(w.command.words, s.Name)
		return s.Job || s.Image == "" || strings.Contains(s.Image, "@") || !wanted
	})
}

// imagesOf are the image that a service's name stands for, and those that its containers run, where they are others.
func (w *guarded) imagesOf(ctx context.Context, svc compose.Service) (all []keptImage, err error) {
	refs := []string{svc.Image}
	for _, c := range w.Containers {
		if c.Project == w.Name && c.Service == svc.Name && !c.OneOff {
			refs = append(refs, c.ImageID)
		}
	}
	for n, ref := range refs {
		image, err := w.Engine.Image(ctx, ref)
		if errors.Is(err, engine.ErrNotFound) {
			continue // it was never pulled, or was removed under its container
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(k keptImage) bool { return k.ID == image.ID }) {
			all = append(all, keptImage{Image: image, Service: svc.Name, Ref: svc.Image, Named: n == 0})
		}
	}
	return all, nil
}

// keptAs is the name that keeps an image already for a service; empty where there is none.
func keptAs(i engine.Image, project, service string) string {
	for _, tag := range i.RepoTags {
		stamp, ours := strings.CutPrefix(tag, keepTag(project, service, "", 0))
		stamp, _, _ = strings.Cut(stamp, ".")
		if _, err := time.Parse(keepLayout, stamp); ours && err == nil {
			return tag
		}
	}
	return ""
}

// keepTag is the name that keeps the n-th image of a service. A service's name that is too long for it is cut and told apart by its digest.
func keepTag(project, service, stamp string, n int) string {
	who := project + "-" + service
	if most := longestTag - len("-20060102T150405Z.99"); len(who) > most {
		sum := sha256.Sum256([]byte(who))
		who = who[:most-9] + "-" + hex.EncodeToString(sum[:4])
	}
	if n > 0 {
		stamp += fmt.Sprintf(".%d", n+1)
	}
	return keepName + ":" + who + "-" + stamp
}

// tellPulled says what a pull has changed, however it ended, and lets go of the names that keep nothing.
func (w *guarded) tellPulled(ctx context.Context, result error) error {
	if w.command.verb != "pull" || len(w.pulled) == 0 {
		return result
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterPull)
	defer cancel()
	changed := false
	for _, svc := range w.pulled {
		now, err := w.Engine.Image(ctx, svc.Image)
		if errors.Is(err, engine.ErrNotFound) {
			continue // it could not be pulled, or is built
		}
		if err != nil {
			return errors.Join(result, err)
		}
		if text := w.change(svc, now); text != "" {
			changed = true
			w.app.sink().Report(progress.Event{Step: "pull", Object: svc.Name, Status: progress.Done, Text: text})
		}
	}
	err := w.dropKept(ctx)
	switch {
	case changed:
		w.say("next", "docker memsys up -d runs them, the data backed up before")
	case result == nil:
		w.say("pull", "no image has changed")
	}
	return errors.Join(result, err)
}

// change says how the image of a service differs from what it was; empty where it is the same.
func (w *guarded) change(svc compose.Service, now engine.Image) string {
	i := slices.IndexFunc(w.kept, func(k keptImage) bool { return k.Service == svc.Name && k.Named })
	if i < 0 {
		return fmt.Sprintf("%s is new: %s", svc.Image, imageText(svc.Image, now))
	}
	was := w.kept[i]
	if was.ID == now.ID {
		return ""
	}
	return fmt.Sprintf("%s was %s, is %s; the former is kept as %s", svc.Image, imageText(svc.Image, was.Image), imageText(svc.Image, now), was.Tag)
}

// dropKept removes the names of images that the services' own names stand for still. The image itself has that other name, and stays. It does not
// end with ctx.
func (w *guarded) dropKept(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterPull)
	defer cancel()
	var failed []error
	w.kept = slices.DeleteFunc(w.kept, func(k keptImage) bool {
		now, err := w.Engine.Image(ctx, k.Ref)
		if err != nil || now.ID != k.ID {
			return false
		}
		if err := w.Engine.RemoveImage(ctx, k.Tag); err != nil && !errors.Is(err, engine.ErrNotFound) {
			failed = append(failed, err)
		}
		return true
	})
	return errors.Join(failed...)
}

// imageText is an image in a few words: id, digest in the registry, day of its making.
func imageText(ref string, i engine.Image) string {
	text := shortDigest(i.ID)
	for _, d := range i.RepoDigests {
		if repo, digest, ok := strings.Cut(d, "@"); ok && (repo == repository(ref) || len(i.RepoDigests) == 1) {
			text += " (digest " + shortDigest(digest) + ")"
			break
		}
	}
	if !i.Created.IsZero() {
		text += " of " + i.Created.Local().Format(time.DateTime)
	}
	return text
}

// repository is a reference without its tag; a port before the first slash is none.
func repository(ref string) string {
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		return ref[:colon]
	}
	return ref
}

// shortDigest is as much of a digest as people compare.
func shortDigest(digest string) string {
	_, hash, found := strings.Cut(digest, ":")
	if !found {
		hash = digest
	}
	return hash[:min(12, len(hash))]
}
