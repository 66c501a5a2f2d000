package engine_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
)

// streaming is a server whose streams of events go on until it is closed.
func streaming(t *testing.T, network, address string) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		if filepath.Base(r.URL.Path) == "events" {
			<-r.Context().Done()
		}
	}))
	l, err := net.Listen(network, address)
	assert.NilError(t, err)
	assert.NilError(t, s.Listener.Close())
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func dial(t *testing.T, host string) *engine.Client {
	t.Helper()
	c, err := engine.Dial(engine.Endpoint{Host: host})
	assert.NilError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestTheEndOfAnEngineIsSeen(t *testing.T) {
	dir, err := os.MkdirTemp("", "engine") // t.TempDir is too long for a socket
	assert.NilError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := streaming(t, "unix", filepath.Join(dir, "s"))
	c := dial(t, "unix://"+filepath.Join(dir, "s"))
	over, unwatch := context.WithCancel(t.Context())
	unwatched, lost := c.Lost(over), c.Lost(t.Context())
	unwatch()
	select {
	case <-lost:
		t.Fatal("it is still there")
	default:
	}
	s.CloseClientConnections()
	<-lost
	select {
	case <-unwatched:
		t.Fatal("nobody watches any more")
	default:
	}
}

// TestABrokenWayIsNotTheEndOfAnEngine: over a network it says nothing of the engine.
func TestABrokenWayIsNotTheEndOfAnEngine(t *testing.T) {
	s := streaming(t, "tcp", "127.0.0.1:0")
	assert.Assert(t, dial(t, "tcp://"+s.Listener.Addr().String()).Lost(t.Context()) == nil)
}
