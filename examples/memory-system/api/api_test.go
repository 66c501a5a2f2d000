package api_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/examples/memory-system/api"
	"github.com/memsys/docker-memsys/examples/memory-system/memory"
)

type answer struct {
	code int
	body map[string]any
}

func TestMemoriesLiveAndDieOverHTTP(t *testing.T) {
	_, ask := service(t)
	made := ask("POST", "/api/memories", `{"text":"Grace prefers the window seat","tags":["travel"]}`)
	assert.Equal(t, made.code, http.StatusCreated)
	id := made.body["id"].(string)

	got := ask("GET", "/api/memories/"+id, "")
	assert.DeepEqual(t, got.body, made.body)
	changed := ask("PUT", "/api/memories/"+id, `{"text":"Grace prefers the aisle"}`)
	assert.Equal(t, changed.code, http.StatusOK)
	found := ask("GET", "/api/search?q=aisle", "")
	assert.Equal(t, len(found.body["results"].([]any)), 1)
	assert.Equal(t, len(ask("GET", "/api/search?q=window&mode=text", "").body["results"].([]any)), 0)

	assert.Equal(t, ask("DELETE", "/api/memories/"+id, "").code, http.StatusNoContent)
	assert.Equal(t, ask("GET", "/api/memories/"+id, "").code, http.StatusNotFound)
	assert.Equal(t, ask("GET", "/api/memories", "").body["total"], float64(0))
}

func TestListIsPaged(t *testing.T) {
	_, ask := service(t)
	for _, text := range []string{"one", "two", "three"} {
		assert.Equal(t, ask("POST", "/api/memories", `{"text":"`+text+`"}`).code, http.StatusCreated)
	}
	page := ask("GET", "/api/memories?limit=2&offset=2", "").body
	assert.Equal(t, page["total"], float64(3))
	assert.Equal(t, len(page["memories"].([]any)), 1)
	assert.Equal(t, len(ask("GET", "/api/memories?offset=99", "").body["memories"].([]any)), 0)
}

func TestWrongRequestsAreRefused(t *testing.T) {
	_, ask := service(t)
	for _, r := range [][3]string{
		{"POST", "/api/memories", `{"text":""}`},
		{"POST", "/api/memories", `{"txet":"typo"}`},
		{"POST", "/api/memories", `not JSON`},
		{"GET", "/api/memories?limit=-1", ""},
		{"GET", "/api/search?q=", ""},
		{"GET", "/api/search?q=x&mode=magic", ""},
	} {
		a := ask(r[0], r[1], r[2])
		assert.Equal(t, a.code, http.StatusBadRequest, "%v", r)
		assert.Assert(t, a.body["error"] != "", "%v", r)
	}
}

func TestHealthNamesTheDamagedFile(t *testing.T) {
	dir, ask := service(t)
	id := ask("POST", "/api/memories", `{"text":"Grace prefers the window seat"}`).body["id"].(string)
	healthy := ask("GET", "/health", "")
	assert.Equal(t, healthy.code, http.StatusOK)
	assert.Equal(t, healthy.body["data"].(map[string]any)["memories"], float64(1))

	path := filepath.Join(dir, "memories", id+".json")
	assert.NilError(t, os.Truncate(path, 20))
	sick := ask("GET", "/health", "")
	assert.Equal(t, sick.code, http.StatusServiceUnavailable)
	text, err := json.Marshal(sick.body)
	assert.NilError(t, err)
	assert.Assert(t, strings.Contains(string(text), "memories/"+id+".json"), "%s", text)
	assert.Equal(t, ask("POST", "/api/memories", `{"text":"not now"}`).code, http.StatusServiceUnavailable)
	assert.Equal(t, ask("GET", "/health?deep=1", "").code, http.StatusServiceUnavailable)
}

// service returns the data folder of a new service and a function that asks it.
func service(t *testing.T) (string, func(method, path, body string) answer) {
	t.Helper()
	dir := t.TempDir()
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	store, err := memory.Open(dir, memory.Options{Now: now, Fast: true})
	assert.NilError(t, err)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	server := httptest.NewServer((&api.Server{Store: store, Log: log, Now: now, Started: now(), Version: "test"}).Handler())
	t.Cleanup(server.Close)
	return dir, func(method, path, body string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		assert.NilError(t, err)
		res, err := server.Client().Do(req)
		assert.NilError(t, err)
		defer res.Body.Close()
		a := answer{code: res.StatusCode}
		if data, err := io.ReadAll(res.Body); assert.Check(t, err == nil) && len(data) > 0 {
			assert.NilError(t, json.Unmarshal(data, &a.body), "%s", data)
		}
		return a
	}
}
