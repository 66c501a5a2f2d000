package compose

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Standalone is a docker-compose program, for machines whose docker has no plugin of that name.
type Standalone struct {
	Path string
	// Version is as it says itself, such as 1.29.2.
	Version string
}

// First tells that it is the first Compose, of Python, which ended in 2023.
func (s *Standalone) First() bool { return strings.HasPrefix(s.Version, "1.") }

// FindStandalone returns the docker-compose that has to be run instead of docker compose; nil where docker has the plugin, or where there is
// neither. pluginDirs are where plugins usually lie: only where none of them has it, docker is asked.
func (r *Runner) FindStandalone(ctx context.Context, pluginDirs []string) *Standalone {
	plugin := "docker-compose"
	if runtime.GOOS == "windows" {
		plugin += ".exe"
	}
	for _, dir := range pluginDirs {
		if _, err := os.Stat(filepath.Join(dir, plugin)); err == nil {
			return nil
		}
	}
	asked := *r
	asked.Stdin, asked.Stdout, asked.Stderr, asked.Gate, asked.Standalone = nil, io.Discard, io.Discard, nil, nil
	if asked.Run(ctx, "version", "--short") == nil {
		return nil
	}
	path, err := exec.LookPath("docker-compose")
	if err != nil {
		return nil
	}
	var version bytes.Buffer
	asked.Stdout, asked.Globals, asked.Standalone = &version, nil, &Standalone{Path: path}
	if asked.Run(ctx, "version", "--short") != nil {
		return nil
	}
	return &Standalone{Path: path, Version: strings.TrimPrefix(strings.TrimSpace(version.String()), "v")}
}
