package engine_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/engine/enginetest"
)

func create(fake *enginetest.Engine) func(*testing.T, engine.Container) string {
	return func(t *testing.T, c engine.Container) string {
		c.State = engine.Created
		id := fake.Add(c)
		t.Cleanup(func() { fake.Remove(id) })
		return id
	}
}

func TestTheFakeConforms(t *testing.T) {
	fake := enginetest.New(time.Now)
	fake.SetDisk(t.TempDir())
	enginetest.Conformance(t, enginetest.Bench{Subject: fake, Create: create(fake), Fill: fill(fake), Prefix: "memsystest"})
}

func TestTheClientConformsOverTheProtocol(t *testing.T) {
	fake := enginetest.New(time.Now)
	fake.SetDisk(t.TempDir())
	c, err := engine.Dial(engine.Endpoint{Host: enginetest.Serve(t, fake)})
	assert.NilError(t, err)
	defer c.Close()
	enginetest.Conformance(t, enginetest.Bench{Subject: c, Create: create(fake), Fill: fill(fake), Prefix: "memsystest"})
}

func TestAnEngineThatDoesNotAnswerIsNamed(t *testing.T) {
	host := "unix://" + filepath.Join(t.TempDir(), "none.sock")
	c, err := engine.Dial(engine.Endpoint{Host: host})
	assert.NilError(t, err)
	_, err = c.Info(t.Context())
	assert.ErrorIs(t, err, engine.ErrUnreachable)
	assert.ErrorContains(t, err, host)
	var unreachable *engine.UnreachableError
	assert.Assert(t, errors.As(err, &unreachable))
	assert.Equal(t, unreachable.Endpoint, host)
}

func TestACancelledRequestIsNotAnUnreachableEngine(t *testing.T) {
	fake := enginetest.New(time.Now)
	c, err := engine.Dial(engine.Endpoint{Host: enginetest.Serve(t, fake)})
	assert.NilError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Info(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Assert(t, !errors.Is(err, engine.ErrUnreachable))
}

func TestAContainerThatDisappearsDuringAListIsLeftOut(t *testing.T) {
	fake := enginetest.New(time.Now)
	gone := fake.Add(engine.Container{Name: "a", Project: "p"})
	stays := fake.Add(engine.Container{Name: "b", Project: "p"})
	fake.Before(func(c enginetest.Call) error {
		if c.Name == "Container" && c.Object == gone {
			fake.Remove(gone)
		}
		return nil
	})
	c, err := engine.Dial(engine.Endpoint{Host: enginetest.Serve(t, fake)})
	assert.NilError(t, err)
	list, err := c.Containers(t.Context(), engine.Filter{Project: "p"})
	assert.NilError(t, err)
	assert.Equal(t, len(list), 1)
	assert.Equal(t, list[0].ID, stays)
}

func TestAnEndpointWithoutUsableKeysIsRefused(t *testing.T) {
	_, err := engine.Dial(engine.Endpoint{Host: "tcp://127.0.0.1:1", CA: []byte("no certificate")})
	assert.ErrorContains(t, err, "no certificate")
	_, err = engine.Dial(engine.Endpoint{})
	assert.ErrorContains(t, err, "no address")
}

func TestAnEngineBehindTLSIsReachedWithItsKeysOnly(t *testing.T) {
	fake := enginetest.New(time.Now)
	with := enginetest.ServeTLS(t, fake)
	c, err := engine.Dial(with)
	assert.NilError(t, err)
	_, err = c.Info(t.Context())
	assert.NilError(t, err)
	for name, change := range map[string]func(*engine.Endpoint){
		"no client certificate": func(e *engine.Endpoint) { e.Cert, e.Key = nil, nil },
		"unknown server":        func(e *engine.Endpoint) { e.CA = nil },
		"no TLS":                func(e *engine.Endpoint) { *e = engine.Endpoint{Host: e.Host} },
	} {
		without := with
		change(&without)
		c, err := engine.Dial(without)
		assert.NilError(t, err)
		_, err = c.Info(t.Context())
		assert.Assert(t, err != nil, name)
	}
}

func fill(fake *enginetest.Engine) func(*testing.T, string, map[string]string) {
	return func(_ *testing.T, id string, files map[string]string) {
		for name, content := range files {
			fake.AddToLayer(id, "/"+name, int64(len(content)))
		}
	}
}

// TestWhereAContainerAnswersIsTold: addresses, published ports and health come through the protocol.
func TestWhereAContainerAnswersIsTold(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{
		Health: "unhealthy", Network: "memory_default", Addresses: []string{"172.18.0.2", "fd00::2"},
		Ports:  []engine.Port{{Inside: 8000, HostIP: "0.0.0.0", HostPort: "8001"}, {Inside: 8000, HostIP: "::", HostPort: "8001"}},
		Mounts: []engine.Mount{{Type: "volume", Name: "v", Destination: "/data", Subpath: "chroma"}},
	})
	c, err := engine.Dial(engine.Endpoint{Host: enginetest.Serve(t, fake)})
	assert.NilError(t, err)
	defer c.Close()
	got, err := c.Container(t.Context(), id)
	assert.NilError(t, err)
	assert.Equal(t, got.Health+got.Network+got.Mounts[0].Subpath, "unhealthymemory_defaultchroma")
	assert.DeepEqual(t, got.Addresses, []string{"172.18.0.2", "fd00::2"})
	assert.DeepEqual(t, got.Ports, []engine.Port{{Inside: 8000, HostIP: "0.0.0.0", HostPort: "8001"}, {Inside: 8000, HostIP: "::", HostPort: "8001"}})
}

// TestALayerIsReadOverTLSToo: its request goes past the engine's client.
func TestALayerIsReadOverTLSToo(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{})
	fake.AddToLayer(id, "/data/chroma.sqlite3", 10)
	c, err := engine.Dial(enginetest.ServeTLS(t, fake))
	assert.NilError(t, err)
	defer c.Close()
	changes, err := c.Changes(t.Context(), id, 10)
	assert.NilError(t, err)
	assert.Equal(t, len(changes), 2)
}

func TestAnEngineThatHangsWithALayerIsNotWaitedFor(t *testing.T) {
	fake := enginetest.New(time.Now)
	id := fake.Add(engine.Container{})
	ctx, cancel := context.WithCancel(t.Context())
	fake.Before(func(c enginetest.Call) error {
		if c.Name == "Changes" {
			cancel()
			<-t.Context().Done()
		}
		return nil
	})
	c, err := engine.Dial(engine.Endpoint{Host: enginetest.Serve(t, fake)})
	assert.NilError(t, err)
	defer c.Close()
	_, err = c.Changes(ctx, id, 10)
	assert.ErrorIs(t, err, context.Canceled)
}
