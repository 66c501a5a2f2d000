package validate

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// chroma answers as a Chroma server does: 0.4 has v1 alone, 0.5.16 to 0.6 both, 1.x v2 alone and 410 for v1.
type chroma struct {
	v1, v2, gone bool
	allow        func(r *http.Request) bool // nil: everyone
	// tenants are the databases of each, with the names of their collections; each has five records.
	tenants map[string]map[string][]string
	broken  string // the collection that cannot be counted
	// dimension is that of all collections; 0: not told.
	dimension int
}

func oneDatabase(names ...string) map[string]map[string][]string {
	return map[string]map[string][]string{"default_tenant": {"default_database": names}}
}

func (c chroma) serve(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(c.handler())
	t.Cleanup(srv.Close)
	return srv.URL
}

// serveEither serves as the server that the pointer points to, and returns its port.
func serveEither(t *testing.T, server **chroma) string {
	t.Helper()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		one := **server
		one.v2, one.gone = true, true
		one.handler().ServeHTTP(w, r)
	})
	return strings.TrimPrefix(url, "http://127.0.0.1:")
}

func (c chroma) handler() http.Handler {
	mux := http.NewServeMux()
	for version, on := range map[string]bool{"v1": c.v1, "v2": c.v2} {
		if on {
			c.api(mux, version)
		}
	}
	if c.gone {
		mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusGone)
			fmt.Fprint(w, `{"error":"Unimplemented","message":"The v1 API is deprecated. Please use /v2 apis"}`)
		})
	}
	return mux
}

func (c chroma) api(mux *http.ServeMux, version string) {
	base := "GET /api/" + version
	mux.HandleFunc(base+"/heartbeat", say(map[string]int64{"nanosecond heartbeat": 1}))
	mux.HandleFunc(base+"/version", say(map[string]string{"v1": "0.6.3", "v2": "1.0.0"}[version]))
	guarded := func(pattern string, h func(r *http.Request) (any, int)) {
		mux.HandleFunc(base+pattern, func(w http.ResponseWriter, r *http.Request) {
			body, status := any(map[string]string{"error": "Forbidden"}), http.StatusForbidden
			if c.allow == nil || c.allow(r) {
				body, status = h(r)
			}
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body)
		})
	}
	guarded("/tenants/{t}/databases", func(r *http.Request) (any, int) {
		out := []map[string]string{}
		for d := range c.tenants[r.PathValue("t")] {
			out = append(out, map[string]string{"name": d})
		}
		return out, http.StatusOK
	})
	guarded("/tenants/{t}/databases/{d}/collections", func(r *http.Request) (any, int) { return c.list(r, r.PathValue("t"), r.PathValue("d")) })
	guarded("/collections", func(r *http.Request) (any, int) {
		return c.list(r, r.URL.Query().Get("tenant"), r.URL.Query().Get("database"))
	})
	number := func(r *http.Request) (any, int) {
		if strings.HasSuffix(r.PathValue("id"), c.broken) && c.broken != "" {
			return map[string]string{"error": "InternalError", "message": "Error getting collection"}, http.StatusInternalServerError
		}
		return 5, http.StatusOK
	}
	guarded("/tenants/{t}/databases/{d}/collections/{id}/count", number)
	guarded("/collections/{id}/count", number)
}

func (c chroma) list(r *http.Request, tenant, database string) (any, int) {
	names, ok := c.tenants[tenant][database]
	if !ok {
		return map[string]string{"error": "NotFoundError"}, http.StatusNotFound
	}
	out := []map[string]any{}
	var dimension any
	if c.dimension > 0 {
		dimension = c.dimension
	}
	var limit, offset int
	fmt.Sscan(r.URL.Query().Get("limit"), &limit)
	fmt.Sscan(r.URL.Query().Get("offset"), &offset)
	for i, n := range names {
		if i >= offset && len(out) < limit {
			out = append(out, map[string]any{"id": tenant + "-" + database + "-" + n, "name": n, "dimension": dimension})
		}
	}
	return out, http.StatusOK
}

func say(body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(body) }
}

func TestEveryChromaIsAskedInItsOwnWords(t *testing.T) {
	many := make([]string, 250)
	for i := range many {
		many[i] = fmt.Sprint("c", i)
	}
	for _, c := range []struct {
		name   string
		server chroma
		want   inventory.Status
		texts  []string
	}{
		{"v1 alone", chroma{v1: true, tenants: oneDatabase("a", "b")}, inventory.OK, []string{"Chroma 0.6.3 at http://127", "2 collections, 10 records, heartbeat"}},
		{"both", chroma{v1: true, v2: true, tenants: oneDatabase("a")}, inventory.OK, []string{"1 collection, 5 records"}},
		{"v2 alone", chroma{v2: true, gone: true, tenants: oneDatabase()}, inventory.OK, []string{"Chroma 1.x", "0 collections, 0 records"}},
		{"pages", chroma{v2: true, gone: true, tenants: oneDatabase(many...)}, inventory.OK, []string{"250 collections, 1,250 records"}},
		{"several databases", chroma{v2: true, tenants: map[string]map[string][]string{"default_tenant": {"default_database": {"a"}, "more": {"b", "c"}}}}, inventory.OK, []string{"3 collections"}},
		{"a collection that cannot be counted", chroma{v2: true, tenants: oneDatabase("a", "b"), broken: "b"}, inventory.Warning, []string{"2 collections, 5 records", "cannot count collection b: answered 500", "Error getting collection"}},
		{"neither", chroma{}, inventory.Warning, []string{"its heartbeat answered 404"}},
		{"v1 gone and no v2", chroma{gone: true}, inventory.Warning, []string{"its heartbeat answered 404"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world()
			w.Chroma = []compose.Endpoint{{URL: c.server.serve(t)}}
			says(t, only(t, w, chromaCheck()), c.want, c.texts...)
		})
	}
}

func TestAServerThatIsNoChromaIsNotTakenForOne(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		text    string
	}{
		{"any page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "is no Chroma server"},
		{"other JSON", say(map[string]int{"beat": 1}), "is no Chroma server"},
		{"broken JSON", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"nanosecond heartbeat":`) }, "is no Chroma server"},
		{"it hangs", hang, "no answer within 100ms"},
		{"it fails", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "answered 500"},
		{"its lists do not end", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "heartbeat") {
				say(map[string]int{"nanosecond heartbeat": 1})(w, r)
				return
			}
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(strings.Repeat("[", 1<<16))); err != nil {
					return
				}
			}
		}, "cannot list the collections of default_tenant/default_database"},
		{"its pages do not end", func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "heartbeat"):
				say(map[string]int{"nanosecond heartbeat": 1})(w, r)
			case strings.HasSuffix(r.URL.Path, "collections"):
				page := make([]map[string]string, chromaPage)
				for i := range page {
					page[i] = map[string]string{"id": r.URL.Query().Get("offset") + fmt.Sprint("-", i)}
				}
				say(page)(w, r)
			default:
				say(1)(w, r)
			}
		}, "more than can be looked at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world()
			w.Chroma = []compose.Endpoint{{URL: serve(t, c.handler)}}
			if strings.Contains(c.name, "hangs") {
				w.Timeout = 100 * time.Millisecond
			}
			says(t, only(t, w, chromaCheck()), inventory.Warning, c.text)
			w.Chroma[0].Guess, w.Chroma[0].From = true, "published port 8000"
			if r := only(t, w, chromaCheck()); !strings.Contains(c.name, "lists") && !strings.Contains(c.name, "pages") {
				says(t, r, inventory.Unchecked)
			}
		})
	}
}

func TestCredentialsAreFoundTriedAndNeverShown(t *testing.T) {
	basic := func(r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		return user == "admin" && password == "geheim:1"
	}
	bearer := func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer geheim" }
	own := func(r *http.Request) bool { return r.Header.Get("X-Chroma-Token") == "geheim" }
	tokens := "chromadb.auth.token_authn.TokenAuthenticationServerProvider"
	for _, c := range []struct {
		name  string
		allow func(*http.Request) bool
		vars  map[string]string
		want  inventory.Status
		text  string
	}{
		{"basic of the client", basic, map[string]string{"CHROMA_CLIENT_AUTH_CREDENTIALS": "admin:geheim:1"}, inventory.OK, "1 collection"},
		{"user and password", basic, map[string]string{"CHROMA_USER": "admin", "CHROMA_PASSWORD": "geheim:1"}, inventory.OK, "1 collection"},
		{"token of the server", bearer, map[string]string{"CHROMA_SERVER_AUTHN_PROVIDER": tokens, "CHROMA_SERVER_AUTHN_CREDENTIALS": "geheim"}, inventory.OK, "1 collection"},
		{"token of version 0.4", own, map[string]string{"CHROMA_SERVER_AUTH_CREDENTIALS": "geheim", "CHROMA_SERVER_AUTH_TOKEN_TRANSPORT_HEADER": "X_CHROMA_TOKEN"}, inventory.OK, "1 collection"},
		{"token whose header nobody names", own, map[string]string{"CHROMA_AUTH_TOKEN": "geheim"}, inventory.OK, "1 collection"},
		{"wrong", bearer, map[string]string{"CHROMA_AUTH_TOKEN": "geheim-falsch"}, inventory.Warning, "refuses the credentials"},
		{"none", bearer, nil, inventory.Unchecked, "wants credentials"},
		{"a hash is no password", basic, map[string]string{"CHROMA_SERVER_AUTHN_CREDENTIALS": "admin:$2y$05$geheim"}, inventory.Unchecked, "wants credentials"},
		{"declared and not asked for", nil, map[string]string{"CHROMA_SERVER_AUTHN_PROVIDER": tokens, "CHROMA_SERVER_AUTHN_CREDENTIALS": "geheim"}, inventory.Warning, "to everyone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world()
			w.Variables = map[string]map[string]string{"chroma": c.vars}
			w.Chroma = []compose.Endpoint{{URL: chroma{v2: true, allow: c.allow, tenants: oneDatabase("a")}.serve(t), Service: "chroma"}}
			r := only(t, w, chromaCheck())
			says(t, r, c.want, c.text)
			text, err := json.Marshal(r)
			assert.NilError(t, err)
			assert.Assert(t, !strings.Contains(string(text), "geheim"), string(text))
		})
	}
	key := credential{secret: "geheim"}
	assert.Assert(t, !strings.Contains(fmt.Sprintf("%v %+v %#v %s", key, key, key, key), "geheim"))
}

// TestAHeartbeatThatWantsCredentials, as behind a proxy, is like a list that does.
func TestAHeartbeatThatWantsCredentials(t *testing.T) {
	w := world()
	w.Chroma = []compose.Endpoint{{URL: serve(t, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUnauthorized) })}}
	says(t, only(t, w, chromaCheck()), inventory.Unchecked, "its heartbeat answered 401")
	w.Variables = map[string]map[string]string{"app": {"CHROMA_AUTH_TOKEN": "geheim"}}
	says(t, only(t, w, chromaCheck()), inventory.Warning, "its heartbeat answered 401")
}

// TestCredentialsGoToTheirOwnServerAlone: to the service that has them, to the server that it names, and to no other one.
func TestCredentialsGoToTheirOwnServerAlone(t *testing.T) {
	token := map[string]string{"CHROMA_AUTH_TOKEN": "geheim"}
	naming := func(vars map[string]string) map[string]string {
		return map[string]string{"CHROMA_AUTH_TOKEN": vars["CHROMA_AUTH_TOKEN"], "CHROMA_URL": "http://somewhere"}
	}
	running := engine.Container{Project: "memory", Service: "chroma", State: engine.Running}
	for _, c := range []struct {
		name     string
		vars     map[string]map[string]string
		endpoint compose.Endpoint
		info     engine.Info
		noEngine bool
		given    bool // the endpoint has an address of its own
		sent     bool
	}{
		{"of the service itself", map[string]map[string]string{"chroma": token}, compose.Endpoint{Service: "chroma"}, engine.Info{Local: true}, false, false, true},
		{"of who names it", map[string]map[string]string{"app": naming(token)}, compose.Endpoint{Service: "chroma", NamedBy: []string{"app"}}, engine.Info{Local: true}, false, false, true},
		{"of who names none", map[string]map[string]string{"app": token}, compose.Endpoint{Service: "chroma"}, engine.Info{Local: true}, false, false, true},
		{"of who names another one", map[string]map[string]string{"app": naming(token)}, compose.Endpoint{Service: "chroma"}, engine.Info{Local: true}, false, false, false},
		{"a guess, its own", map[string]map[string]string{"chroma": token}, compose.Endpoint{Service: "chroma", Guess: true}, engine.Info{Local: true}, false, false, true},
		{"a guess, another's", map[string]map[string]string{"app": token}, compose.Endpoint{Service: "chroma", Guess: true}, engine.Info{Local: true}, false, false, false},
		{"elsewhere, of who names it", map[string]map[string]string{"app": naming(token)}, compose.Endpoint{NamedBy: []string{"app"}}, engine.Info{}, false, true, true},
		{"elsewhere, of somebody else", map[string]map[string]string{"app": token}, compose.Endpoint{NamedBy: []string{"other"}}, engine.Info{}, false, true, false},
		{"chroma.url", map[string]map[string]string{"app": token}, compose.Endpoint{}, engine.Info{}, false, true, true},
		{"whoever has the port while no engine answers", map[string]map[string]string{"chroma": token}, compose.Endpoint{Service: "chroma"}, engine.Info{}, true, false, false},
		{"the host's network of another kernel", map[string]map[string]string{"chroma": token}, compose.Endpoint{Service: "chroma"}, engine.Info{SharesFiles: true}, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen []string
			address := chroma{v2: true, allow: func(r *http.Request) bool {
				seen = append(seen, r.Header.Get("Authorization")+r.Header.Get("X-Chroma-Token"))
				return false
			}}.serve(t)
			u, err := url.Parse(address)
			assert.NilError(t, err)
			w := world()
			w.Variables, w.Info, w.EngineAddress = c.vars, c.info, "unix:///s"
			if !c.noEngine {
				w.Engine = enginetest.New(time.Now)
			}
			one := running
			one.Ports = []engine.Port{{Inside: 8000, HostIP: "127.0.0.1", HostPort: u.Port()}}
			if c.info.SharesFiles {
				one.Ports, one.Network = nil, "host"
			}
			w.Containers = []engine.Container{one}
			e := c.endpoint
			e.Scheme, e.Port, e.Published = "http", 8000, address
			if one.Network == "host" {
				e.Port, err = strconv.Atoi(u.Port())
				assert.NilError(t, err)
			}
			if c.given {
				e.URL = address
			}
			w.Chroma = []compose.Endpoint{e}
			r := only(t, w, chromaCheck())
			assert.Assert(t, len(seen) > 0, "%+v", r)
			assert.Equal(t, strings.Contains(strings.Join(seen, " "), "geheim"), c.sent, "%q", seen)
			if !c.sent {
				says(t, r, inventory.Unchecked)
			}
		})
	}
}

func TestTenantsThatServicesNameAreListedToo(t *testing.T) {
	w := world()
	w.Variables = map[string]map[string]string{"app": {"CHROMA_TENANT": "mine", "CHROMA_DATABASE": "memories"}, "other": {"CHROMA_TENANT": "never-made"}}
	tenants := oneDatabase("a")
	tenants["mine"] = map[string][]string{"memories": {"b", "c"}}
	w.Chroma = []compose.Endpoint{{URL: chroma{v2: true, v1: true, tenants: tenants}.serve(t)}}
	says(t, only(t, w, chromaCheck()), inventory.OK, "3 collections, 15 records")
	w.Chroma = []compose.Endpoint{{URL: chroma{v1: true, tenants: tenants}.serve(t)}}
	says(t, only(t, w, chromaCheck()), inventory.OK, "3 collections, 15 records")
}

// chromaContainer is a world with a Chroma server in a container that has a volume mounted somewhere.
func chromaContainer(t *testing.T, mounted string, names ...string) (*World, *enginetest.Engine, string) {
	t.Helper()
	fake := enginetest.New(time.Now)
	address := strings.TrimPrefix(chroma{v2: true, gone: true, tenants: oneDatabase(names...)}.serve(t), "http://127.0.0.1:")
	id := fake.Add(engine.Container{
		Name: "memory-chroma-1", Project: "memory", Service: "chroma", Number: "1",
		Ports:  []engine.Port{{Inside: 8000, HostIP: "127.0.0.1", HostPort: address}},
		Mounts: []engine.Mount{{Type: "volume", Name: "memory_chroma", Source: t.TempDir(), Destination: mounted}},
	})
	w := world()
	w.Engine, w.Info = fake, engine.Info{Local: true}
	w.Chroma = []compose.Endpoint{{Service: "chroma", Scheme: "http", Port: 8000, From: "image of service chroma"}}
	w.Containers, _ = fake.Containers(t.Context(), engine.Filter{})
	return w, fake, id
}

// TestChromaInItsContainersLayerIsFound: the compose file mounts /chroma/chroma, and Chroma since 1.0 writes to /data.
func TestChromaInItsContainersLayerIsFound(t *testing.T) {
	w, fake, id := chromaContainer(t, "/chroma/chroma", "memories")
	fake.AddToLayer(id, "/data/chroma.sqlite3", 200_000)
	fake.AddToLayer(id, "/data/0f1e/data_level0.bin", 1_000_000)
	explained := "It has volume memory_chroma mounted at /chroma/chroma, where Chroma kept its data before 1.0; since then it is /data. " +
		"Mount a volume or folder at /data in the compose file, then docker memsys rescue chroma:/data"
	says(t, only(t, w, collectionsCheck()), inventory.Damaged, "memory-chroma-1: lists 1 collection with 5 records, but keeps them in /data", explained)
	says(t, only(t, w, layerCheck()), inventory.Damaged, "memory-chroma-1:/data: a Chroma database (2 files, 1.2MB)", explained)
}

// baked is an engine whose containers have one more file, from their image.
type baked struct {
	Engine
	file string
}

func (b baked) Stat(ctx context.Context, id, name string) (engine.PathInfo, error) {
	if name == b.file {
		return engine.PathInfo{Name: chromaFile, Size: 1000, Mode: 0o644}, nil
	}
	return b.Engine.Stat(ctx, id, name)
}

// TestAStoreOfTheImageIsNothingToLose: what nobody has written in this container comes back with its image.
func TestAStoreOfTheImageIsNothingToLose(t *testing.T) {
	w, fake, _ := chromaContainer(t, "/data", "memories")
	assert.NilError(t, os.WriteFile(filepath.Join(w.Containers[0].Mounts[0].Source, chromaFile), []byte("x"), 0o600))
	w.Engine = baked{fake, "/chroma/chroma.sqlite3"}
	says(t, only(t, w, collectionsCheck()), inventory.OK, "keeps its 1 collection in /data")
}

func TestAChromaOfBefore10InTheLayerIsFoundToo(t *testing.T) {
	w, fake, id := chromaContainer(t, "/data", "memories")
	fake.AddToLayer(id, "/chroma/chroma/chroma.sqlite3", 200_000)
	says(t, only(t, w, collectionsCheck()), inventory.Damaged, "this one is older and uses /chroma/chroma")
}

func TestChromaInItsMountIsFine(t *testing.T) {
	w, _, _ := chromaContainer(t, "/data", "memories")
	assert.NilError(t, os.WriteFile(filepath.Join(w.Containers[0].Mounts[0].Source, chromaFile), []byte("x"), 0o600))
	says(t, only(t, w, collectionsCheck()), inventory.OK, "keeps its 1 collection in /data")
	says(t, only(t, w, layerCheck()), inventory.OK)
}

func TestAnEmptyChromaInTheLayerIsAWarning(t *testing.T) {
	w, fake, id := chromaContainer(t, "/chroma/chroma")
	fake.AddToLayer(id, "/data/chroma.sqlite3", 200_000)
	says(t, only(t, w, layerCheck()), inventory.Warning, "still without collections")
	says(t, only(t, w, collectionsCheck()), inventory.OK)
	fake.SetState(id, engine.Exited)
	w.Containers, _ = fake.Containers(t.Context(), engine.Filter{})
	says(t, only(t, w, layerCheck()), inventory.Damaged, "docker compose down deletes it")
}

func TestWhereCollectionsAreKeptMayBeUnknown(t *testing.T) {
	w, _, _ := chromaContainer(t, "/srv", "memories")
	says(t, only(t, w, collectionsCheck()), inventory.Warning, "where it keeps them is not known")
	w.Chroma = []compose.Endpoint{{URL: chroma{v2: true, tenants: oneDatabase("a")}.serve(t)}}
	says(t, only(t, w, collectionsCheck()), inventory.Unchecked, "not known to be a container of this project")
}
