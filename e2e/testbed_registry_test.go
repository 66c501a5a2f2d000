//go:build e2e && unix

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

// Registry is a registry of images that can only be pulled from, on this machine, where engines ask for no certificate.
type Registry struct {
	// Host is its address, as references of images begin.
	Host string

	server *httptest.Server
	mu     sync.Mutex
	tags   map[string]string // name:tag → digest of the manifest
	blobs  map[string][]byte // by digest, manifests too
}

// NewRegistry serves until the test ends.
func NewRegistry(t testing.TB) *Registry {
	r := &Registry{tags: map[string]string{}, blobs: map[string][]byte{}}
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	r.Host = strings.TrimPrefix(r.server.URL, "http://")
	return r
}

// Close lets nobody pull any more.
func (r *Registry) Close() { r.server.Close() }

// Publish gives a name, such as app:latest, an image with one file, whose text tells it from others.
func (r *Registry) Publish(t testing.TB, name, text string) {
	t.Helper()
	layer := oneFile(t, text)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write(layer)
	assert.NilError(t, err)
	assert.NilError(t, zip.Close())
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "created": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		"config": map[string]any{"Cmd": []string{"/file"}, "Labels": map[string]string{"memsystest": "pull"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digestOf(layer)}},
	})
	assert.NilError(t, err)
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": blob("application/vnd.docker.container.image.v1+json", config),
		"layers": []any{blob("application/vnd.docker.image.rootfs.diff.tar.gzip", packed.Bytes())},
	})
	assert.NilError(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range [][]byte{config, packed.Bytes(), manifest} {
		r.blobs[digestOf(b)] = b
	}
	r.tags[name] = digestOf(manifest)
}

func oneFile(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	assert.NilError(t, w.WriteHeader(&tar.Header{Name: "file", Mode: 0o755, Size: int64(len(text))}))
	_, err := w.Write([]byte(text))
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	return out.Bytes()
}

func blob(kind string, content []byte) map[string]any {
	return map[string]any{"mediaType": kind, "size": len(content), "digest": digestOf(content)}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// serve answers /v2/, /v2/NAME/manifests/TAG or DIGEST, and /v2/NAME/blobs/DIGEST.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	if len(parts) != 4 {
		return // it is a registry
	}
	digest := parts[3]
	if tagged, ok := r.tags[parts[1]+":"+digest]; ok && parts[2] == "manifests" {
		digest = tagged
	}
	content, ok := r.blobs[digest]
	if !ok {
		http.NotFound(w, req)
		return
	}
	if parts[2] == "manifests" {
		w.Header().Set("Content-Type", manifestType)
	} else {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if req.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}
