package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestSizesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]int64{"600MB": 600_000_000, "2.4 gb": 2_400_000_000, "1000000": 1_000_000, "5kb": 5000} {
		got, err := parseSize(text)
		assert.NilError(t, err)
		assert.Equal(t, got, want, text)
	}
	for _, text := range []string{"", "MB", "-1MB", "many"} {
		_, err := parseSize(text)
		assert.ErrorContains(t, err, "not a size")
	}
}

func TestSavedReportIsShownAgain(t *testing.T) {
	dir := t.TempDir()
	saved := filepath.Join(dir, "result.json")
	data := `{"stores":[{"size":600000000,"runs":[{"tool":"tar czf","action":"backup","round":1,"seconds":30}]}]}`
	assert.NilError(t, os.WriteFile(saved, []byte(data), 0o600))
	for format, want := range map[string]string{"text": "tar czf", "markdown": "# Performance", "json": `"seconds": 30`} {
		var out bytes.Buffer
		assert.NilError(t, show([]string{"-in", saved, "-format", format}, &out))
		assert.Assert(t, strings.Contains(out.String(), want), out.String())
	}
	assert.ErrorContains(t, show([]string{"-in", saved, "-format", "pdf"}, io.Discard), "unknown format")
}

func TestWrongUseSaysHow(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"gen"}, {"records"}, {"up", "-pairs", "0"}, {"up", "more"}} {
		assert.ErrorIs(t, command(t.Context(), args), errUsage)
	}
	_, err := numbers("1,x")
	assert.ErrorContains(t, err, "not a list of numbers")
}

func TestTheMiddleOfPairs(t *testing.T) {
	assert.Equal(t, middle([]float64{3, 1, 2}), 2.0)
	assert.Equal(t, middle([]float64{4, 1, 2, 3}), 2.5)
}

// TestAnUpIsMeasuredInPairs: each in turn, what came before the first pair not counted, and a project that takes too long is told.
func TestAnUpIsMeasuredInPairs(t *testing.T) {
	dir := t.TempDir()
	docker := func(more string) {
		script := "#!/bin/sh\necho \"$*\" >>calls\n" + more
		assert.NilError(t, os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o700))
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	docker("")
	var out bytes.Buffer
	args := []string{"up", "-project", dir, "-pairs", "2", "-settle", "1ms"}
	assert.NilError(t, up(t.Context(), args[1:], &out))
	assert.Assert(t, strings.Contains(out.String(), "2 pairs"), out.String())
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	assert.NilError(t, err)
	m, c := "memsys up -d\n", "compose up -d\n"
	assert.Equal(t, string(calls), m+m+c+c+m+m+c)
	docker("[ \"$1\" = compose ] || sleep 0.5\n")
	assert.ErrorIs(t, up(t.Context(), args[1:], io.Discard), errMissed)
	docker("exit 3\n")
	assert.ErrorContains(t, up(t.Context(), args[1:], io.Discard), "bring up")
}
