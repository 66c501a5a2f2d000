package validate

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
)

// TestAnswersTellWhoMustAnswerFromWhoMay: a setting and a published port promise an answer; a guess and a container's own address do not.
func TestAnswersTellWhoMustAnswerFromWhoMay(t *testing.T) {
	says := func(status int, body string) string {
		return serve(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		})
	}
	closed := httptest.NewServer(http.HandlerFunc(hang))
	closed.Close()
	setting := func(address string) compose.Endpoint {
		return compose.Endpoint{URL: address, From: "health.url of compose.yaml:3"}
	}
	inside := func(guess bool) compose.Endpoint {
		return compose.Endpoint{Service: "web", Port: 3000, Scheme: "http", Path: "/health", Guess: guess, From: "healthcheck of service web"}
	}
	for name, c := range map[string]struct {
		health      compose.Endpoint
		port        string // at which port 3000 of the service is published
		text        string
		doubt, none bool
	}{
		"a setting that answers":              {health: setting(says(200, "OK"))},
		"a setting that nobody answers at":    {health: setting(closed.URL), text: "does not answer: connect: connection refused"},
		"a setting with another address":      {health: setting(says(404, "")), text: "this is not its health address"},
		"a setting that wants credentials":    {health: setting(says(401, "")), text: "wants credentials", doubt: true},
		"a service that says that it is ill":  {health: setting(says(200, `{"status": "down"}`)), text: "says that it is down"},
		"a published port that answers":       {health: inside(false), port: says(200, "OK")},
		"a published port that does not":      {health: inside(false), port: closed.URL, text: "does not answer"},
		"a published port of another manner":  {health: inside(false), port: says(404, ""), text: "answered 404", doubt: true},
		"a guess":                             {health: inside(true), port: closed.URL, text: "does not answer", doubt: true},
		"a port that is not published at all": {health: inside(false), text: "not published", doubt: true, none: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := world()
			w.Engine, w.Info, w.Health = enginetest.New(w.Now), engine.Info{Local: true}, []compose.Endpoint{c.health}
			box := engine.Container{ID: "1", Name: "memory-web-1", Project: "memory", Service: "web", State: engine.Running}
			if c.port != "" {
				u, err := url.Parse(c.port)
				assert.NilError(t, err)
				host, port, err := net.SplitHostPort(u.Host)
				assert.NilError(t, err)
				box.Ports = []engine.Port{{Inside: 3000, HostIP: host, HostPort: port}}
			}
			w.Containers = []engine.Container{box}
			all := w.Answers(t.Context())
			assert.Equal(t, len(all), 1)
			assert.Equal(t, all[0].Doubt, c.doubt || c.none, "%+v", all[0])
			assert.Equal(t, all[0].Address == "", c.none, "%+v", all[0])
			if c.text == "" {
				assert.Equal(t, all[0].Text, "")
			}
			assert.Assert(t, strings.Contains(all[0].Text, c.text), "%+v", all[0])
		})
	}
}

// TestAnswersHaveTheHeartbeatOfChroma: asked once, and its collections left alone.
func TestAnswersHaveTheHeartbeatOfChroma(t *testing.T) {
	asked := map[string]int{}
	address := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		_, _ = rw.Write([]byte(`{"nanosecond heartbeat": ` + strconv.Itoa(12) + `}`))
	})
	closed := httptest.NewServer(http.HandlerFunc(hang))
	closed.Close()
	w := world()
	w.Chroma = []compose.Endpoint{{URL: address, From: "chroma.url of compose.yaml:3"}, {URL: closed.URL, From: "CHROMA_URL of service web", NamedBy: []string{"web"}}}
	all := w.Answers(t.Context())
	assert.Equal(t, len(all), 2)
	assert.Equal(t, all[0].Text, "")
	assert.Assert(t, strings.Contains(all[1].Text, "does not answer"))
	assert.Assert(t, all[1].Doubt, "only its own project may reach it")
	assert.Equal(t, len(asked), 1, "%v", asked)
}
