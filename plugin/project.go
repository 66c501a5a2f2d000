package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker/cli/cli-plugins/metadata"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
)

// project is a loaded Compose project with its effective settings and its backups directory.
type project struct {
	*compose.Project
	Config compose.Config
	Store  *store.Dir
}

// loadProject loads the project that flags, environment and folder name. overrides are settings given as flags.
// What the files had to say is reported as warnings.
func (a *app) loadProject(ctx context.Context, overrides compose.Overrides) (*project, error) {
	p, err := a.readProject(ctx, overrides)
	if err != nil {
		return nil, err
	}
	warnings := append(slices.Clone(p.Warnings), p.MistypedVariables(a.world.Environ, append(hooks.Variables(), journal.DirVariable, runVariable)...)...)
	for _, warning := range warnings {
		a.sink().Report(progress.Event{Step: "load", Status: progress.Warning, Text: warning})
	}
	return p, nil
}

// readProject is loadProject without a word: shells ask for completions through it.
func (a *app) readProject(ctx context.Context, overrides compose.Overrides) (*project, error) {
	opts, err := a.loadOptions()
	if err != nil {
		return nil, err
	}
	return a.readProjectWith(ctx, opts, overrides)
}

func (a *app) readProjectWith(ctx context.Context, opts compose.LoadOptions, overrides compose.Overrides) (*project, error) {
	loaded, err := compose.Load(ctx, opts)
	if err != nil {
		return nil, err
	}
	config, err := loaded.Config(a.world.Environ, overrides)
	if err != nil {
		return nil, err
	}
	dir := a.openDir(config.Backups, config.TimeZone)
	dir.Owner = store.Owner{Name: loaded.Name, WorkingDir: loaded.WorkingDir}
	return &project{Project: loaded, Config: config, Store: dir}, nil
}

// openDir is the backups directory at path.
func (a *app) openDir(path, zone string) *store.Dir {
	dir := store.Open(path)
	if zone == "utc" {
		dir.Location = time.UTC
	}
	return dir
}

// loadOptions are the flags and the world for compose.Load.
func (a *app) loadOptions() (compose.LoadOptions, error) {
	dir, err := a.world.Dir()
	if err != nil {
		return compose.LoadOptions{}, fmt.Errorf("find working directory: %w", err)
	}
	return compose.LoadOptions{
		Files:            a.flags.files,
		ProjectName:      a.flags.project,
		ProjectDirectory: a.flags.projectDir,
		Profiles:         a.flags.profiles,
		EnvFiles:         a.flags.envFiles,
		Compatibility:    a.flags.compose.compatibility,
		AllResources:     a.flags.compose.allResources,
		WorkingDir:       dir,
		Environ:          a.world.Environ,
		Stdin:            a.world.In,
		Runner:           a.runner(),
	}, nil
}

// runner runs docker compose with Docker's flags as they were given to us.
func (a *app) runner() *compose.Runner {
	r := &compose.Runner{
		Docker: dockerProgram(), Globals: a.world.Globals, Environ: a.environOf(),
		Stdin: a.world.In.Reader, Stdout: a.world.Out.Writer, Stderr: a.world.Err.Writer,
	}
	if a.standalone != nil {
		a.standaloneRunner(r)
	}
	return r
}

// childEnviron is the environment without what the docker command told this plugin alone: a child must not take it as its own.
func childEnviron(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		return strings.HasPrefix(pair, metadata.ReexecEnvvar+"=") || strings.HasPrefix(pair, "DOCKER_CLI_PLUGIN_SOCKET=")
	})
}

// archives is a backups directory for commands that only read archives, and the settings where a project was found.
type archives struct {
	*store.Dir
	Config *compose.Config
}

// named refuses a folder that was named with --backups and does not exist: a name that was mistyped is no empty list.
func (d *archives) named(flag string) error {
	if _, err := os.Stat(d.Path); flag != "" && errors.Is(err, fs.ErrNotExist) {
		return usagef("--backups: there is no folder %s", d.Path)
	}
	return nil
}

// openArchives finds the backups directory: --backups, else the project's. A folder without a project will do where
// --backups or MEMSYS_BACKUPS names it, or where all the wanted archives are paths.
func (a *app) openArchives(ctx context.Context, backups string, wanted []string) (*archives, error) {
	overrides := compose.Overrides{}
	if backups != "" {
		overrides.Values = map[string][]string{"backups": {backups}}
	}
	p, err := a.loadProject(ctx, overrides)
	if err == nil {
		a.noticeInterrupted(p)
		return &archives{Dir: p.Store, Config: &p.Config}, nil
	}
	if backups == "" {
		backups = a.env("MEMSYS_BACKUPS")
	}
	if !errors.Is(err, compose.ErrNoFile) || backups == "" && !allPaths(wanted) {
		return nil, err
	}
	dir, err := a.world.Dir()
	if err != nil {
		return nil, fmt.Errorf("find working directory: %w", err)
	}
	if !filepath.IsAbs(backups) {
		backups = filepath.Join(dir, backups)
	}
	return &archives{Dir: a.openDir(backups, "")}, nil
}

// allPaths tells whether there are words and each is the path of a file.
func allPaths(words []string) bool {
	return len(words) > 0 && !slices.ContainsFunc(words, func(word string) bool {
		return !strings.ContainsAny(word, `/`+string(filepath.Separator))
	})
}
