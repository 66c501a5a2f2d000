package validate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// sees lets a world have looked at one source with a Chroma folder, whose collections are NAME:RECORDS:DIMENSION.
func sees(w *World, source, dir string, collections ...string) {
	inv := inventory.Inventory{Collections: []inventory.Collection{{Kind: inventory.KindSQLite, Name: "other.db#collections", Records: 7}}}
	for _, text := range collections {
		one := inventory.Collection{Kind: inventory.KindChroma}
		fields := strings.Split(text, ":")
		one.Name = dir + "#" + fields[0]
		fmt.Sscan(fields[1], &one.Records)
		fmt.Sscan(fields[2], &one.Dimension)
		inv.Collections = append(inv.Collections, one)
	}
	w.Inventories = map[string]inventory.Inventory{source: inv}
	w.Results = []inventory.Result{{Check: inventory.ChromaCheck(), Source: source, Checked: 1, Status: inventory.OK}}
}

// TestWhatAServerListsIsComparedWithItsFolder: only what it says before and after the folder was looked at is a finding.
func TestWhatAServerListsIsComparedWithItsFolder(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after chroma
		kept          []string
		want          inventory.Status
		texts         []string
	}{
		{
			"the same",
			chroma{tenants: oneDatabase("a", "b")},
			chroma{tenants: oneDatabase("a", "b")},
			[]string{"a:5:8", "b:4:0"},
			inventory.OK,
			[]string{"keeps its 2 collections in /data", "records that it counts, and that its folder has: a 5 (5), b 5 (4)"},
		},
		{
			"of other databases",
			chroma{},
			chroma{tenants: map[string]map[string][]string{"default_tenant": {"default_database": {"a"}, "more": {"b"}}}},
			[]string{"a:5:8", "default_tenant/more/b:5:0", "elsewhere/main/c:5:8"},
			inventory.OK,
			[]string{"default_tenant/more/b 5 (5)"},
		},
		{
			"not in the folder",
			chroma{tenants: oneDatabase("a", "b")},
			chroma{tenants: oneDatabase("a", "b")},
			[]string{"a:5:8"},
			inventory.Damaged,
			[]string{"damaged memory-chroma-1: lists collection b with 5 records, but it is not in /data", "copy it out"},
		},
		{"made meanwhile", chroma{tenants: oneDatabase("a")}, chroma{tenants: oneDatabase("a", "b")}, []string{"a:5:8"}, inventory.OK, nil},
		{"nothing in the folder", chroma{tenants: oneDatabase("a")}, chroma{tenants: oneDatabase("a")}, []string{}, inventory.Damaged, []string{"collection a"}},
		{
			"not listed",
			chroma{tenants: oneDatabase("a")},
			chroma{tenants: oneDatabase("a")},
			[]string{"a:5:8", "b:5:8", "c:5:8"},
			inventory.Warning,
			[]string{"does not list 2 collections that /data has: b, c."},
		},
		{"nothing listed", chroma{tenants: oneDatabase()}, chroma{tenants: oneDatabase()}, []string{"a:5:8"}, inventory.Warning, []string{"does not list 1 collection that /data has: a."}},
		{"deleted meanwhile", chroma{tenants: oneDatabase("a", "b")}, chroma{tenants: oneDatabase("a")}, []string{"a:5:8", "b:5:8"}, inventory.OK, nil},
		{
			"another dimension",
			chroma{tenants: oneDatabase("a"), dimension: 4},
			chroma{tenants: oneDatabase("a"), dimension: 4},
			[]string{"a:5:8"},
			inventory.Warning,
			[]string{"dimension 4, but in /data they have 8"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := &c.before
			w, _, _ := chromaContainer(t, "/data")
			w.Containers[0].Ports[0].HostPort = serveEither(t, &server)
			assert.NilError(t, os.WriteFile(filepath.Join(w.Containers[0].Mounts[0].Source, chromaFile), []byte("x"), 0o600))
			w.Sources = []compose.Source{{Name: "chroma", Mounts: []compose.Mount{{Service: "chroma", Target: "/data"}, {Service: "other", Target: "/x"}}}}
			w.Wants = func(id string) bool { return id == collectionsCheck().ID }
			w.Ask(t.Context())
			server = &c.after
			sees(w, "chroma", ".", c.kept...)
			says(t, only(t, w, collectionsCheck()), c.want, c.texts...)
		})
	}
}

// TestNothingIsComparedWithWhatWasNotRead: a store that was left out, or is damaged, has its own finding.
func TestNothingIsComparedWithWhatWasNotRead(t *testing.T) {
	w, _, _ := chromaContainer(t, "/data", "a")
	assert.NilError(t, os.WriteFile(filepath.Join(w.Containers[0].Mounts[0].Source, chromaFile), []byte("x"), 0o600))
	w.Sources = []compose.Source{{Name: "chroma", Mounts: []compose.Mount{{Service: "chroma", Target: "/data"}}}}
	w.Ask(t.Context())
	sees(w, "chroma", ".", "b:5:8")
	says(t, only(t, w, collectionsCheck()), inventory.Damaged)
	for name, results := range map[string][]inventory.Result{
		"left out": nil,
		"no store": {{Check: inventory.ChromaCheck(), Source: "chroma"}},
		"another":  {{Check: inventory.ChromaCheck(), Source: "other", Checked: 1}},
		"damaged": {{Check: inventory.ChromaCheck(), Source: "chroma", Checked: 1, Findings: []inventory.Finding{
			{Status: inventory.Damaged, Path: chromaFile, Object: "a", Text: "database disk image is malformed"},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			w.Results = results
			says(t, only(t, w, collectionsCheck()), inventory.OK)
		})
	}
	sees(w, "chroma", "copy", "b:5:8")
	says(t, only(t, w, collectionsCheck()), inventory.OK, "keeps its 1 collection in one of /data, /data/copy")
}

// TestAFolderBelowAMountIsFoundByWhatIsInIt: where the server's own folder is not one of the usual.
func TestAFolderBelowAMountIsFoundByWhatIsInIt(t *testing.T) {
	w, _, _ := chromaContainer(t, "/srv", "a")
	w.Sources = []compose.Source{{Name: "home", Mounts: []compose.Mount{{Service: "chroma", Target: "/srv", Subpath: "stores"}}}}
	sees(w, "home", "stores/chroma", "a:5:8")
	w.Ask(t.Context())
	says(t, only(t, w, collectionsCheck()), inventory.OK, "keeps its 1 collection in /srv/chroma", "a 5 (5)")
	sees(w, "home", "elsewhere/chroma", "a:5:8")
	says(t, only(t, w, collectionsCheck()), inventory.Warning, "where it keeps them is not known")
}

// TestAServerIsAskedBeforehandOnlyForAComparison: and where it cannot be asked then, nothing is compared.
func TestAServerIsAskedBeforehandOnlyForAComparison(t *testing.T) {
	w, _, _ := chromaContainer(t, "/data", "a")
	w.Wants = func(string) bool { return false }
	w.Ask(t.Context())
	assert.Equal(t, len(w.before), 0)
	w.Wants = nil
	w.Containers[0].State = engine.Exited
	w.Ask(t.Context())
	assert.Assert(t, w.before[0].failed != "")
	w.Containers[0].State = engine.Running
	assert.NilError(t, os.WriteFile(filepath.Join(w.Containers[0].Mounts[0].Source, chromaFile), []byte("x"), 0o600))
	w.Sources = []compose.Source{{Name: "chroma", Mounts: []compose.Mount{{Service: "chroma", Target: "/data"}}}}
	sees(w, "chroma", ".")
	says(t, only(t, w, collectionsCheck()), inventory.OK)
}

// TestAServerOfASettingIsKnownByItsPort: where chroma.url of x-memsys means a container of the project.
func TestAServerOfASettingIsKnownByItsPort(t *testing.T) {
	w, _, _ := chromaContainer(t, "/data", "a")
	assert.NilError(t, os.WriteFile(filepath.Join(w.Containers[0].Mounts[0].Source, chromaFile), []byte("x"), 0o600))
	port := w.Containers[0].Ports[0].HostPort
	for url, known := range map[string]bool{
		"http://localhost:" + port: true, "http://127.0.0.1:" + port + "/": true, "http://[::1]:" + port: true, "http://localhost": false,
		"http://chroma.example.org:" + port: false, "http://192.0.2.1:" + port: false, "http://localhost:1": false, "%": false,
	} {
		c := w.publisher(url)
		assert.Equal(t, c != nil && c.Service == "chroma", known, url)
	}
	w.Chroma = []compose.Endpoint{{URL: "http://127.0.0.1:" + port, From: "chroma.url of compose.yaml:3"}}
	w.Sources = []compose.Source{{Name: "chroma", Mounts: []compose.Mount{{Service: "chroma", Target: "/data"}}}}
	sees(w, "chroma", ".", "a:5:8", "b:5:8")
	w.Ask(t.Context())
	says(t, only(t, w, collectionsCheck()), inventory.Warning, "does not list 1 collection that /data has: b")
	w.Info, w.EngineAddress = engine.Info{}, "ssh://me@box"
	assert.Assert(t, w.publisher("http://localhost:"+port) == nil, "that is another machine")
	assert.Assert(t, w.publisher("http://box:"+port) == nil, "it is published there for that machine alone")
	w.Containers[0].Ports[0].HostIP = "0.0.0.0"
	assert.Assert(t, w.publisher("http://box:"+port) != nil)
}
