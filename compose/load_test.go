package compose

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

// TestLoadErrorsAreOneLineWithThePlace breaks compose files in many ways.
func TestLoadErrorsAreOneLineWithThePlace(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"services:\n  a:\n    image: x\n  foo: [\nx: 3\n", "/compose.yaml:4:8: invalid yaml: did not find expected ',' or ']'"},
		{"a: b: c\n", "/compose.yaml:1:5: invalid yaml: mapping values are not allowed in this context"},
		{"services:\n\ta: 1\n", "/compose.yaml:2:1: invalid yaml: found character that cannot start any token"},
		{"services: {a: {image: *q}}", "/compose.yaml:1:23: invalid yaml: unknown anchor 'q' referenced"},
		{"services:\n  a: {image: x}\n  a: {image: y}\n", "/compose.yaml:3: invalid yaml: mapping key \"a\" already defined at line 2"},
		{"", "empty compose file"},
		{"services: [a]\n", "services must be a mapping"},
		{"services:\n  a:\n    imag: x\n", "services.a.imag"},
		{"services: {a: {image: x, volumes: ['nope:/x']}}\n", `service "a" refers to undefined volume nope`},
		{"services: {a: {image: '${X:?set X}'}}", "required variable X is missing a value: set X"},
		{"services: {a: {image: x, extends: {service: q}}}", `service "q" not found`},
		{"include: [nope.yaml]\nservices: {a: {image: x}}", "nope.yaml"},
		{"services: {a: {image: x, volumes: ['v:/v']}}\nvolumes: {v: {external: true, name: '${UNSET}'}}", "volume v: its name is empty, is a variable unset?"},
		{"include: ['https://example.org/x.git']\nservices: {a: {image: x}}", "remote compose file https://example.org/x.git: fetching it needs docker compose"},
	} {
		t.Run(c.want, func(t *testing.T) {
			_, err := tryProject(t, t.TempDir(), map[string]string{"compose.yaml": c.yaml})
			assert.ErrorContains(t, err, c.want)
			assert.Assert(t, !strings.Contains(err.Error(), "\n"))
			assert.Assert(t, !unicode.IsUpper(rune(err.Error()[0])), "%v", err)
		})
	}
}

func TestAMissingComposeFileNamesTheFolderAndTheNextStep(t *testing.T) {
	dir := t.TempDir()
	_, err := tryProject(t, dir, nil)
	assert.Assert(t, errors.Is(err, ErrNoFile))
	assert.ErrorContains(t, err, dir)
	assert.ErrorContains(t, err, "name the file with -f")
	_, err = tryProject(t, dir, nil, func(o *LoadOptions) { o.Files = []string{"gone.yaml"} })
	assert.Assert(t, errors.Is(err, ErrNoFile))
	assert.ErrorContains(t, err, filepath.Join(dir, "gone.yaml"))
	_, err = tryProject(t, dir, map[string]string{"folder/": ""}, func(o *LoadOptions) { o.Files = []string{"folder"} })
	assert.ErrorContains(t, err, "is a folder")
	_, err = tryProject(t, dir, nil, func(o *LoadOptions) { o.Environ = []string{"COMPOSE_FILE=gone.yaml"} })
	assert.ErrorContains(t, err, "COMPOSE_FILE")
	_, err = tryProject(t, dir, nil, func(o *LoadOptions) { o.EnvFiles = []string{"gone.env"} })
	assert.ErrorContains(t, err, "gone.env")
	_, err = tryProject(t, dir, nil, func(o *LoadOptions) { o.Files = []string{"-"} })
	assert.ErrorContains(t, err, "standard input")
}

func TestAProjectNameThatComposeRefusesIsRefused(t *testing.T) {
	for _, environ := range []string{"", "COMPOSE_PROJECT_NAME=Not.Valid"} {
		_, err := tryProject(t, t.TempDir(), map[string]string{"compose.yaml": oneService}, func(o *LoadOptions) {
			o.Environ = []string{environ}
			if environ == "" {
				o.ProjectName = "Not.Valid"
			}
		})
		assert.ErrorContains(t, err, `invalid project name "Not.Valid"`)
	}
}

// TestAMissingEnvFileDoesNotHideData keeps discovery going where docker compose up would not.
func TestAMissingEnvFileDoesNotHideData(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": "services: {a: {image: x, env_file: gone.env, volumes: ['./data:/data']}}"})
	assert.DeepEqual(t, table(p, nil, config(t, p)), []string{"data bind ./data: a:/data"})
}

func TestWarningsAreKeptAndNotPrinted(t *testing.T) {
	r, w, err := os.Pipe()
	assert.NilError(t, err)
	defer r.Close()
	stderr := os.Stderr
	os.Stderr = w
	p := project(t, map[string]string{"compose.yaml": "services: {a: {image: 'x:${UNSET}'}}"})
	os.Stderr = stderr
	assert.NilError(t, w.Close())
	printed := make([]byte, 1)
	n, _ := r.Read(printed)
	assert.Equal(t, n, 0)
	assert.Assert(t, cmp.Len(p.Warnings, 1))
	assert.Assert(t, cmp.Contains(p.Warnings[0], "UNSET"))
}

func TestArgsGiveDockerComposeTheSameProject(t *testing.T) {
	o := LoadOptions{Files: []string{"a", "b"}, ProjectName: "p", ProjectDirectory: "d", Profiles: []string{"x"}, EnvFiles: []string{"e"}, Compatibility: true, AllResources: true}
	assert.Equal(t, strings.Join(o.Args(), " "), "--file a --file b --project-name p --project-directory d --profile x --env-file e --compatibility --all-resources")
	assert.Assert(t, cmp.Len(LoadOptions{}.Args(), 0))
}

func TestRemoteReferences(t *testing.T) {
	for ref, want := range map[string]bool{
		"oci://example.org/x:1": true, "https://github.com/o/r.git#main:sub": true, "git@github.com:o/r.git": true, "github.com/o/r": true, "ssh://git@h/r": true,
		"compose.yaml": false, "./a/b.yaml": false, "/abs/x.yaml": false, `C:\x\y.yaml`: false, "-": false, "a:b": false,
	} {
		assert.Check(t, isRemote(ref) == want, ref)
	}
}
