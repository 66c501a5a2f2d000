//go:build e2e && unix

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"
	_ "modernc.org/sqlite"
)

// haveChroma tells whether the engine has a real Chroma server. It comes from outside, so only the full campaign insists on it.
func haveChroma(t *testing.T) bool {
	t.Helper()
	if os.Getenv("MEMSYS_E2E_FULL") == "1" {
		NeedImage(t, ChromaImage)
	} else if run(t, "", nil, "docker", "image", "inspect", ChromaImage).ExitCode != 0 {
		t.Log("not tested: its server comes from outside, and only the full campaign insists on it")
		return false
	}
	return true
}

// chromaLife changes two collections without pause: it adds, updates and deletes.
const chromaLife = `
const base = "http://127.0.0.1:8000/api/v2/tenants/default_tenant/databases/default_database/collections";
const call = async (url, body) => {
  for (;;) try {
    const r = await fetch(url, body && {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)});
    if (r.ok) return await r.json();
  } catch { await new Promise((f) => setTimeout(f, 50)); }
};
const records = (first, n, dimension) => {
  const ids = Array.from({length: n}, (_, i) => "live-" + (first + i));
  return {ids, documents: ids.map((i) => "what " + i + " is at " + Date.now()), embeddings: ids.map(() => Array.from({length: dimension}, Math.random))};
};
(async () => {
  const all = [];
  for (const name of ["memories", "sessions"]) all.push(await call(base + "/" + name));
  for (let n = 0; ; n += 20) for (const c of all) {
    const at = base + "/" + c.id;
    await call(at + "/add", records(n, 20, c.dimension));
    await call(at + "/update", records(n, 5, c.dimension));
    await call(at + "/delete", {ids: records(n + 10, 4, 0).ids});
  }
})();`

// chromaProject is a project whose service chroma is a real server with its store in the folder data; writer changes it.
type chromaProject struct {
	*Project
	base   string // of its interface, while it runs
	random *rand.Rand
}

func newChroma(t *testing.T, more string) *chromaProject {
	t.Helper()
	p := NewProject(t, `
services:
  chroma:
    image: `+ChromaImage+`
    stop_signal: SIGKILL
    volumes: ["./data:/data"]
    ports: ["127.0.0.1::8000"]
`+more+`
  writer:
    image: `+ChromaImage+`
    profiles: [busy]
    entrypoint: [/usr/bin/node, -e]
    command: ["${CHROMA_WRITER}"]
    network_mode: "service:chroma"
    depends_on: [chroma]
    stop_grace_period: 0s
`)
	p.Setenv("CHROMA_WRITER", chromaLife)
	assert.NilError(t, os.MkdirAll(p.Path("data"), 0o755))
	return &chromaProject{Project: p, random: rand.New(rand.NewPCG(4, 2))}
}

// start brings the server up and waits until it answers.
func (p *chromaProject) start() {
	p.t.Helper()
	p.Up("chroma")
	p.base = "http://" + p.Address("chroma", "8000") + "/api/v2"
	poll.WaitOn(p.t, func(poll.LogT) poll.Result {
		if err := p.request(http.MethodGet, "/heartbeat", nil, nil); err != nil {
			return poll.Continue("%v", err)
		}
		return poll.Success()
	}, poll.WithDelay(50*time.Millisecond), poll.WithTimeout(time.Minute))
}

// stop ends the server, as a crash would: it writes nothing when it ends.
func (p *chromaProject) stop() {
	p.t.Helper()
	p.Compose("--profile", "busy", "stop").Assert(p.t, icmd.Success)
}

func (p *chromaProject) request(method, path string, body, out any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		return errors.Join(err, fmt.Errorf("%s %s answered %d: %s", method, path, answer.StatusCode, content))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(content, out)
}

// chromaPath is where the collections of the usual database are.
const chromaPath = "/tenants/default_tenant/databases/default_database/collections"

// chromaCollection is a collection of the server.
type chromaCollection struct {
	p         *chromaProject
	name, id  string
	dimension int
}

func (p *chromaProject) create(name string, dimension, threshold int, space string) *chromaCollection {
	p.t.Helper()
	hnsw := map[string]any{"space": space}
	if threshold > 0 {
		hnsw["sync_threshold"] = threshold
	}
	var made struct{ ID string }
	assert.NilError(p.t, p.request(http.MethodPost, chromaPath, map[string]any{"name": name, "configuration": map[string]any{"hnsw": hnsw}}, &made))
	return &chromaCollection{p, name, made.ID, dimension}
}

// send adds, updates or deletes records, and has the server read its queue, so that the index is written where it is due.
func (c *chromaCollection) send(verb string, first, n int) {
	c.p.t.Helper()
	for ; n > 0; first, n = first+100, n-100 {
		ids, documents, metadata := []string{}, []string{}, []map[string]any{}
		for i := first; i < first+min(n, 100); i++ {
			ids = append(ids, fmt.Sprintf("%s-%04d", c.name, i))
			documents = append(documents, fmt.Sprintf("Document %d of %s: remember the %d things", i, c.name, i*7919%1000))
			metadata = append(metadata, map[string]any{"number": i, "even": i%2 == 0})
		}
		body := map[string]any{"ids": ids}
		if verb != "delete" {
			body["documents"], body["metadatas"], body["embeddings"] = documents, metadata, c.vectors(len(ids))
		}
		assert.NilError(c.p.t, c.p.request(http.MethodPost, chromaPath+"/"+c.id+"/"+verb, body, nil))
	}
	assert.NilError(c.p.t, c.p.request(http.MethodPost, chromaPath+"/"+c.id+"/query", map[string]any{"query_embeddings": c.vectors(1), "n_results": 3}, nil))
}

func (c *chromaCollection) vectors(n int) [][]float64 {
	out := make([][]float64, n)
	for i := range out {
		for range c.dimension {
			out[i] = append(out[i], c.p.random.NormFloat64())
		}
	}
	return out
}

// count is what the server says.
func (c *chromaCollection) count() (n int) {
	c.p.t.Helper()
	assert.NilError(c.p.t, c.p.request(http.MethodGet, chromaPath+"/"+c.id+"/count", nil, &n))
	return n
}

// store is what lies in the folder of the server, to change it as damage would.
func (p *chromaProject) store() chromaStore { return chromaStore{p.t, p.Path("data")} }

// keep is a copy of the store.
func (p *chromaProject) keep() chromaStore {
	p.t.Helper()
	kept := filepath.Join(p.t.TempDir(), "kept")
	assert.NilError(p.t, os.CopyFS(kept, os.DirFS(p.Path("data"))))
	return chromaStore{p.t, kept}
}

// lay replaces the store by another one; the folder itself stays.
func (p *chromaProject) lay(from chromaStore) {
	p.t.Helper()
	old, err := os.ReadDir(p.Path("data"))
	assert.NilError(p.t, err)
	for _, e := range old {
		assert.NilError(p.t, os.RemoveAll(p.Path("data", e.Name())))
	}
	assert.NilError(p.t, os.CopyFS(p.Path("data"), os.DirFS(from.dir)))
}

// chromaStore is a Chroma folder.
type chromaStore struct {
	t   testing.TB
	dir string
}

// goldenChroma unpacks a store that a real server of another version has written.
func goldenChroma(t *testing.T, name string) chromaStore {
	t.Helper()
	s := chromaStore{t, filepath.Join(t.TempDir(), name)}
	packed, err := os.Open(filepath.Join("..", "internal", "inventory", "testdata", "chroma", name+".tar.gz"))
	assert.NilError(t, err)
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	assert.NilError(t, err)
	files := tar.NewReader(plain)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return s
		}
		assert.NilError(t, err)
		content, err := io.ReadAll(files)
		assert.NilError(t, err)
		assert.NilError(t, os.MkdirAll(filepath.Dir(s.path(header.Name)), 0o755))
		assert.NilError(t, os.WriteFile(s.path(header.Name), content, 0o644))
	}
}

func (s chromaStore) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s chromaStore) read(name string) []byte {
	s.t.Helper()
	content, err := os.ReadFile(s.path(name))
	assert.NilError(s.t, err)
	return content
}

// edit changes a file; what the function returns is its new content.
func (s chromaStore) edit(name string, change func([]byte) []byte) {
	s.t.Helper()
	assert.NilError(s.t, os.WriteFile(s.path(name), change(s.read(name)), 0o644))
}

func (s chromaStore) remove(name string) {
	s.t.Helper()
	_, err := os.Stat(s.path(name))
	assert.NilError(s.t, err)
	assert.NilError(s.t, os.RemoveAll(s.path(name)))
}

// with hands the database over, through one connection.
func (s chromaStore) with(do func(*sql.DB)) {
	s.t.Helper()
	db, err := sql.Open("sqlite", s.path("chroma.sqlite3"))
	assert.NilError(s.t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	do(db)
}

// exec runs statements in the database; $vectors and $records are the two segments of the memories. Each must change something.
func (s chromaStore) exec(statements ...string) {
	s.t.Helper()
	vectors, records := s.segment("VECTOR", "memories"), s.segment("METADATA", "memories")
	s.with(func(db *sql.DB) {
		for _, one := range statements {
			one = strings.NewReplacer("$vectors", "'"+vectors+"'", "$records", "'"+records+"'").Replace(one)
			result, err := db.ExecContext(s.t.Context(), one)
			assert.NilError(s.t, err, one)
			if changed, _ := result.RowsAffected(); !strings.HasPrefix(one, "DROP") && !strings.HasPrefix(one, "ALTER") {
				assert.Assert(s.t, changed > 0, "nothing was changed by %s", one)
			}
		}
	})
}

// ask is the one value that a query gives.
func (s chromaStore) ask(query string) (value string) {
	s.t.Helper()
	s.with(func(db *sql.DB) { assert.NilError(s.t, db.QueryRowContext(s.t.Context(), query).Scan(&value), query) })
	return value
}

// segment is one of the two halves of a collection.
func (s chromaStore) segment(scope, collection string) string {
	s.t.Helper()
	return s.ask("SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection WHERE s.scope = '" + scope + "' AND c.name = '" + collection + "'")
}

// index is the folder with the index of a collection.
func (s chromaStore) index(collection string) string { return s.segment("VECTOR", collection) }

// place is the path of FILE or COLLECTION/FILE or, of the folder, COLLECTION/.
func (s chromaStore) place(name string) string {
	collection, file, in := strings.Cut(name, "/")
	if !in {
		return name
	}
	return strings.TrimSuffix(s.index(collection)+"/"+file, "/")
}

// zeroPage fills a page of a table or index of the database with zeros.
func (s chromaStore) zeroPage(object string) {
	s.t.Helper()
	var page, size int
	s.with(func(db *sql.DB) {
		query := "SELECT max(pageno), (SELECT page_size FROM pragma_page_size) FROM dbstat WHERE name = ?"
		assert.NilError(s.t, db.QueryRowContext(s.t.Context(), query, object).Scan(&page, &size))
	})
	s.edit("chroma.sqlite3", func(b []byte) []byte {
		clear(b[(page-1)*size : page*size])
		return b
	})
}

// within calls do in the middle of a transaction whose pages are in the database already, and then ends it without a commit.
func (s chromaStore) within(statement string, do func()) {
	s.t.Helper()
	s.with(func(db *sql.DB) {
		for _, one := range []string{"PRAGMA cache_size = 1", "PRAGMA cache_spill = 1", "BEGIN", statement} {
			_, err := db.ExecContext(s.t.Context(), one)
			assert.NilError(s.t, err, one)
		}
		do()
		_, err := db.ExecContext(s.t.Context(), "ROLLBACK")
		assert.NilError(s.t, err)
	})
}

// poke writes a number of 4 bytes.
func poke(at int, value uint32) func([]byte) []byte {
	return func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b[at:], value)
		return b
	}
}
