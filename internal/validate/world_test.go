package validate

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// world is one without anything in it.
func world() *World {
	return &World{Project: "memory", HTTP: NewHTTPClient(), Now: time.Now, Timeout: 10 * time.Second}
}

// only makes one check.
func only(t *testing.T, w *World, c inventory.Check) inventory.Result {
	t.Helper()
	w.Wants = func(id string) bool { return id == c.ID }
	results, err := w.Check(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, len(results), 1)
	return results[0]
}

// says asserts a status, and texts in what a result tells.
func says(t *testing.T, r inventory.Result, status inventory.Status, texts ...string) {
	t.Helper()
	all := r.Why
	for _, f := range r.Findings {
		all += "\n" + string(f.Status) + " " + f.Object + ": " + f.Text
	}
	assert.Equal(t, r.Status, status, all)
	for _, text := range texts {
		assert.Assert(t, strings.Contains(all, text), "%q is not in: %s", text, all)
	}
}

// serve answers all requests with h.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// hang answers nothing until the request is given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestHealthIsJudgedByWhatTheServiceSays(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   inventory.Status
		text   string
	}{
		{"healthy", 200, `{"status":"healthy","memories":12}`, inventory.OK, `answered 200 in`},
		{"a body without a word", 200, `{"memories":12}`, inventory.OK, "15 bytes"},
		{"plain text", 200, "OK\n", inventory.OK, ": OK"},
		{"nothing", 204, "", inventory.OK, "answered 204"},
		{"a page", 200, "<html>hello</html>", inventory.OK, "hello"},
		{"degraded", 200, `{"status":"Degraded"}`, inventory.Warning, "says that it is degraded"},
		{"unhealthy with 200", 200, `{"status":"unhealthy","vectors":"index missing"}`, inventory.Damaged, "index missing"},
		{"unhealthy with 503", 503, `{"status":"error"}`, inventory.Damaged, "says that it is error"},
		{"not ok", 200, `{"ok":false}`, inventory.Damaged, "unhealthy"},
		{"one word", 500, "unhealthy", inventory.Damaged, "unhealthy"},
		{"a proxy without the service behind it", 502, "Bad Gateway", inventory.Warning, "answered 502: Bad Gateway"},
		{"wrong address", 404, "Cannot GET /helth", inventory.Warning, "this is not its health address, health.url of compose.yaml:3"},
		{"credentials", 401, "", inventory.Unchecked, "wants credentials"},
		{"broken JSON", 200, `{"status":"hea`, inventory.Warning, "begins as JSON and is none"},
		{"what a terminal would obey", 200, "\x1b[2Jdown the road\x00", inventory.OK, ": [2Jdown the road"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world()
			w.Health = []compose.Endpoint{{From: "health.url of compose.yaml:3", URL: serve(t, func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(c.status)
				_, _ = rw.Write([]byte(c.body))
			})}}
			says(t, only(t, w, healthCheck()), c.want, c.text)
		})
	}
}

func TestHealthOfWhoDoesNotAnswerIsNoDamage(t *testing.T) {
	closed := httptest.NewServer(http.HandlerFunc(hang))
	closed.Close()
	for _, c := range []struct {
		name, url string
		want      inventory.Status
		text      string
	}{
		{"nobody listens", closed.URL, inventory.Warning, "connection refused"},
		{"it hangs", serve(t, hang), inventory.Warning, "no answer within 100ms"},
		{"it ends in the middle", serve(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "1000")
			_, _ = rw.Write([]byte("{"))
		}), inventory.Warning, "unexpected EOF"},
		{"its body does not end", serve(t, func(rw http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := rw.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}), inventory.Warning, "with more than 1048576 bytes"},
		{"it sends us elsewhere", serve(t, func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://192.0.2.1/", http.StatusFound)
		}), inventory.Warning, "redirects to another server, 192.0.2.1"},
		{"it sends us round", serve(t, func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "/again", http.StatusFound)
		}), inventory.Warning, "redirects more than 3 times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world()
			w.Health = []compose.Endpoint{{URL: c.url}}
			if strings.Contains(c.name, "hangs") {
				w.Timeout = 100 * time.Millisecond
			}
			says(t, only(t, w, healthCheck()), c.want, c.text)
		})
	}
}

// TestNoRedirectTakesASecretOutOfTLS: the same name and port without TLS is another server to who listens on the way.
func TestNoRedirectTakesASecretOutOfTLS(t *testing.T) {
	from := func(address string) *http.Request {
		u, err := url.Parse(address)
		assert.NilError(t, err)
		return &http.Request{URL: u}
	}
	via := []*http.Request{from("https://memory.example.org/a")}
	assert.ErrorContains(t, redirects(from("http://memory.example.org/b"), via), "redirects from https to http")
	assert.NilError(t, redirects(from("https://memory.example.org/b"), via))
	assert.ErrorContains(t, redirects(from("https://memory.example.org:444/b"), via), "redirects to another server")
}

func TestAPasswordInAnAddressIsNotShown(t *testing.T) {
	w := world()
	closed := httptest.NewServer(http.HandlerFunc(hang))
	closed.Close()
	w.Health = []compose.Endpoint{{URL: strings.Replace(closed.URL, "http://", "http://me:geheim@", 1)}}
	r := only(t, w, healthCheck())
	says(t, r, inventory.Warning, "me:xxxxx@")
	text, err := json.Marshal(r)
	assert.NilError(t, err)
	assert.Assert(t, !strings.Contains(string(text), "geheim"), string(text))
	for address, want := range map[string]string{
		"http://geheim@box/h":           "http://xxxxx@box/h",
		"http://box/h?token=geheim":     "http://box/h?…",
		"http://me:geheim@box/h#geheim": "http://me:xxxxx@box/h",
		"http://[::1]:3000/h":           "http://[::1]:3000/h",
		"http://box/" + "\x00geheim":    "(no address)",
	} {
		assert.Equal(t, compose.Redacted(address), want)
	}
}

func TestLatencyIsTheMedianOfThreeRequests(t *testing.T) {
	var mu sync.Mutex
	now, taken := time.Now(), []time.Duration{90 * time.Millisecond, 5 * time.Millisecond, 12 * time.Millisecond}
	w := world()
	w.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	w.Health = []compose.Endpoint{{URL: serve(t, func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		now, taken = now.Add(taken[0]), taken[1:]
	})}}
	says(t, only(t, w, healthCheck()), inventory.OK, "in 12 ms")
	assert.Equal(t, len(taken), 0)
}

// TestWhereAServiceAnswers: published, in the engine's network, on another machine, or nowhere.
func TestWhereAServiceAnswers(t *testing.T) {
	e := compose.Endpoint{Service: "web", Scheme: "http", Port: 3000, Path: "/health", Published: "http://localhost:3001/health"}
	published := func(ip string) engine.Container {
		return engine.Container{Service: "web", Ports: []engine.Port{{Inside: 3000, HostIP: ip, HostPort: "3001"}}, Addresses: []string{"172.18.0.2"}}
	}
	local, shared := engine.Info{Local: true}, engine.Info{SharesFiles: true}
	for _, c := range []struct {
		name      string
		container engine.Container
		info      engine.Info
		address   string
		url, why  string
	}{
		{"published to all", published("0.0.0.0"), local, "unix:///s", "http://127.0.0.1:3001/health", ""},
		{"published to all of IPv6", published("::"), local, "unix:///s", "http://[::1]:3001/health", ""},
		{"published to one address", published("127.0.0.1"), local, "unix:///s", "http://127.0.0.1:3001/health", ""},
		{"published to one IPv6 address", published("::1"), local, "unix:///s", "http://[::1]:3001/health", ""},
		{"Docker Desktop", published("0.0.0.0"), shared, "unix:///s", "http://127.0.0.1:3001/health", ""},
		{"ssh", published(""), engine.Info{}, "ssh://me@box:2222", "http://box:3001/health", ""},
		{"tcp with IPv6", published("::"), engine.Info{}, "tcp://[2001:db8::1]:2376", "http://[2001:db8::1]:3001/health", ""},
		{"ssh, published for its host alone", published("127.0.0.1"), engine.Info{}, "ssh://me@box", "", "the engine is not of this machine"},
		{"a tunnel to an engine somewhere", published(""), engine.Info{}, "tcp://127.0.0.1:2375", "", "the engine is not of this machine"},
		{"not published", engine.Container{Service: "web", Addresses: []string{"172.18.0.2"}}, local, "unix:///s", "http://172.18.0.2:3000/health", ""},
		{"not published, far away", engine.Container{Service: "web", Addresses: []string{"172.18.0.2"}}, engine.Info{}, "ssh://box", "", "is not published"},
		{"the host's network", engine.Container{Service: "web", Network: "host"}, local, "unix:///s", "http://localhost:3000/health", ""},
		{"another container's network", engine.Container{Service: "web", Network: "container:vpn"}, local, "unix:///s", "http://localhost:3999/health", ""},
		{"paused", engine.Container{Service: "web", State: engine.Paused}, local, "unix:///s", "", "is paused"},
		{"none", engine.Container{Service: "other"}, local, "unix:///s", "", "service web has no container"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := enginetest.New(time.Now)
			c.container.Project = "memory"
			fake.Add(c.container)
			fake.Add(engine.Container{Name: "vpn", Ports: []engine.Port{{Inside: 3000, HostPort: "3999"}}})
			w := world()
			w.Engine, w.Info, w.EngineAddress = fake, c.info, c.address
			w.Containers, _ = fake.Containers(t.Context(), engine.Filter{})
			got := w.locate(e)
			assert.Equal(t, got.URL, c.url)
			assert.Assert(t, strings.Contains(got.why, c.why), got.why)
		})
	}
	w := world()
	w.EngineAddress = "unix:///s"
	assert.Equal(t, w.locate(e).URL, "http://localhost:3001/health", "without an engine, what the compose file says")
	w.EngineAddress = "ssh://box"
	assert.Equal(t, w.locate(e).URL, "")
}

// TestACertificateOfItsOwnIsNoTrouble: an address that was concluded is none of a certificate's. One that a person has set is.
func TestACertificateOfItsOwnIsNoTrouble(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	assert.NilError(t, err)
	w := world()
	w.Engine, w.Info = enginetest.New(time.Now), engine.Info{Local: true}
	w.Containers = []engine.Container{{Project: "memory", Service: "web", State: engine.Running, Ports: []engine.Port{{Inside: 443, HostIP: "0.0.0.0", HostPort: u.Port()}}}}
	w.Health = []compose.Endpoint{{Service: "web", Scheme: "https", Port: 443, Path: "/health"}}
	says(t, only(t, w, healthCheck()), inventory.OK, "answered 200")
	w.Health = []compose.Endpoint{{URL: srv.URL}}
	says(t, only(t, w, healthCheck()), inventory.Warning, "failed to verify certificate")
	w.Health, w.Chroma = nil, []compose.Endpoint{{Service: "web", Scheme: "https", Port: 443}}
	says(t, only(t, w, chromaCheck()), inventory.Warning, "failed to verify certificate")
}

// TestNoCheckTakesForEver: what an engine that hangs does not tell is not checked.
func TestNoCheckTakesForEver(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{Project: "memory", Service: "web"})
	fake.AddToLayer(id, "/data/a.json", 10)
	synctest.Test(t, func(t *testing.T) {
		w := world()
		w.Engine = fake
		w.Containers, _ = fake.Containers(t.Context(), engine.Filter{})
		fake.Before(func(c enginetest.Call) error {
			if c.Name == "Stat" {
				time.Sleep(worldTime + time.Second)
				return context.DeadlineExceeded
			}
			return nil
		})
		says(t, only(t, w, layerCheck()), inventory.Unchecked, "it took longer than 2m0s: not everything was looked at")
	})
}

func TestAServiceThatDoesNotRunIsNotChecked(t *testing.T) {
	w := world()
	w.Engine = enginetest.New(time.Now)
	w.Health = []compose.Endpoint{{Service: "web", Port: 3000, Scheme: "http", From: "healthcheck of service web"}}
	says(t, only(t, w, healthCheck()), inventory.Unchecked, "healthcheck of service web: service web has no container")
	w.Health = nil
	says(t, only(t, w, healthCheck()), inventory.Unchecked, "set health.url")
	w.Containers = []engine.Container{{Name: "web-1", Project: "memory", Service: "web", State: engine.Paused, Health: "unhealthy"}}
	says(t, only(t, w, healthCheck()), inventory.Unchecked)
	w.Containers = []engine.Container{{Name: "web-1", Project: "memory", Service: "web", State: engine.Running, Health: "unhealthy"}}
	says(t, only(t, w, healthCheck()), inventory.Warning, "web-1: its healthcheck fails")
}

func TestNoProxyStandsBeforeWhatIsNear(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "::1": true, "172.18.0.2": true, "fd00::2": true, "fe80::1": true, "box": true,
		"memory.localhost": true, "memory.example.org": false, "203.0.113.1": false, "2001:db8::1": false,
	} {
		assert.Equal(t, nearby(host), want, host)
	}
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	transport, ok := NewHTTPClient().Transport.(*http.Transport)
	assert.Assert(t, ok)
	proxy, err := transport.Proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: "172.18.0.2:3000"}})
	assert.NilError(t, err)
	assert.Assert(t, proxy == nil)
}

// TestLocalhostIsFoundWhereverItListens: on 127.0.0.1 or on ::1 alone.
func TestLocalhostIsFoundWhereverItListens(t *testing.T) {
	for _, network := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", network)
		if err != nil && strings.Contains(network, "::1") {
			continue // a machine without IPv6
		}
		assert.NilError(t, err)
		srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
		srv.Start()
		t.Cleanup(srv.Close)
		_, port, err := net.SplitHostPort(l.Addr().String())
		assert.NilError(t, err)
		host := "localhost"
		if addresses, _ := net.LookupHost("localhost"); strings.Contains(network, "::1") && !strings.Contains(strings.Join(addresses, " "), "::1") {
			host = "[::1]"
		}
		w := world()
		w.Health = []compose.Endpoint{{URL: "http://" + host + ":" + port}}
		says(t, only(t, w, healthCheck()), inventory.OK)
	}
}
