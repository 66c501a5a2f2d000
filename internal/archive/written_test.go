package archive

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// contents are the files that a reader gives, by name.
func contents(t *testing.T, r *Reader) map[string]string {
	t.Helper()
	out := map[string]string{}
	for e, err := range r.Entries(t.Context()) {
		assert.NilError(t, err)
		if e.Kind != tree.File || e.Path == manifestName {
			continue
		}
		var b bytes.Buffer
		assert.NilError(t, r.ReadFile(t.Context(), e, &b))
		out[e.Path] = b.String()
	}
	return out
}

func TestWhatWasWrittenIsReadBeforeTheArchiveIsWhole(t *testing.T) {
	for name, o := range map[string]WriterOptions{
		"table in memory": {},
		"table in a file": {spoolMemory: 1, Spool: func() (io.ReadWriteSeeker, error) { return os.Create(filepath.Join(t.TempDir(), "spool")) }},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "archive"))
			assert.NilError(t, err)
			defer f.Close()
			w := NewWriter(f, o)
			empty, err := w.Written(t.Context())
			assert.NilError(t, err)
			assert.Equal(t, len(contents(t, empty)), 0)

			want := map[string]string{}
			for _, s := range hostile() {
				_, err := w.Add(t.Context(), s.Path, &s.Entry, s.opener())
				assert.NilError(t, err)
				if s.Kind == tree.File {
					want[s.Path] = string(s.data)
				}
			}
			early, err := w.Written(t.Context())
			assert.NilError(t, err)
			assert.Assert(t, early.Manifest() == nil)
			assert.DeepEqual(t, contents(t, early), want)

			assert.NilError(t, w.AddBytes(t.Context(), "project/compose.yaml", 0o600, stamp, []byte("services: {}\n")))
			_, err = w.Close(t.Context(), manifest())
			assert.NilError(t, err)
			assert.DeepEqual(t, contents(t, early), want) // what came later is not in it

			whole, err := os.ReadFile(f.Name())
			assert.NilError(t, err)
			assert.Equal(t, len(verify(t, whole).Damage), 0)
			want["project/compose.yaml"] = "services: {}\n"
			assert.DeepEqual(t, contents(t, open(t, whole)), want)
		})
	}
}

func TestWhatWasWrittenIsNotReadFromAnOutputThatCannotBe(t *testing.T) {
	w := NewWriter(struct{ Output }{&full{}}, WriterOptions{})
	_, err := w.Written(t.Context())
	assert.ErrorContains(t, err, "its output cannot be read")
	assert.NilError(t, w.Abort())
}
