package contest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/memsys/docker-memsys/bench/measure"
)

// Startup is how long the two plugins need to tell their version, in seconds, pair by pair.
type Startup struct {
	Memsys  []float64 `json:"memsys"`
	Compose []float64 `json:"compose"`
}

// MeasureStartup runs `docker memsys version` and `docker compose version` in turn, through a Docker configuration of its own.
func MeasureStartup(ctx context.Context, work, plugin, composePlugin string, pairs int) (Startup, error) {
	config := filepath.Join(work, "docker-config")
	plugins := filepath.Join(config, "cli-plugins")
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		return Startup{}, fmt.Errorf("make plugin folder: %w", err)
	}
	for name, target := range map[string]string{"docker-memsys": plugin, "docker-compose": composePlugin} {
		if err := os.Symlink(target, filepath.Join(plugins, name)); err != nil {
			return Startup{}, fmt.Errorf("link plugin: %w", err)
		}
	}
	var s Startup
	// The first pair only fills the cache.
	for i := range pairs + 1 {
		order := []string{"memsys", "compose"}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, name := range order {
			cost, err := measure.Run(ctx, measure.Step{
				Pipeline: [][]string{{"docker", name, "version"}},
				Env:      []string{"DOCKER_CONFIG=" + config, "DOCKER_HOST=unix://" + filepath.Join(work, "no-engine.sock")},
			})
			if err != nil {
				return s, err
			}
			if i > 0 {
				s.add(name, cost.Seconds)
			}
		}
	}
	return s, nil
}

func (s *Startup) add(name string, seconds float64) {
	if name == "memsys" {
		s.Memsys = append(s.Memsys, seconds)
	} else {
		s.Compose = append(s.Compose, seconds)
	}
}

// FindCompose returns Docker's compose plugin, or "" if there is none.
func FindCompose(home string) string {
	for _, dir := range []string{
		filepath.Join(home, ".docker", "cli-plugins"),
		"/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
		"/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
	} {
		path := filepath.Join(dir, "docker-compose")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}
