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
	for _, args := range [][]string{nil, {"help"}, {"gen"}, {"records"}} {
		assert.ErrorIs(t, command(t.Context(), args), errUsage)
	}
	_, err := numbers("1,x")
	assert.ErrorContains(t, err, "not a list of numbers")
}
