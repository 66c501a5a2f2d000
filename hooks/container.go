package hooks

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
)

// container is where a hook runs: in one container of its service, the running one with the lowest number. why says that there is
// nothing to run it in since the service is off; an error, that it cannot run now.
func (r *Runner) container(ctx context.Context, h compose.Hook) (found engine.Container, why string, err error) {
	if r.Engine == nil {
		return found, "", errors.New("no engine answers, so whether the service runs is not known")
	}
	all, err := r.Engine.Containers(ctx, engine.Filter{Project: r.Project, Service: h.Service})
	if err != nil {
		return found, "", err
	}
	busy := ""
	for _, c := range all {
		switch {
		case c.OneOff:
		case c.State == engine.Running && (found.ID == "" || number(c) < number(found)):
			found = c
		case c.State == engine.Paused || c.State == engine.Restarting:
			busy = fmt.Sprintf("container %s is %s", c.Name, c.State)
		}
	}
	switch {
	case found.ID != "":
		return found, "", nil
	case busy != "":
		return found, "", fmt.Errorf("%s: %w", busy, errBusy)
	}
	return found, "the service is off", nil
}

// errBusy says that the container of a hook is there and cannot run anything now.
var errBusy = errors.New("nothing can run in it now")

// number is a container's number in its service; one that has none comes last.
func number(c engine.Container) int {
	n, err := strconv.Atoi(c.Number)
	if err != nil {
		return int(^uint(0) >> 1)
	}
	return n
}
