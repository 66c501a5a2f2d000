//go:build e2e

package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Real is the engine of DOCKER_HOST, with an image of a process that sleeps, until the test ends. Without DOCKER_HOST the test fails.
func Real(t *testing.T) Bench {
	t.Helper()
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		t.Fatal("DOCKER_HOST does not name the engine to test with")
	}
	api, err := client.New(client.WithHost(host))
	assert.NilError(t, err)
	t.Cleanup(func() { api.Close() })
	prefix := "memsystest" + strings.ToLower(rand.Text()[:8])
	sleeper := makeImage(t, api, prefix)
	subject := engine.New(api, host)
	return Bench{
		Sleeper: sleeper, Subject: subject, Prefix: prefix,
		Create: func(t *testing.T, c engine.Container) string { return createContainer(t, api, prefix, c) },
		Fill: func(t *testing.T, id string, files map[string]string) {
			assert.NilError(t, subject.CopyTo(t.Context(), id, "/", archiveOf(t, files)))
		},
	}
}

func makeImage(t *testing.T, api *client.Client, name string) []byte {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	exe := filepath.Join(t.TempDir(), "sleeper")
	build := exec.Command("go", "build", "-o", exe, "github.com/memsys/docker-memsys/internal/engine/enginetest/testdata/sleeper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	assert.NilError(t, err, string(out))
	content, err := os.ReadFile(exe)
	assert.NilError(t, err)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	assert.NilError(t, w.WriteHeader(&tar.Header{Name: "sleeper", Mode: 0o755, Size: int64(len(content))}))
	_, err = w.Write(content)
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	res, err := api.ImageImport(ctx, client.ImageImportSource{Source: bytes.NewReader(archive.Bytes()), SourceName: "-"}, name+":latest", client.ImageImportOptions{})
	assert.NilError(t, err)
	_, err = io.Copy(io.Discard, res)
	assert.NilError(t, err)
	assert.NilError(t, res.Close())
	t.Cleanup(func() {
		if _, err := api.ImageRemove(ctx, name+":latest", client.ImageRemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	return archive.Bytes()
}

func createContainer(t *testing.T, api *client.Client, image string, c engine.Container) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	labels := map[string]string{engine.OneOffLabel: "False"}
	for label, value := range map[string]string{engine.ProjectLabel: c.Project, engine.ServiceLabel: c.Service, engine.NumberLabel: c.Number} {
		if value != "" {
			labels[label] = value
		}
	}
	host := &container.HostConfig{NetworkMode: "none"}
	for _, m := range c.Mounts {
		source := m.Source
		if m.Type == "volume" {
			source = m.Name
		}
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.Type(m.Type), Source: source, Target: m.Destination, ReadOnly: m.ReadOnly})
	}
	timeout := 5
	res, err := api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: c.Name, HostConfig: host,
		Config: &container.Config{Image: image + ":latest", Cmd: []string{"/sleeper"}, Labels: labels, StopTimeout: &timeout},
	})
	assert.NilError(t, err)
	t.Cleanup(func() {
		_, err := api.ContainerRemove(ctx, res.ID, client.ContainerRemoveOptions{Force: true})
		if err != nil && !strings.Contains(err.Error(), "No such container") {
			t.Error(err)
		}
	})
	return res.ID
}

// archiveOf is a tar stream of files.
func archiveOf(t *testing.T, files map[string]string) io.Reader {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, content := range files {
		assert.NilError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := io.WriteString(w, content)
		assert.NilError(t, err)
	}
	assert.NilError(t, w.Close())
	return &archive
}
