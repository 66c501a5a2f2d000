package plugin

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
)

// owner is whom a service runs as.
type owner struct{ uid, gid int }

func (o owner) String() string { return fmt.Sprintf("%d:%d", o.uid, o.gid) }

// userOf is whom a service runs as. why says that it is not known.
func (s *session) userOf(ctx context.Context, svc compose.Service) (o owner, why string, err error) {
	user := svc.User
	if user == "" {
		image, err := s.Engine.Image(ctx, svc.Image)
		switch {
		case errors.Is(err, engine.ErrNotFound) || svc.Image == "":
			return o, "its image is not here yet: pull or build it, and run docker memsys init again", nil
		case err != nil:
			return o, "", err
		}
		user = image.User
	}
	name, group, _ := strings.Cut(user, ":")
	uid, notNumber := strconv.Atoi(name)
	gid, noGroup := strconv.Atoi(group)
	switch {
	case name == "" || name == "root" || name == "0":
		return owner{}, "", nil
	case notNumber == nil && noGroup == nil:
		return owner{uid, gid}, "", nil
	}
	files, err := s.accounts(ctx, svc)
	if errors.Is(err, engine.ErrNotFound) {
		files, err = nil, nil
	}
	if err != nil {
		return o, "", fmt.Errorf("look up user %s of service %s: %w", user, svc.Name, err)
	}
	o, why = lookUp(files, name, group)
	return o, why, nil
}

// lookUp finds a user's numbers in an image's /etc/passwd and /etc/group, as the engine does. why says what is not in them.
func lookUp(files map[string]string, name, group string) (o owner, why string) {
	uid, err := strconv.Atoi(name)
	known := err == nil
	if known {
		o.uid = uid
	}
	for f := range fields(files["/etc/passwd"]) {
		if len(f) < 4 || f[0] != name && f[2] != name {
			continue
		}
		u, errUser := strconv.Atoi(f[2])
		g, errGroup := strconv.Atoi(f[3])
		if errUser == nil && errGroup == nil {
			o, known = owner{u, g}, true
			break
		}
	}
	if !known {
		return o, fmt.Sprintf("its image does not say which number user %s has", name)
	}
	if group == "" {
		return o, ""
	}
	if o.gid, err = strconv.Atoi(group); err == nil {
		return o, ""
	}
	for f := range fields(files["/etc/group"]) {
		if len(f) < 3 || f[0] != group {
			continue
		}
		if o.gid, err = strconv.Atoi(f[2]); err == nil {
			return o, ""
		}
	}
	return o, fmt.Sprintf("its image does not say which number group %s has", group)
}

// fields are the lines of a file of accounts, taken apart.
func fields(text string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(text) {
			if !yield(strings.Split(strings.TrimSpace(line), ":")) {
				return
			}
		}
	}
}

// accounts are /etc/passwd and /etc/group of a service's image. They are read from a container that is made for it, never started, and
// removed again: the service's own would answer nothing else meanwhile.
func (s *session) accounts(ctx context.Context, svc compose.Service) (files map[string]string, err error) {
	id, err := s.Engine.CreateContainer(ctx, engine.Process{
		Image: svc.Image, Command: []string{"none"}, Labels: map[string]string{helper.Label: s.key()},
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, s.Engine.RemoveContainer(ctx, id))
	}()
	files = map[string]string{}
	for _, name := range []string{"/etc/passwd", "/etc/group"} {
		text, err := s.readContained(ctx, id, name)
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return nil, err
		}
		files[name] = text
	}
	return files, nil
}

// readContained reads a small file of a container.
func (s *session) readContained(ctx context.Context, id, name string) (string, error) {
	const most = 1 << 20
	stream, err := s.Engine.CopyFrom(ctx, id, name)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	archive := tar.NewReader(bufio.NewReader(stream))
	if _, err := archive.Next(); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(archive, most))
	return string(text), err
}
