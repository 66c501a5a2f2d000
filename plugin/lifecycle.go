package plugin

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// lifecycleTimeout is how long a pre_stop or post_start command may take.
const lifecycleTimeout = 5 * time.Minute

// lifecycle runs the pre_stop and post_start commands of the project's services where memsys stops and starts them, as docker compose
// stop and start do: the engine by itself does not.
type lifecycle struct {
	exec     func(ctx context.Context, id string, command engine.Command, out *bytes.Buffer) (int, error)
	project  string
	services []compose.Service
}

func (s *session) lifecycle() lifecycle {
	return lifecycle{
		exec: func(ctx context.Context, id string, command engine.Command, out *bytes.Buffer) (int, error) {
			return s.Engine.ExecAs(ctx, id, command, out)
		},
		project: s.Name, services: s.Project.Services(),
	}
}

// PreStop implements quiesce.Hooks.
func (l lifecycle) PreStop(ctx context.Context, it quiesce.Item) error {
	return l.run(ctx, it, func(s compose.Service) []compose.Command { return s.PreStop })
}

// PostStart implements quiesce.Hooks.
func (l lifecycle) PostStart(ctx context.Context, it quiesce.Item) error {
	return l.run(ctx, it, func(s compose.Service) []compose.Command { return s.PostStart })
}

func (l lifecycle) run(ctx context.Context, it quiesce.Item, commands func(compose.Service) []compose.Command) error {
	if it.Project != l.project {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lifecycleTimeout, fmt.Errorf("it did not end within %s", lifecycleTimeout))
	defer cancel()
	for _, s := range l.services {
		if s.Name != it.Service || s.Job {
			continue
		}
		for _, c := range commands(s) {
			if err := l.one(ctx, it.ID, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l lifecycle) one(ctx context.Context, id string, c compose.Command) error {
	var out bytes.Buffer
	code, err := l.exec(ctx, id, engine.Command{Args: c.Args, User: c.User, Dir: c.Dir, Env: c.Env, Privileged: c.Privileged}, &out)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Args[0], err)
	}
	if code == 0 {
		return nil
	}
	err = fmt.Errorf("%s ended with %d", c.Args[0], code)
	if said := lastLine(out.String()); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// lastLine is the last line of a program's output that has something in it.
func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return display.Clean(lines[len(lines)-1])
}
