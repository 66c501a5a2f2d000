package inventory

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/tree"
)

// inMemory is a File that is none.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error           { return nil }
func (inMemory) Changed() (bool, error) { return false, nil }

func subjectOf(name string, data []byte) *Subject {
	return &Subject{
		Entry: &tree.Entry{Path: name, Kind: tree.File, Size: int64(len(data)), Mode: 0o640},
		Head:  data[:min(len(data), HeadSize)],
		Open:  func(context.Context) (File, error) { return inMemory{bytes.NewReader(data)}, nil },
	}
}

// examine has a validator look at a file, which it must claim.
func examine(t testing.TB, v Validator, name string, data []byte, o Options) *Recorder {
	t.Helper()
	s, r := subjectOf(name, data), NewRecorder("data", o, Calls{})
	assert.Assert(t, v.Claims(s), "%s is not claimed", name)
	assert.NilError(t, v.Validate(t.Context(), s, r))
	if f, ok := v.(Finisher); ok {
		f.After(r)
	}
	return r
}

// told is what was found, a line each: status, object, text.
func told(r *Recorder) []string {
	out := []string{}
	for _, res := range r.Results() {
		for _, f := range res.Findings {
			line := string(f.Status) + ": " + f.Text
			if f.Object != "" {
				line = string(f.Status) + ": " + f.Object + ": " + f.Text
			}
			out = append(out, line)
		}
	}
	return out
}

// counted is the file's collection: records × dimension.
func counted(r *Recorder) string {
	c := r.Collections()
	if len(c) != 1 {
		return fmt.Sprintf("%d collections", len(c))
	}
	return fmt.Sprintf("%d×%d", c[0].Records, c[0].Dimension)
}

func wholly() Options { return Options{Depth: Full} }

// floats32 are n numbers, little-endian; those at odd are NaN.
func floats32(n int, odd ...int) []byte {
	out := make([]byte, 0, 4*n)
	for i := range n {
		v := float32(i) / 8
		for _, o := range odd {
			if o == i {
				v = float32(math.NaN())
			}
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// vectorCase is a file and what must be told of it.
type vectorCase struct {
	name  string
	data  []byte
	want  []string // nothing: it is healthy
	count string   // "" is not looked at
	quick bool     // found in a quick look too
}

func runVectorCases(t *testing.T, v func() Validator, ext string, cases []vectorCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := examine(t, v(), "embeddings/a"+ext, c.data, wholly())
			assert.DeepEqual(t, told(r), append([]string{}, c.want...))
			if c.count != "" {
				assert.Equal(t, counted(r), c.count)
			}
			quick := examine(t, v(), "embeddings/a"+ext, c.data, Options{Depth: Quick})
			if c.quick || len(c.want) == 0 {
				assert.DeepEqual(t, told(quick), told(r))
				assert.Equal(t, counted(quick), counted(r))
			} else {
				assert.Equal(t, len(told(quick)), 0)
			}
		})
	}
}

// everyCut looks at each beginning of a healthy file: all are damaged, and none breaks the validator.
func everyCut(t *testing.T, v Validator, name string, data []byte) {
	t.Helper()
	for n := range data {
		r := examine(t, v, name, data[:n:n], wholly())
		assert.Assert(t, r.Damaged(), "the first %d of %d bytes: %v", n, len(data), told(r))
	}
}

// fuzzed looks at any bytes: no panic, no error, memory as the input has it.
func fuzzed(t *testing.T, v Validator, name string, data []byte) {
	for _, depth := range []Depth{Quick, Full} {
		s, r := subjectOf(name, data), NewRecorder("data", Options{Depth: depth}, Calls{})
		if !v.Claims(s) {
			return
		}
		if err := v.Validate(t.Context(), s, r); err != nil {
			t.Fatal(err)
		}
		if f, ok := v.(Finisher); ok {
			f.After(r)
		}
		for _, c := range r.Collections() {
			if c.Records < 0 || c.Dimension < 0 {
				t.Fatalf("counted %+v", c)
			}
		}
	}
}

func TestRawFloatsAreLookedAtOnlyWhereDeclared(t *testing.T) {
	raw := func(o Options) *rawFloats { return newRawFloats(o) }
	o := Options{Depth: Full, Dimension: 4, Raw: []string{"*.f32", "embeddings/**/*.bin"}}
	for name, claimed := range map[string]bool{"a.f32": true, "x/b.f32": true, "embeddings/y/c.bin": true, "c.bin": false} {
		assert.Equal(t, raw(o).Claims(subjectOf(name, nil)), claimed, name)
	}
	assert.Assert(t, !raw(Options{Raw: o.Raw}).Claims(subjectOf("a.f32", nil)), "without a dimension")

	healthy := examine(t, raw(o), "a.f32", floats32(12), o)
	assert.DeepEqual(t, told(healthy), []string{})
	assert.Equal(t, counted(healthy), "3×4")
	assert.Equal(t, counted(examine(t, raw(o), "a.f32", nil, o)), "0×4")
	assert.DeepEqual(t, told(examine(t, raw(o), "a.f32", floats32(12)[:45], o)), []string{"damaged: cut: 45 of 48 bytes, the last of its vectors of 4 numbers has 13"})
	odd := examine(t, raw(o), "a.f32", append(floats32(11, 3, 7), 0, 0, 0x80, 0x7f), o)
	assert.DeepEqual(t, told(odd), []string{"damaged: 1 of 12 numbers are infinite", "damaged: 2 of 12 numbers are not a number (NaN)"})
	assert.Equal(t, odd.Results()[0].Findings[0].Offset, int64(12))

	wrong := Options{Dimension: 4, Raw: []string{"../x"}}
	r := NewRecorder("data", wrong, Calls{})
	newRawFloats(wrong).After(r)
	assert.DeepEqual(t, told(r), []string{`not checked: pattern "../x" has an empty, . or .. component`})
}

func TestDimensionsThatDifferAreTold(t *testing.T) {
	vectors := func(o Options, chroma int, files map[string]int) []string {
		r := NewRecorder("data", o, Calls{})
		if chroma > 0 {
			b := r.Batch(KindChroma, "chroma#docs")
			b.Dimension(chroma)
			b.Done(1)
		}
		for name, d := range files {
			b := r.Batch(KindVector, name)
			b.Count(1)
			b.Dimension(d)
			b.Done(1)
		}
		dimensions{}.After(r)
		return told(r)
	}
	same := map[string]int{"a/1.npy": 384, "a/2.npy": 384, "b/3.npy": 768, "b/scalars.npy": 0}
	assert.DeepEqual(t, vectors(Options{}, 0, same), []string{})
	assert.DeepEqual(t, vectors(Options{}, 384, same), []string{"warning: 768 in 1 file (3.npy), but the Chroma collections have 384"})
	assert.DeepEqual(t, vectors(Options{Dimension: 768}, 0, same), []string{"warning: 384 in 2 files (1.npy, 2.npy), but the dimension is declared as 768"})
	many := map[string]int{"a/odd.npy": 383}
	for i := range 9 {
		many[fmt.Sprintf("a/%d.npy", i)] = 384
	}
	assert.DeepEqual(t, vectors(Options{}, 0, many), []string{"warning: dimensions differ: 384 in 9 files (0.npy, 1.npy, 2.npy, …); 383 in 1 file (odd.npy)"})
	assert.DeepEqual(t, vectors(Options{Skip: []string{"vectors"}}, 0, many), []string{})
}

func TestABigFileOfVectorsNeedsLittleMemory(t *testing.T) {
	const rows, dimension = 50_000, 1024 // 200 MB, of which the file system holds nothing
	name := filepath.Join(t.TempDir(), "big.npy")
	header := npyBytes(1, fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, dimension), nil)
	assert.NilError(t, os.WriteFile(name, header, 0o600))
	assert.NilError(t, os.Truncate(name, int64(len(header))+4*rows*dimension))
	n := allocated(func() {
		s, r := subjectOf("big.npy", header), NewRecorder("data", wholly(), Calls{})
		s.Open = func(context.Context) (File, error) { return openOnDisk(name) }
		assert.NilError(t, npyFiles{}.Validate(t.Context(), s, r))
		assert.Equal(t, counted(r), "50000×1024")
	})
	assert.Assert(t, n < 1<<20, "%d bytes", n)
}

// allocated is how many bytes were allocated while do ran.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// onDisk is a File of the file system.
type onDisk struct {
	*os.File
	size int64
}

func openOnDisk(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return onDisk{f, info.Size()}, err
}

func (d onDisk) Size() int64          { return d.size }
func (onDisk) Changed() (bool, error) { return false, nil }

func TestErrorsOfReadingAreNoFindings(t *testing.T) {
	for name, v := range map[string]Validator{
		"a.npy": npyFiles{}, "a.npz": npzFiles{}, "a.safetensors": safetensorsFiles{}, "a.faiss": faissFiles{}, "a.pem": newCertificates(),
	} {
		s, r := subjectOf(name, make([]byte, 1000)), NewRecorder("data", wholly(), Calls{})
		s.Open = func(context.Context) (File, error) {
			return failingFile{inMemory{bytes.NewReader(make([]byte, 1000))}}, nil
		}
		assert.ErrorIs(t, v.Validate(t.Context(), s, r), os.ErrPermission, name)
		assert.DeepEqual(t, told(r), []string{})
	}
}

type failingFile struct{ inMemory }

func (failingFile) Read([]byte) (int, error)          { return 0, os.ErrPermission }
func (failingFile) ReadAt([]byte, int64) (int, error) { return 0, os.ErrPermission }
