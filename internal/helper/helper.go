// Package helper runs this program in a container of the engine, where the data is, when the files cannot be reached from here:
// the image made of the program's own executable, the container with the sources mounted at the paths that they have on the
// engine's host, the line of calls to it, the scratch volume. What is called is the caller's.
package helper

import (
	"context"
	"io"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Arg is the hidden first argument with which the executable serves as helper.
const Arg = "__helper"

// Label marks helper containers and scratch volumes; its value is the key of the project that they serve.
const Label = "io.github.memsys.helper"

// readerLabel marks the helpers of clients that only read, without the project's lock; its value is the client's name.
const readerLabel = Label + ".reader"

// The labels of the image.
const (
	versionLabel = "io.github.memsys.helper.version"
	digestLabel  = "io.github.memsys.helper.digest"
)

// Scratch is where a helper sees its scratch volume.
const Scratch = "/memsys-scratch"

// Engine is what helpers need of an engine; *engine.Client is one.
type Engine interface {
	Info(ctx context.Context) (engine.Info, error)
	Image(ctx context.Context, ref string) (engine.Image, error)
	Images(ctx context.Context, label string) ([]engine.Image, error)
	ImportImage(ctx context.Context, ref string, labels map[string]string, archive io.Reader) error
	RemoveImage(ctx context.Context, ref string) error
	CreateContainer(ctx context.Context, p engine.Process) (string, error)
	Container(ctx context.Context, id string) (engine.Container, error)
	Containers(ctx context.Context, f engine.Filter) ([]engine.Container, error)
	Attach(ctx context.Context, id string, stderr io.Writer) (io.ReadWriteCloser, error)
	Ended(ctx context.Context, id string) func() (int, error)
	Start(ctx context.Context, id string) error
	RemoveContainer(ctx context.Context, id string) error
	CopyFrom(ctx context.Context, id, path string) (io.ReadCloser, error)
	CopyTo(ctx context.Context, id, dir string, archive io.Reader) error
	Volumes(ctx context.Context, label, value string) ([]engine.Volume, error)
	CreateVolume(ctx context.Context, v engine.Volume) (engine.Volume, error)
	RemoveVolume(ctx context.Context, name string) error
}

// Mount is a volume, or a path of the engine's host, that the helper sees at Target: the path that it has on the engine's host.
type Mount struct {
	Volume, Path, Target string
	ReadOnly             bool
}

// Spec is what a helper is to be.
type Spec struct {
	// Key is the journal's key of the project, Project its name, for people.
	Key, Project string
	// Reader names the client where it only reads, so that Sweep can ask for it; empty: it has the project's lock.
	Reader string
	// Version is this program's: the helper must be of the same one.
	Version string
	Mounts  []Mount
	// Scratch gives it a scratch volume.
	Scratch bool
	// Writes lets it set owners, modes and attributes, for a restore; without, it reads whatever it sees and writes content alone.
	Writes bool
	// Devices lets it make device nodes too.
	Devices bool
	// Executable finds the static Linux executable of this program for an architecture; see Find.
	Executable func(os, arch string) (string, error)
	Codecs     []Codec
}

// capabilities are the least with which the work is done. DAC_OVERRIDE is to read files of any owner, and to write an archive into a file
// of the user's; FOWNER to read without changing a time of access. DAC_READ_SEARCH would add nothing but to open files by their handle,
// which is a way out of a container.
func (s Spec) capabilities() []string {
	list := []string{"DAC_OVERRIDE", "FOWNER"}
	if s.Writes {
		list = append(list, "CHOWN", "FSETID", "SETFCAP")
	}
	if s.Devices {
		list = append(list, "MKNOD")
	}
	return list
}

func (s Spec) mounts(scratch string) []engine.Mount {
	var out []engine.Mount
	for _, m := range s.Mounts {
		to := engine.Mount{Type: "bind", Source: m.Path, Destination: m.Target, ReadOnly: m.ReadOnly}
		if m.Volume != "" {
			to.Type, to.Name, to.Source = "volume", m.Volume, ""
		}
		out = append(out, to)
	}
	if scratch != "" {
		out = append(out, engine.Mount{Type: "volume", Name: scratch, Destination: Scratch})
	}
	return out
}

func (s Spec) labels() map[string]string {
	labels := map[string]string{Label: s.Key, Label + ".project": s.Project}
	if s.Reader != "" {
		labels[readerLabel] = s.Reader
	}
	return labels
}
