package helper_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/helper"
)

// program writes the least that is a Linux executable; with an interpreter it is no static one.
func program(t *testing.T, machine elf.Machine, interpreter bool) string {
	t.Helper()
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	segment := elf.Prog64{Type: uint32(elf.PT_LOAD)}
	if interpreter {
		segment.Type = uint32(elf.PT_INTERP)
	}
	var content bytes.Buffer
	assert.NilError(t, binary.Write(&content, binary.LittleEndian, header))
	assert.NilError(t, binary.Write(&content, binary.LittleEndian, segment))
	path := filepath.Join(t.TempDir(), "program")
	assert.NilError(t, os.WriteFile(path, content.Bytes(), 0o755))
	return path
}

func machine() elf.Machine {
	if runtime.GOARCH == "arm64" {
		return elf.EM_AARCH64
	}
	return elf.EM_X86_64
}

// scene is a fake engine whose containers serve as helpers in this process.
type scene struct {
	*enginetest.Engine
	spec helper.Spec
	ran  chan engine.Process
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{Engine: enginetest.New(time.Now), ran: make(chan engine.Process, 100)}
	s.SetDisk(t.TempDir())
	exe := program(t, machine(), false)
	s.SetMain(func(p engine.Process, in io.Reader, out, stderr io.Writer) int {
		s.ran <- p
		quit := make(chan int, 1)
		go func() {
			quit <- helper.Serve(in, out, "1", func(*helper.Line) map[string]helper.Handler {
				return map[string]helper.Handler{
					"echo": func(_ context.Context, p json.RawMessage) (any, error) { return p, nil },
					"die": func(context.Context, json.RawMessage) (any, error) {
						fmt.Fprintln(stderr, "panic: planted")
						quit <- 2
						return nil, nil
					},
				}
			})
		}()
		return <-quit
	})
	s.spec = helper.Spec{Key: "key", Project: "project", Version: "1", Executable: func(string, string) (string, error) { return exe, nil }}
	return s
}

func (s *scene) nothingIsLeft(t *testing.T) {
	t.Helper()
	containers, err := s.Containers(t.Context(), engine.Filter{Label: helper.Label})
	assert.NilError(t, err)
	assert.Equal(t, len(containers), 0)
	volumes, err := s.Volumes(t.Context(), helper.Label, s.spec.Key)
	assert.NilError(t, err)
	assert.Equal(t, len(volumes), 0)
}

func TestAHelperServesAndLeavesNothing(t *testing.T) {
	s := newScene(t)
	s.spec.Scratch, s.spec.Writes = true, true
	dir := t.TempDir()
	s.spec.Mounts = []helper.Mount{{Volume: "data", Target: "/engine/data"}, {Path: dir, Target: dir, ReadOnly: true}}
	p, err := helper.Start(t.Context(), s, s.spec, nil)
	assert.NilError(t, err)
	what := <-s.ran
	assert.DeepEqual(t, what.Mounts[0], engine.Mount{Type: "volume", Name: "data", Destination: "/engine/data"})
	assert.DeepEqual(t, what.Mounts[1], engine.Mount{Type: "bind", Source: dir, Destination: dir, ReadOnly: true})
	assert.Equal(t, what.Mounts[2].Destination, helper.Scratch)
	assert.DeepEqual(t, what.Command, []string{"/docker-memsys", helper.Arg})
	assert.Assert(t, !what.HostUsers)
	var answer string
	assert.NilError(t, p.Call(t.Context(), "echo", "word", &answer))
	assert.Equal(t, answer, "word")
	content := strings.Repeat("x", 100_000)
	assert.NilError(t, p.Send(t.Context(), helper.Scratch+"/a", strings.NewReader(content), int64(len(content)), nil))
	var got bytes.Buffer
	assert.NilError(t, p.Fetch(t.Context(), helper.Scratch+"/a", &got, nil))
	assert.Equal(t, got.String(), content)
	assert.NilError(t, p.Close(t.Context()))
	assert.NilError(t, p.Close(t.Context()))
	s.nothingIsLeft(t)
}

func TestAHelperHasTheCapabilitiesOfItsWork(t *testing.T) {
	for want, set := range map[string]func(*helper.Spec){
		"DAC_OVERRIDE FOWNER":                            func(*helper.Spec) {},
		"DAC_OVERRIDE FOWNER CHOWN FSETID SETFCAP":       func(s *helper.Spec) { s.Writes = true },
		"DAC_OVERRIDE FOWNER CHOWN FSETID SETFCAP MKNOD": func(s *helper.Spec) { s.Writes, s.Devices = true, true },
	} {
		s := newScene(t)
		set(&s.spec)
		p, err := helper.Start(t.Context(), s, s.spec, nil)
		assert.NilError(t, err)
		assert.Equal(t, strings.Join((<-s.ran).Capabilities, " "), want)
		assert.NilError(t, p.Close(t.Context()))
	}
}

func TestUserIdsAreTheHostsWhereTheEngineRemapsThem(t *testing.T) {
	s := newScene(t)
	for _, info := range []engine.Info{{OS: "linux", RemapsUsers: true}, {OS: "linux", RemapsUsers: true, Rootless: true}, {OS: "linux"}} {
		s.SetInfo(info)
		p, err := helper.Start(t.Context(), s, s.spec, nil)
		assert.NilError(t, err)
		assert.Equal(t, (<-s.ran).HostUsers, info.RemapsUsers && !info.Rootless)
		assert.NilError(t, p.Close(t.Context()))
	}
}

func TestTheImageIsMadeOnceAndReplacesThatOfAnotherVersion(t *testing.T) {
	s := newScene(t)
	imports := func() int {
		return len(slices.DeleteFunc(s.Calls(), func(c enginetest.Call) bool { return c.Name != "ImportImage" }))
	}
	for range 3 {
		p, err := helper.Start(t.Context(), s, s.spec, nil)
		assert.NilError(t, err)
		assert.NilError(t, p.Close(t.Context()))
	}
	assert.Equal(t, imports(), 1)
	other := program(t, machine(), false)
	assert.NilError(t, appendTo(other, "more"))
	s.spec.Executable = func(string, string) (string, error) { return other, nil }
	p, err := helper.Start(t.Context(), s, s.spec, nil)
	assert.NilError(t, err)
	assert.NilError(t, p.Close(t.Context()))
	list, err := s.Images(t.Context(), "io.github.memsys.helper.version")
	assert.NilError(t, err)
	assert.Equal(t, len(list), 1)
	assert.Equal(t, imports(), 2)
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func TestAnImageThatAnotherClientRemovesIsMadeAgain(t *testing.T) {
	s := newScene(t)
	removals := 2
	s.Before(func(c enginetest.Call) error {
		if c.Name == "CreateContainer" && removals > 0 {
			removals--
			list, err := s.Images(t.Context(), "io.github.memsys.helper.version")
			if err != nil {
				return err
			}
			return s.RemoveImage(t.Context(), list[0].ID)
		}
		return nil
	})
	p, err := helper.Start(t.Context(), s, s.spec, nil)
	assert.NilError(t, err)
	assert.NilError(t, p.Close(t.Context()))
	assert.Equal(t, removals, 0)
}

// Several clients make the image at once: engines refuse one of them while for a moment no image has the name.
func TestAnImageThatIsRefusedWhileOthersMakeItIsMadeAgain(t *testing.T) {
	for _, refusals := range []int{4, 5} {
		s := newScene(t)
		imports := 0
		s.Before(func(c enginetest.Call) error {
			if c.Name != "ImportImage" {
				return nil
			}
			if imports++; imports <= refusals {
				return errors.New("already exists")
			}
			return nil
		})
		p, err := helper.Start(t.Context(), s, s.spec, nil)
		assert.Equal(t, imports, 5)
		if refusals == 5 {
			assert.ErrorContains(t, err, "already exists")
			continue
		}
		assert.NilError(t, err)
		assert.NilError(t, p.Close(t.Context()))
	}
}

func TestNothingIsLeftOfAHelperThatDoesNotStart(t *testing.T) {
	for _, step := range []string{"Info", "Image", "ImportImage", "CreateVolume", "CreateContainer", "Attach", "Start"} {
		t.Run(step, func(t *testing.T) {
			s := newScene(t)
			s.spec.Scratch = true
			planted := errors.New("planted")
			s.Before(func(c enginetest.Call) error {
				if c.Name == step {
					return planted
				}
				return nil
			})
			_, err := helper.Start(t.Context(), s, s.spec, nil)
			assert.ErrorIs(t, err, planted)
			s.Before(nil)
			s.nothingIsLeft(t)
		})
	}
	s := newScene(t)
	s.spec.Version = "2"
	_, err := helper.Start(t.Context(), s, s.spec, nil)
	assert.ErrorContains(t, err, "of version 1, this program of 2")
	s.nothingIsLeft(t)
}

// TestNothingIsLeftOfWhatTheEngineMadeUnheard: the answer is lost, as with an interruption in the middle of a request.
func TestNothingIsLeftOfWhatTheEngineMadeUnheard(t *testing.T) {
	for _, step := range []string{"CreateVolume", "CreateContainer"} {
		t.Run(step, func(t *testing.T) {
			s := newScene(t)
			s.spec.Scratch = true
			ctx, cancel := context.WithCancel(t.Context())
			s.After(func(c enginetest.Call) error {
				if c.Name != step {
					return nil
				}
				cancel()
				return ctx.Err()
			})
			_, err := helper.Start(ctx, s, s.spec, nil)
			assert.ErrorIs(t, err, context.Canceled)
			s.After(nil)
			s.nothingIsLeft(t)
		})
	}
}

func TestTheEndOfAHelperIsExplained(t *testing.T) {
	s := newScene(t)
	p, err := helper.Start(t.Context(), s, s.spec, nil)
	assert.NilError(t, err)
	err = p.Call(t.Context(), "die", nil, nil)
	if err == nil { // its answer came through
		<-p.Line().Done()
		err = p.Call(t.Context(), "echo", nil, nil)
	}
	assert.ErrorIs(t, err, helper.ErrGone)
	assert.ErrorContains(t, err, "exit code 2; it said: panic: planted")
	assert.NilError(t, p.Close(t.Context()))
	s.nothingIsLeft(t)
}

func TestSweepRemovesWhatADeadClientLeftAndNothingElse(t *testing.T) {
	s := newScene(t)
	s.spec.Scratch = true
	_, err := helper.Start(t.Context(), s, s.spec, nil)
	assert.NilError(t, err)
	s.Add(engine.Container{Name: "made", State: engine.Created, Labels: map[string]string{helper.Label: "key"}})
	s.Add(engine.Container{Name: "other", Labels: map[string]string{helper.Label: "other"}})
	removed, err := helper.Sweep(t.Context(), s, "key", nil)
	assert.NilError(t, err)
	assert.Equal(t, len(removed), 3)
	left, err := s.Containers(t.Context(), engine.Filter{})
	assert.NilError(t, err)
	assert.Equal(t, len(left), 1)
	assert.Equal(t, left[0].Name, "other")
}

func TestAnExecutableThatCannotServeIsRefused(t *testing.T) {
	wrong := elf.EM_PPC64
	for want, path := range map[string]string{
		"is not static": program(t, machine(), true), "another machine": program(t, wrong, false), "no Linux program": "start_test.go",
	} {
		s := newScene(t)
		s.spec.Executable = func(string, string) (string, error) { return path, nil }
		_, err := helper.Start(t.Context(), s, s.spec, nil)
		assert.ErrorContains(t, err, want)
	}
	s := newScene(t)
	s.SetInfo(engine.Info{OS: "windows"})
	_, err := helper.Start(t.Context(), s, s.spec, nil)
	assert.ErrorContains(t, err, "needs one that runs linux containers")
}

func TestTheExecutableForTheEngineIsFound(t *testing.T) {
	dir, linked := t.TempDir(), t.TempDir()
	self := filepath.Join(dir, "docker-memsys")
	beside := filepath.Join(dir, "memsys-helper-linux-arm64")
	for _, path := range []string{self, beside} {
		assert.NilError(t, os.WriteFile(path, nil, 0o755))
	}
	link := filepath.Join(linked, "docker-memsys")
	assert.NilError(t, os.Symlink(self, link))
	find := func(f helper.Finder, arch string) string {
		got, err := f.Find("linux", arch)
		if err != nil {
			return err.Error()
		}
		return got
	}
	assert.Equal(t, find(helper.Finder{Self: self, OS: "linux", Arch: "amd64"}, "amd64"), self)
	assert.Equal(t, find(helper.Finder{Self: self, OS: "linux", Arch: "amd64"}, "arm64"), beside)
	real, err := filepath.EvalSymlinks(beside)
	assert.NilError(t, err)
	assert.Equal(t, find(helper.Finder{Self: link, OS: "darwin", Arch: "arm64"}, "arm64"), real)
	assert.Equal(t, find(helper.Finder{Named: self, Self: link, OS: "darwin", Arch: "arm64"}, "s390x"), self)
	_, err = helper.Finder{Self: link, OS: "windows", Arch: "amd64"}.Find("linux", "amd64")
	var missing *helper.MissingError
	assert.Assert(t, errors.As(err, &missing))
	assert.Equal(t, missing.Name, "memsys-helper-linux-amd64")
	_, err = helper.Finder{Named: filepath.Join(dir, "none")}.Find("linux", "amd64")
	assert.ErrorContains(t, err, helper.BinaryVariable)
	got, err := helper.Finder{}.Find("linux", runtime.GOARCH)
	if runtime.GOOS == "linux" {
		assert.NilError(t, err)
		assert.Assert(t, got != "")
	}
}
