package compose

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// FuzzLoad gives any bytes as a compose file: it loads, or is refused in one line; sources have safe names.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*", "*.y*ml"))
	assert.NilError(f, err)
	assert.Assert(f, len(files) > 20)
	for _, name := range files {
		b, err := os.ReadFile(name)
		assert.NilError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := Load(t.Context(), LoadOptions{Files: []string{"-"}, Stdin: bytes.NewReader(content), WorkingDir: t.TempDir()})
		if err != nil {
			assert.Assert(t, !strings.Contains(err.Error(), "\n"), "%q", err)
			return
		}
		c, err := p.Config(nil, Overrides{})
		if err != nil {
			return
		}
		for _, s := range p.Sources(nil, c) {
			assert.Assert(t, filepath.IsLocal(s.Name) && filepath.Base(s.Name) == s.Name, "%q", s.Name)
		}
		p.Files()
		p.Services()
	})
}
