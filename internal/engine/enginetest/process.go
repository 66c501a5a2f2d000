package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Main stands for the process of a container that CreateContainer made. It returns its exit code.
type Main func(p engine.Process, in io.Reader, out, stderr io.Writer) int

// SetMain sets what the containers run that CreateContainer made; nil for the sleeper of the tests' own image.
func (e *Engine) SetMain(m Main) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.main = m
}

// SetDisk puts the volumes that are made from now on into a folder of this machine, so that they can hold files.
func (e *Engine) SetDisk(dir string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.disk = dir
}

// process is the process of a container that the engine removes when it ends.
type process struct {
	what     engine.Process
	stdin    *io.PipeReader
	toStdin  *io.PipeWriter
	out      *io.PipeWriter
	fromOut  *io.PipeReader
	stderr   io.Writer
	attached bool
	begun    bool
	end      sync.Once
	done     chan struct{}
	code     int
}

func (p *process) ended(code int) {
	p.end.Do(func() {
		p.code = code
		_ = p.out.Close()
		_ = p.stdin.Close()
		close(p.done)
	})
}

// CreateContainer makes a container of a process, not started.
func (e *Engine) CreateContainer(ctx context.Context, p engine.Process) (id string, err error) {
	err = e.do(ctx, Call{"CreateContainer", p.Name}, func() error {
		image, ok := e.images[p.Image]
		if !ok {
			return engine.ErrNotFound
		}
		c := engine.Container{Name: p.Name, State: engine.Created, Created: e.now(), Image: p.Image, ImageID: image.ID, Labels: p.Labels}
		for _, m := range p.Mounts {
			switch m.Type {
			case "volume":
				m.Source = e.createVolume(engine.Volume{Name: m.Name}).Mountpoint
			case "bind":
				if _, err := os.Stat(m.Source); err != nil {
					return fmt.Errorf("bind source path does not exist: %s", m.Source)
				}
			}
			c.Mounts = append(c.Mounts, m)
		}
		id = e.add(c)
		made := &process{what: p, done: make(chan struct{}), stderr: io.Discard}
		made.stdin, made.toStdin = io.Pipe()
		made.fromOut, made.out = io.Pipe()
		e.processes[id] = made
		return nil
	})
	return id, err
}

// RemoveContainer removes a container, running or not, by its id or name.
func (e *Engine) RemoveContainer(ctx context.Context, id string) error {
	return e.do(ctx, Call{"RemoveContainer", id}, func() error {
		id := e.idOf(id)
		if _, ok := e.containers[id]; !ok {
			return engine.ErrNotFound
		}
		delete(e.containers, id)
		if p, ok := e.processes[id]; ok {
			go p.ended(killed)
		}
		return nil
	})
}

// killed is the exit code of a process that was killed.
const killed = 137

// Attach connects to a container that CreateContainer made.
func (e *Engine) Attach(ctx context.Context, id string, stderr io.Writer) (conn io.ReadWriteCloser, err error) {
	err = e.do(ctx, Call{"Attach", id}, func() error {
		p, ok := e.processes[id]
		if _, there := e.containers[id]; !ok || !there {
			return engine.ErrNotFound
		}
		p.stderr, p.attached = stderr, true
		conn = &attachment{p.fromOut, p.toStdin}
		return nil
	})
	return conn, err
}

// attachment is stdin and stdout of a process.
type attachment struct {
	*io.PipeReader
	*io.PipeWriter
}

// Close ends both.
func (a *attachment) Close() error { return errors.Join(a.PipeWriter.Close(), a.PipeReader.Close()) }

// begin runs the process of a container, if it has one of its own. The engine is locked.
func (e *Engine) begin(id string) {
	p, ok := e.processes[id]
	if !ok || p.begun {
		return
	}
	p.begun = true
	run, stderr := e.main, p.stderr
	if run == nil {
		run = echo
	}
	if !p.attached {
		go func() { _, _ = io.Copy(io.Discard, p.fromOut) }()
	}
	go func() {
		code := run(p.what, p.stdin, p.out, stderr)
		e.Remove(id)
		p.ended(code)
	}()
}

// echo does what testdata/sleeper does as the process of a container.
func echo(p engine.Process, in io.Reader, out, stderr io.Writer) int {
	if len(p.Command) < 2 || p.Command[1] != "echo" {
		return 0
	}
	_, _ = io.Copy(out, in)
	fmt.Fprintln(stderr, "ended")
	return 3
}

// Ended waits for the end of a container that CreateContainer made.
func (e *Engine) Ended(ctx context.Context, id string) func() (int, error) {
	var p *process
	err := e.do(ctx, Call{"Ended", id}, func() error {
		var ok bool
		if p, ok = e.processes[id]; !ok {
			return engine.ErrNotFound
		}
		return nil
	})
	return func() (int, error) {
		if err != nil {
			return -1, err
		}
		select {
		case <-p.done:
			return p.code, nil
		case <-ctx.Done():
			return -1, context.Cause(ctx)
		}
	}
}

// place is the file of this machine that a path in a container stands for: only mounts have any.
func (e *Engine) place(id, name string) (string, error) {
	c, ok := e.containers[id]
	if !ok {
		return "", engine.ErrNotFound
	}
	for _, m := range c.Mounts {
		if rest, below := strings.CutPrefix(name, m.Destination); below && m.Source != "" && (rest == "" || rest[0] == '/') {
			return filepath.Join(m.Source, filepath.FromSlash(rest)), nil
		}
	}
	return "", engine.ErrNotFound
}

// CopyFrom reads a file out of a mount of a container.
func (e *Engine) CopyFrom(ctx context.Context, id, name string) (stream io.ReadCloser, err error) {
	err = e.do(ctx, Call{"CopyFrom", id}, func() error {
		file, err := e.place(id, name)
		if err != nil {
			return err
		}
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return engine.ErrNotFound
		}
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		err = pack(w, file, path.Base(name))
		stream = io.NopCloser(&archive)
		return errors.Join(err, w.Close())
	})
	return stream, err
}

// pack writes a file, or a folder with all that is in it, into an archive.
func pack(w *tar.Writer, file, name string) error {
	return filepath.Walk(file, func(at string, info fs.FileInfo, err error) error {
		if err != nil {
			return err
		}
		link, _ := os.Readlink(at) // empty for all else
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(file, at)
		if err != nil {
			return err
		}
		h.Name = path.Join(name, filepath.ToSlash(rel))
		if info.IsDir() {
			h.Name += "/"
		}
		if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		content, err := os.ReadFile(at)
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	})
}

// CopyTo unpacks the files of a tar stream into a mount of a container.
func (e *Engine) CopyTo(ctx context.Context, id, dir string, archive io.Reader) error {
	content, failed := io.ReadAll(archive) // it may come from somebody who uses the fake meanwhile
	return e.do(ctx, Call{"CopyTo", id}, func() error {
		to, err := e.place(id, dir)
		if err != nil {
			return err
		}
		for r := tar.NewReader(bytes.NewReader(content)); ; {
			header, err := r.Next()
			if errors.Is(err, io.EOF) {
				return failed
			}
			if err != nil {
				return errors.Join(failed, err)
			}
			body, err := io.ReadAll(r)
			if err == nil {
				err = os.WriteFile(filepath.Join(to, header.Name), body, header.FileInfo().Mode())
			}
			if err != nil {
				return errors.Join(failed, err)
			}
		}
	})
}
