package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// remoteError tells that a compose file lies in a git repository or a registry.
type remoteError struct{ ref string }

func (e *remoteError) Error() string { return "remote compose file " + e.ref }

// remoteLoader recognises remote references and hands them back: only docker compose itself fetches them.
type remoteLoader struct{}

// Accept implements loader.ResourceLoader.
func (remoteLoader) Accept(path string) bool { return isRemote(path) }

// Load implements loader.ResourceLoader.
func (remoteLoader) Load(_ context.Context, path string) (string, error) {
	return "", &remoteError{ref: path}
}

// Dir implements loader.ResourceLoader.
func (remoteLoader) Dir(path string) string { return path }

var scpLike = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:`)

// isRemote tells references that docker compose fetches from paths: oci://, git and http addresses, user@host:path, github.com/….
func isRemote(path string) bool {
	scheme, _, isURL := strings.Cut(path, "://")
	if isURL {
		switch scheme {
		case "oci", "git", "http", "https", "ssh":
			return true
		}
		return false
	}
	return strings.HasPrefix(path, "github.com/") || scpLike.MatchString(path)
}

// loadRemote lets docker compose fetch and resolve the project and loads what it prints.
func (o LoadOptions) loadRemote(ctx context.Context, found *cli.ProjectOptions, remote *remoteError) (*Project, error) {
	if o.Runner == nil {
		return nil, fmt.Errorf("%s: fetching it needs docker compose; work on a local copy, or install docker compose", remote.Error())
	}
	var out, problems bytes.Buffer
	run := *o.Runner
	run.Stdout, run.Stderr = &out, &problems
	run.Dir, run.Stdin = o.WorkingDir, bytes.NewReader(o.stdin)
	// All of it, since data lies in disabled services too. With --compatibility, config would leave names out.
	all := o
	all.Profiles, all.AllResources, all.Compatibility = []string{"*"}, true, false
	args := append(all.Args(), "config", "--no-env-resolution")
	if err := run.Run(ctx, args...); err != nil {
		return nil, fmt.Errorf("%s: docker compose config: %w", remote.Error(), withOutput(err, problems.String()))
	}
	return o.fromResolved(ctx, found, out.Bytes())
}

func withOutput(err error, output string) error {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if last := oneLine(lines[len(lines)-1]); last != "" {
		return errors.New(last)
	}
	return err
}

// fromResolved loads a model that docker compose has merged and resolved already.
func (o LoadOptions) fromResolved(ctx context.Context, found *cli.ProjectOptions, content []byte) (*Project, error) {
	dir, err := o.projectDir(found)
	if err != nil {
		return nil, err
	}
	details := &types.ConfigDetails{
		WorkingDir:  dir,
		Environment: maps.Clone(found.Environment),
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "docker-compose-config"), Content: content}},
	}
	model, err := loader.LoadWithContext(ctx, *details, o.loaderOptions(found, details)...)
	if err != nil {
		return nil, loadError(err)
	}
	for i, f := range found.ConfigPaths {
		file := types.ConfigFile{Filename: f}
		if !isRemote(f) && f != "-" {
			if file.Content, err = readComposeFile(f); err != nil {
				return nil, err
			}
		}
		if i == 0 {
			details.ConfigFiles = nil
		}
		details.ConfigFiles = append(details.ConfigFiles, file)
	}
	return newProject(model, o, found.EnvFiles, details)
}
