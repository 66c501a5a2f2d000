package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestServiceStartsOnSeededDataAndStopsCleanly(t *testing.T) {
	home := t.TempDir()
	env := environment(home)
	assert.NilError(t, run(t.Context(), []string{"-seed", "300", "-seed-value", "7"}, env, io.Discard, io.Discard))

	url, stop := started(t, env)
	asks := asking(url)
	assert.NilError(t, run(t.Context(), []string{"-healthcheck"}, asks, io.Discard, io.Discard))
	export := filepath.Join(home, "memories.jsonl")
	assert.NilError(t, run(t.Context(), []string{"-export", export}, asks, io.Discard, io.Discard))
	data, err := os.ReadFile(export)
	assert.NilError(t, err)
	assert.Equal(t, strings.Count(string(data), "\n"), 300)

	assert.NilError(t, run(t.Context(), []string{"-fill", "12"}, asks, io.Discard, io.Discard))
	var health bytes.Buffer
	assert.NilError(t, run(t.Context(), []string{"-get", "/health"}, asks, &health, io.Discard))
	assert.Assert(t, strings.Contains(health.String(), `"memories":312`), health.String())
	assert.NilError(t, stop())
	_, err = os.Stat(filepath.Join(home, "data", "indexes", "segment-000003.json"))
	assert.NilError(t, err, "the index is written when the service stops")
	log, err := os.ReadFile(filepath.Join(home, "logs", "server.log"))
	assert.NilError(t, err)
	assert.Assert(t, strings.Contains(string(log), "msg=stopped"))
}

func TestHealthcheckFailsOnDamageAndWithoutService(t *testing.T) {
	home := t.TempDir()
	env := environment(home)
	assert.NilError(t, run(t.Context(), []string{"-seed", "5"}, env, io.Discard, io.Discard))
	assert.NilError(t, os.Truncate(filepath.Join(home, "data", "embeddings", "shard-00000.npy"), 700))
	url, stop := started(t, env)
	asks := asking(url)
	assert.ErrorContains(t, run(t.Context(), []string{"-healthcheck"}, asks, io.Discard, io.Discard), "embeddings/shard-00000.npy")
	assert.NilError(t, stop())
	assert.ErrorContains(t, run(t.Context(), []string{"-healthcheck"}, asks, io.Discard, io.Discard), "ask the service")

	assert.NilError(t, run(t.Context(), []string{"-reindex"}, env, io.Discard, io.Discard))
	url, stop = started(t, env)
	assert.NilError(t, run(t.Context(), []string{"-healthcheck"}, asking(url), io.Discard, io.Discard))
	assert.NilError(t, stop())
}

func TestUnknownArgumentsAreErrors(t *testing.T) {
	for _, args := range [][]string{{"start"}, {"-nope"}} {
		assert.Assert(t, run(t.Context(), args, environment(t.TempDir()), io.Discard, io.Discard) != nil, "%v", args)
	}
}

func asking(url string) func(string) string {
	return func(key string) string { return map[string]string{"SERVICE_URL": url}[key] }
}

func environment(home string) func(string) string {
	return func(key string) string {
		return map[string]string{
			"HOST": "127.0.0.1", "PORT": "0",
			"DATA_DIR": filepath.Join(home, "data"), "LOG_DIR": filepath.Join(home, "logs"),
		}[key]
	}
}

// started runs the service until stop is called, and returns its address as told in its log.
func started(t *testing.T, env func(string) string) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, nil, env, io.Discard, w)
		w.Close()
	}()
	lines := bufio.NewReader(r)
	ready := regexp.MustCompile(`msg=ready address=(\S+)`)
	for url == "" {
		line, err := lines.ReadString('\n')
		assert.NilError(t, err)
		if m := ready.FindStringSubmatch(line); m != nil {
			url = "http://" + m[1]
		}
	}
	go io.Copy(io.Discard, lines)
	return url, func() error { cancel(); return <-done }
}
