package plugin

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/validate"
)

// worldLook makes the checks of the groups connections and mounts.
type worldLook struct{ world *validate.World }

// ask asks the servers before the data is looked at.
func (l *worldLook) ask(ctx context.Context, wants func(id string) bool) {
	l.world.Wants = wants
	l.world.Ask(ctx)
}

// check makes the checks that are wanted, and compares what servers tell with what was found in the sources. What is
// interrupted gives what was found until then.
func (l *worldLook) check(ctx context.Context, wants func(id string) bool, found *validate.Report) []inventory.Result {
	l.world.Wants, l.world.Inventories, l.world.Results = wants, found.Inventories, found.Results
	results, _ := l.world.Check(ctx) // the context's error, which the caller sees too
	return results
}

// surroundings are what stands around the project's data.
func (s *session) surroundings() *validate.World {
	w := &validate.World{
		Project: s.Name, Health: s.HealthEndpoints(s.Config), Chroma: s.ChromaEndpoints(s.Config), Plans: s.Plans(),
		Variables:  s.Variables(validate.ChromaVariable),
		OwnMount:   s.ownMount,
		Containers: s.Containers, Info: s.Info, EngineAddress: s.engineAddress(),
		Sources: s.Project.Sources(s.live(), s.Config),
		HTTP:    validate.NewHTTPClient(), Now: s.app.world.Now,
	}
	if s.reachable() {
		w.Engine = s.Engine.Client
	} else {
		w.NoEngine = "no engine answers at " + w.EngineAddress
	}
	if s.Elsewhere == "" && (!s.reachable() || s.Info.Local || s.Info.SharesFiles) {
		w.Exists = exists
	}
	if s.Info.Local {
		w.Empty = isEmptyFolder
	}
	return w
}

func (s *session) ownMount(service string, m engine.Mount) bool {
	return s.IsOwnMount(service, compose.LiveMount{Type: m.Type, Name: m.Name, Source: m.Source, Destination: m.Destination, ReadOnly: m.ReadOnly})
}

// engineAddress is where the engine is asked, whether it answers or not.
func (s *session) engineAddress() string {
	if s.reachable() {
		return s.Engine.Endpoint.Host
	}
	c, err := s.app.engine()
	if err != nil {
		return s.Elsewhere
	}
	return c.Endpoint.Host
}

func exists(path string) error {
	_, err := os.Stat(filepath.FromSlash(path))
	return err
}

// isEmptyFolder reads no more than one name.
func isEmptyFolder(path string) (bool, error) {
	dir, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	_, err = dir.ReadDir(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}
