//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// compared is what validate says of the servers, the data being looked at too.
func (p *chromaProject) compared(code int) worldReport {
	p.t.Helper()
	result := p.Memsys("validate", "--checks", "connections,databases,vectors", "--format", "json")
	assert.Equal(p.t, result.ExitCode, code, result.Combined())
	var report struct{ Results []worldResult }
	assert.NilError(p.t, json.Unmarshal([]byte(result.Stdout()), &report), result.Combined())
	out := worldReport{}
	for _, r := range report.Results {
		out[r.Check.ID] = r
	}
	return out
}

// TestWhatARealChromaListsIsComparedWithItsFolder: while it is quiet, while it is written to, and when the files below it were exchanged.
func TestWhatARealChromaListsIsComparedWithItsFolder(t *testing.T) {
	if !haveChroma(t) {
		return
	}
	const check = "connections.chroma-collections"
	p := newChroma(t, "")
	p.start()
	memories, sessions := p.create("memories", 16, 50, "cosine"), p.create("sessions", 8, 0, "l2")
	memories.send("add", 0, 120)
	sessions.send("add", 0, 30)
	p.compared(0).is(t, check, "ok", "keeps its 2 collections in /data", "memories 120 (120)", "sessions 30 (30)")
	p.stop()
	kept := p.keep()

	p.start()
	p.Up("writer")
	rounds, _ := Campaign(t, 30, 3)
	for range rounds {
		made := p.create("made", 4, 0, "l2")
		p.compared(0).is(t, check, "ok", "keeps its 3 collections in /data")
		assert.NilError(t, p.request(http.MethodDelete, chromaPath+"/"+made.name, nil, nil))
	}
	p.Compose("--profile", "busy", "stop", "writer").Assert(t, icmd.Success)

	p.create("later", 4, 0, "l2").send("add", 0, 7)
	assert.NilError(t, p.request(http.MethodDelete, chromaPath+"/sessions", nil, nil))
	p.lay(kept) // as a restore by hand would, under the server that runs
	report := p.compared(4)
	report.is(t, check, "damaged", "lists collection later with 7 records, but it is not in /data", "does not list 1 collection that /data has: sessions")
	report.is(t, "connections.chroma", "ok", "2 collections")
	p.stop()
	p.start()
	p.compared(0).is(t, check, "ok", "memories 120 (120)", "sessions 30 (30)")
}

// TestARealChromaBehindCredentialsIsAsked: Chroma since 1.0 asks nobody who he is; a proxy before it does, as its older versions did.
func TestARealChromaBehindCredentialsIsAsked(t *testing.T) {
	if !haveChroma(t) {
		return
	}
	basic := func(r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		return user == "admin" && password == "geheim"
	}
	bearer := func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer geheim" }
	own := func(r *http.Request) bool { return r.Header.Get("X-Chroma-Token") == "geheim" }
	// Variables of another service, which asks the server.
	p := newChroma(t, `
  app: {image: "`+Busybox+`", command: [tail, -f, /dev/null], environment: [CHROMA_USER, CHROMA_PASSWORD, CHROMA_AUTH_TOKEN, CHROMA_CLIENT_AUTH_CREDENTIALS]}
`)
	p.start()
	p.create("memories", 16, 50, "cosine").send("add", 0, 120)
	for i, c := range []struct {
		name   string
		allow  func(*http.Request) bool
		vars   []string
		status string
		text   string
	}{
		{"basic", basic, []string{"CHROMA_CLIENT_AUTH_CREDENTIALS=admin:geheim"}, "ok", "1 collection, 120 records"},
		{"user and password", basic, []string{"CHROMA_USER=admin", "CHROMA_PASSWORD=geheim"}, "ok", "1 collection, 120 records"},
		{"bearer token", bearer, []string{"CHROMA_AUTH_TOKEN=geheim"}, "ok", "1 collection, 120 records"},
		{"Chroma's own token", own, []string{"CHROMA_AUTH_TOKEN=geheim"}, "ok", "1 collection, 120 records"},
		{"a wrong token", bearer, []string{"CHROMA_AUTH_TOKEN=geheim-falsch"}, "warning", "refuses the credentials"},
		{"none", bearer, nil, "not checked", "wants credentials"},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := *p.Project
			one.env = append(append([]string{}, one.env...), c.vars...)
			file := fmt.Sprintf("compose.%d.yaml", i)
			one.Write(file, "x-memsys: {chroma: {url: '"+guarded(t, p.base, c.allow)+"'}}\n")
			one.Setenv("COMPOSE_FILE", "compose.yaml:"+file)
			code := 0
			if c.status == "not checked" {
				code = 3
			}
			result := one.Memsys("validate", "--checks", "connections.chroma", "--format", "json")
			assert.Equal(t, result.ExitCode, code, result.Combined())
			assert.Assert(t, !strings.Contains(result.Combined(), "geheim"))
			var report struct{ Results []worldResult }
			assert.NilError(t, json.Unmarshal([]byte(result.Stdout()), &report), result.Combined())
			worldReport{"connections.chroma": report.Results[0]}.is(t, "connections.chroma", c.status, c.text)
		})
	}
}

// guarded is the address of a proxy before a server that lets only some through; heartbeats it lets through for all, as Chroma did.
func guarded(t *testing.T, base string, allow func(*http.Request) bool) string {
	t.Helper()
	target, err := url.Parse(base)
	assert.NilError(t, err)
	target.Path = ""
	proxy := httputil.NewSingleHostReverseProxy(target)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allow(r) && !strings.HasSuffix(r.URL.Path, "/heartbeat") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestAChromaOfASettingIsComparedToo: chroma.url of the settings means the port that the service publishes.
func TestAChromaOfASettingIsComparedToo(t *testing.T) {
	if !haveChroma(t) {
		return
	}
	p := newChroma(t, "")
	p.start()
	p.create("memories", 16, 50, "cosine").send("add", 0, 20)
	p.Setenv("MEMSYS_CHROMA_URL", strings.TrimSuffix(p.base, "/api/v2"))
	p.compared(0).is(t, "connections.chroma-collections", "ok", "keeps its 1 collection in /data", "memories 20 (20)")
	assert.NilError(t, os.Remove(p.Path("data", "chroma.sqlite3")))
	report := p.compared(4)
	report.is(t, "databases.chroma", "damaged", "is missing")
}
