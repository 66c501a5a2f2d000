package compose

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/golden"
)

// testCase is a folder of testdata: case.json says with which options its project is loaded.
type testCase struct {
	name             string
	dir              string // absolute
	Dir              string `json:"dir"` // where the command is called, relative
	Files            []string
	ProjectName      string
	ProjectDirectory string
	Profiles         []string
	EnvFiles         []string
	Compatibility    bool
	AllResources     bool
	Environ          []string
	Stdin            string // file whose content is standard input
}

func testCases(t *testing.T) []testCase {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join("testdata", "*"))
	assert.NilError(t, err)
	var cases []testCase
	for _, folder := range folders {
		c := testCase{name: filepath.Base(folder)}
		c.dir, err = filepath.Abs(folder)
		assert.NilError(t, err)
		if b, err := os.ReadFile(filepath.Join(folder, "case.json")); err == nil {
			assert.NilError(t, json.Unmarshal(b, &c))
		}
		cases = append(cases, c)
	}
	assert.Assert(t, len(cases) >= 25, "only %d projects in testdata", len(cases))
	return cases
}

func (c testCase) options(t *testing.T) LoadOptions {
	o := LoadOptions{
		Files: c.Files, ProjectName: c.ProjectName, ProjectDirectory: c.ProjectDirectory, Profiles: c.Profiles, EnvFiles: c.EnvFiles,
		Compatibility: c.Compatibility, AllResources: c.AllResources, Environ: c.Environ, WorkingDir: filepath.Join(c.dir, c.Dir),
	}
	if c.Stdin != "" {
		f, err := os.Open(filepath.Join(c.dir, c.Stdin))
		assert.NilError(t, err)
		t.Cleanup(func() { f.Close() })
		o.Stdin = f
	}
	return o
}

// TestProjectsLoadAsRecorded holds what is found in each project of testdata to its want.json; the e2e test compares the same projects with docker compose.
func TestProjectsLoadAsRecorded(t *testing.T) {
	t.Setenv("HOME", "/home/someone")
	for _, c := range testCases(t) {
		t.Run(c.name, func(t *testing.T) {
			p, err := Load(t.Context(), c.options(t))
			assert.NilError(t, err)
			golden.Assert(t, c.recorded(t, p), filepath.Join(c.name, "want.json"))
		})
	}
}

// recorded is what a test sees of a project, as JSON with the folder's place taken out.
func (c testCase) recorded(t *testing.T, p *Project) string {
	t.Helper()
	config, err := p.Config(nil, Overrides{})
	assert.NilError(t, err)
	var files []string
	for _, f := range p.Files() {
		files = append(files, string(f.Kind)+" "+f.Path)
	}
	b, err := json.MarshalIndent(map[string]any{
		"name": p.Name, "workingDir": p.WorkingDir, "configFiles": p.ConfigFiles, "files": files, "warnings": p.Warnings,
		"services": p.Services(), "sources": p.Sources(nil, config), "settings": settled(config),
	}, "", "  ")
	assert.NilError(t, err)
	parent := filepath.Dir(c.dir)
	text := strings.NewReplacer(c.dir, "{dir}", parent, "{parent}").Replace(string(b))
	return text + "\n"
}

// settled are the settings that are not at their defaults, with their origins.
func settled(c Config) []string {
	var all []string
	values := c.Values()
	for _, s := range Settings() {
		if values[s.Name] != s.Default && values[s.Name] != "" {
			all = append(all, s.Name+" = "+values[s.Name]+" ("+c.Origins[s.Name]+")")
		}
	}
	slices.Sort(all)
	return all
}
