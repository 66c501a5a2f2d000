package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/compose-spec/compose-go/v2/utils"
	"go.yaml.in/yaml/v4"
)

// LoadOptions says which project to load: the flags that docker compose takes before its verb, and the world around them.
type LoadOptions struct {
	Files            []string // -f; "-" is Stdin
	ProjectName      string   // -p
	ProjectDirectory string   // --project-directory
	Profiles         []string // --profile
	EnvFiles         []string // --env-file
	Compatibility    bool     // --compatibility
	AllResources     bool     // --all-resources: volumes that no service mounts too
	// WorkingDir is the folder that relative names start from; empty is the process's own.
	WorkingDir string
	// Environ is the environment as KEY=VALUE; nil is an empty one.
	Environ []string
	// Stdin is read for the file "-".
	Stdin io.Reader
	// Runner loads projects with remote (git, oci) parts; nil refuses them.
	Runner *Runner

	stdin    []byte            // what was read from Stdin
	contents map[string][]byte // of files that are not taken from the disk
}

// Load reads the project as docker compose does: same files, same order, same environment, same names.
// Environment files of services that are missing do not stop it: it looks for data, it starts nothing. Not for parallel use: the warnings
// of compose-go come through the one standard logger of the process.
func Load(ctx context.Context, o LoadOptions) (*Project, error) {
	registerRawEnv()
	o, err := o.absolute()
	if err != nil {
		return nil, err
	}
	warnings := captureWarnings()
	defer warnings.restore()
	p, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	p.Warnings = warnings.messages()
	return p, nil
}

func (o LoadOptions) load(ctx context.Context) (*Project, error) {
	found, err := o.discover()
	if err != nil {
		return nil, loadError(err)
	}
	details, err := o.read(ctx, found)
	if remote := (*remoteError)(nil); errors.As(err, &remote) {
		return o.loadRemote(ctx, found, remote)
	}
	if err != nil {
		return nil, err
	}
	model, err := loader.LoadWithContext(ctx, *details, o.loaderOptions(found, details)...)
	if remote := (*remoteError)(nil); errors.As(err, &remote) {
		return o.loadRemote(ctx, found, remote)
	}
	if err != nil {
		return nil, loadError(err)
	}
	return newProject(model, o, found.EnvFiles, details)
}

// absolute makes every path of the options absolute, so that the process's own working directory plays no part.
func (o LoadOptions) absolute() (LoadOptions, error) {
	if o.WorkingDir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return o, fmt.Errorf("find the working directory: %w", err)
		}
		o.WorkingDir = wd
	}
	o.Files = o.absoluteFiles(o.Files)
	if slices.Contains(o.Files, "-") {
		if err := o.readStdin(); err != nil {
			return o, err
		}
	}
	if len(o.EnvFiles) == 0 {
		o.EnvFiles = strings.FieldsFunc(lookup(o.Environ, "COMPOSE_ENV_FILES"), func(c rune) bool { return c == ',' })
	}
	o.EnvFiles = o.absoluteFiles(o.EnvFiles)
	if o.ProjectDirectory != "" {
		o.ProjectDirectory = o.absolutePath(o.ProjectDirectory)
	}
	return o, nil
}

func (o LoadOptions) absoluteFiles(files []string) []string {
	abs := make([]string, 0, len(files))
	for _, f := range files {
		abs = append(abs, o.absolutePath(f))
	}
	return abs
}

func (o LoadOptions) absolutePath(path string) string {
	if path == "-" || isRemote(path) || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(o.WorkingDir, path)
}

// discover finds the compose files and the project's environment. The order of the steps is docker compose's own.
func (o LoadOptions) discover() (*cli.ProjectOptions, error) {
	return cli.NewProjectOptions(slices.Clone(o.Files),
		cli.WithWorkingDirectory(o.ProjectDirectory),
		cli.WithEnv(o.Environ),
		o.withPWD,
		cli.WithResourceLoader(remoteLoader{}),
		o.withEnvFiles,
		cli.WithDotEnv,
		o.withConfigFileEnv,
		o.fromWorkingDir(cli.WithDefaultConfigPath),
		o.withEnvFiles,
		cli.WithDotEnv,
		cli.WithName(o.ProjectName),
	)
}

// fromWorkingDir runs a step that would ask the process for its working directory with ours instead.
func (o LoadOptions) fromWorkingDir(step cli.ProjectOptionsFn) cli.ProjectOptionsFn {
	return func(p *cli.ProjectOptions) error {
		if p.WorkingDir == "" && !slices.ContainsFunc(p.ConfigPaths, func(f string) bool { return f != "-" && !isRemote(f) }) {
			p.WorkingDir = o.WorkingDir
			defer func() { p.WorkingDir = "" }()
		}
		return step(p)
	}
}

func (o LoadOptions) withPWD(p *cli.ProjectOptions) error {
	if _, ok := p.Environment["PWD"]; !ok {
		p.Environment["PWD"] = o.WorkingDir
	}
	return nil
}

func (o LoadOptions) withEnvFiles(p *cli.ProjectOptions) error {
	if len(o.EnvFiles) == 0 {
		if v := lookup(o.Environ, consts.ComposeDisableDefaultEnvFile); v != "" {
			off, err := strconv.ParseBool(v)
			if err != nil {
				return fmt.Errorf("read %s: %w", consts.ComposeDisableDefaultEnvFile, err)
			}
			if off {
				return nil
			}
		}
	}
	return o.fromWorkingDir(cli.WithEnvFiles(o.EnvFiles...))(p)
}

// withConfigFileEnv takes the files of COMPOSE_FILE, relative names from our working directory.
func (o LoadOptions) withConfigFileEnv(p *cli.ProjectOptions) error {
	names, ok := p.Environment[consts.ComposeFilePath]
	if !ok || len(p.ConfigPaths) > 0 {
		return nil
	}
	sep := p.Environment[consts.ComposePathSeparator]
	if sep == "" {
		sep = string(os.PathListSeparator)
	}
	p.Environment[consts.ComposeFilePath] = strings.Join(o.absoluteFiles(strings.Split(names, sep)), sep)
	defer func() { p.Environment[consts.ComposeFilePath] = names }()
	return cli.WithConfigFileEnv(p)
}

// read loads the compose files' bytes.
func (o LoadOptions) read(ctx context.Context, found *cli.ProjectOptions) (*types.ConfigDetails, error) {
	if len(found.ConfigPaths) == 0 {
		return nil, o.noFile()
	}
	dir, err := o.projectDir(found)
	if err != nil {
		return nil, err
	}
	details, err := loader.LoadConfigFiles(ctx, found.ConfigPaths, dir, func(l *loader.Options) {
		l.ResourceLoaders = found.ResourceLoaders
		l.SetWorkingDirExplicit(found.WorkingDir != "")
	})
	if err != nil {
		return nil, err
	}
	details.Environment = maps.Clone(found.Environment) // the loader writes into it
	for i, f := range details.ConfigFiles {
		if details.ConfigFiles[i].Content, err = o.content(f.Filename); err != nil {
			return nil, err
		}
	}
	return details, nil
}

func (o LoadOptions) projectDir(found *cli.ProjectOptions) (dir string, err error) {
	err = o.fromWorkingDir(func(p *cli.ProjectOptions) error {
		dir, err = p.GetWorkingDir()
		return err
	})(found)
	return dir, err
}

func (o LoadOptions) content(file string) ([]byte, error) {
	if content, given := o.contents[file]; given {
		return content, nil
	}
	if file != "-" {
		return readComposeFile(file)
	}
	if err := o.readStdin(); err != nil {
		return nil, err
	}
	return o.stdin, nil
}

// readStdin keeps what standard input holds: docker compose may have to read it again.
func (o *LoadOptions) readStdin() error {
	if o.stdin != nil {
		return nil
	}
	if o.Stdin == nil {
		return errors.New("read the compose file from standard input: there is none")
	}
	b, err := io.ReadAll(o.Stdin)
	if err != nil {
		return fmt.Errorf("read the compose file from standard input: %w", err)
	}
	o.stdin = append([]byte{}, b...)
	return nil
}

func (o LoadOptions) loaderOptions(found *cli.ProjectOptions, details *types.ConfigDetails) []func(*loader.Options) {
	name, explicit := projectName(found, details)
	return []func(*loader.Options){
		loader.WithProfiles(o.profiles(found.Environment)),
		func(l *loader.Options) {
			l.ResourceLoaders = slices.Clone(found.ResourceLoaders)
			l.SkipResolveEnvironment = true
			l.SkipResolveLabels = true
			l.ConvertWindowsPaths = utils.StringToBool(found.Environment["COMPOSE_CONVERT_WINDOWS_PATHS"])
			if name != "" {
				l.SetProjectName(name, explicit)
			}
		},
	}
}

func (o LoadOptions) profiles(env types.Mapping) []string {
	if len(o.Profiles) > 0 {
		return o.Profiles
	}
	var profiles []string
	for _, p := range strings.Split(env[consts.ComposeProfiles], ",") {
		profiles = append(profiles, strings.TrimSpace(p))
	}
	return profiles
}

// projectName is the name that rules: -p, then COMPOSE_PROJECT_NAME, then (empty) the files' own, then the folder's.
func projectName(found *cli.ProjectOptions, details *types.ConfigDetails) (name string, explicit bool) {
	if found.Name != "" {
		return found.Name, true
	}
	if name := found.Environment[consts.ComposeProjectName]; name != "" {
		return name, true
	}
	for _, f := range details.ConfigFiles {
		var named struct {
			Name string `yaml:"name,omitempty"`
		}
		if yaml.Unmarshal(f.Content, &named) == nil && named.Name != "" {
			return "", false
		}
	}
	return loader.NormalizeProjectName(filepath.Base(details.WorkingDir)), false
}

// lookup finds a variable in an environment of KEY=VALUE; the last one counts.
func lookup(environ []string, key string) string {
	for _, kv := range slices.Backward(environ) {
		if k, v, ok := strings.Cut(kv, "="); ok && k == key {
			return v
		}
	}
	return ""
}

// Args are the options again, as docker compose takes them before its verb.
func (o LoadOptions) Args() []string {
	var args []string
	add := func(flag string, values ...string) {
		for _, v := range values {
			args = append(args, flag, v)
		}
	}
	add("--file", o.Files...)
	if o.ProjectName != "" {
		add("--project-name", o.ProjectName)
	}
	if o.ProjectDirectory != "" {
		add("--project-directory", o.ProjectDirectory)
	}
	add("--profile", o.Profiles...)
	add("--env-file", o.EnvFiles...)
	if o.Compatibility {
		args = append(args, "--compatibility")
	}
	if o.AllResources {
		args = append(args, "--all-resources")
	}
	return args
}
