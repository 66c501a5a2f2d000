package inventory

import (
	"archive/zip"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestInspectFindsVectorsCertificatesAndStructure(t *testing.T) {
	ca := newIssuer(t).ca()
	server, _ := ca.issue("server.test", -2)
	_, stranger := ca.issue("other.test", 100)
	matrix := npyOf("'<f4'", "(3, 4)", floats32(12))
	root := plant(t, map[string]string{
		"embeddings/a.npy": string(matrix), "embeddings/b.npy": string(matrix[:150]), "embeddings/empty.npy": "",
		"embeddings/c.npz":         string(npzOf(t, zip.Deflate, map[string][]byte{"v.npy": npyOf("'<f4'", "(2, 5)", floats32(10))})),
		"embeddings/d.safetensors": string(safetensorsOf(`{"a":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]}}`, floats32(12, 3))),
		"indexes/main.index":       string(faissVectors(3)), "raw/e.f32": string(floats32(7)),
		"ssl/server.crt": string(certPEM(server)), "ssl/server.key": string(keyPEM(t, stranger)),
	})
	o := Options{Depth: Full, Live: true, Now: ca.now, Layout: []string{"memories", "indexes"}, Raw: []string{"*.f32"}, Dimension: 4}
	report, err := Inspect(t.Context(), "data", LiveTree(root, nil), o, Calls{})
	assert.NilError(t, err)
	got := slices.DeleteFunc(findings(report), func(line string) bool { // they depend on who runs the test
		return strings.Contains(line, "everybody") || strings.Contains(line, "the root")
	})
	assert.DeepEqual(t, got, []string{
		"warning ssl/server.crt: expired 1 day ago",
		"warning ssl/server.key: the key does not belong to the certificate in server.crt",
		"warning ssl/server.key: the key may be read by others: its mode is 0644",
		"warning memories: the folder is missing",
		"warning embeddings: 5 in 1 file (c.npz), but the dimension is declared as 4",
		"damaged embeddings/b.npy: cut: 150 of 176 bytes",
		"damaged embeddings/empty.npy: is empty",
		"damaged raw/e.f32: cut: 28 of 32 bytes, the last of its vectors of 4 numbers has 12",
		"damaged embeddings/d.safetensors: 1 of 12 numbers are not a number (NaN)",
	})
	vectors := []string{}
	for _, c := range report.Inventory.Collections {
		assert.Equal(t, c.Kind, KindVector)
		vectors = append(vectors, c.Name)
	}
	assert.DeepEqual(t, vectors, []string{
		"embeddings/a.npy", "embeddings/b.npy", "embeddings/c.npz", "embeddings/d.safetensors", "embeddings/empty.npy", "indexes/main.index", "raw/e.f32",
	})
}

func TestChecksAreAskedForBeforeTheyAreMade(t *testing.T) {
	root := plant(t, map[string]string{"a.npy": "", "ssl/a.key": ""})
	report, err := Inspect(t.Context(), "data", LiveTree(root, nil), Options{Checks: []string{"structure.keys"}}, Calls{})
	assert.NilError(t, err)
	assert.Equal(t, len(findings(report)), 0)
}
