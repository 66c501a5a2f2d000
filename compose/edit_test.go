package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// edited is a compose file after Edit, which must have nothing more to add then.
func edited(t *testing.T, dir string, files map[string]string, provider bool) (string, []string) {
	t.Helper()
	p, err := tryProject(t, dir, files)
	assert.NilError(t, err)
	e, err := p.Edit(t.Context(), provider)
	assert.NilError(t, err)
	assert.Equal(t, string(e.Old), read(t, e.Path))
	assert.NilError(t, os.WriteFile(e.Path, e.New, 0o600))
	again, err := tryProject(t, dir, nil)
	assert.NilError(t, err)
	second, err := again.Edit(t.Context(), provider)
	assert.NilError(t, err)
	assert.Assert(t, !second.Changed(), "%s", second.New)
	return string(e.New), e.Remarks
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	assert.NilError(t, err)
	return string(b)
}

const ours = "x-memsys:\n  backups: ./backups\n  retention: {daily: 7, weekly: 4, monthly: 12, last: 1}\n"

func TestAnEditAddsAndLeavesEveryByte(t *testing.T) {
	for name, c := range map[string]struct {
		old, want string
		provider  bool
	}{
		"settings at the end": {
			"# ours\nservices:\n\n  a: # the one\n      image:   'x'\n# end",
			"# ours\nservices:\n\n  a: # the one\n      image:   'x'\n# end\n\n" + ours, false,
		},
		"windows line ends": {
			"services:\r\n  a: {image: x}\r\n",
			"services:\r\n  a: {image: x}\r\n\r\n" + strings.ReplaceAll(ours, "\n", "\r\n"), false,
		},
		"what is missing, comments kept": {
			"x-memsys:\n    # why\n    exclude: ['*.bak']   # these\n    retention: {daily: 3}\nservices: {a: {image: x}}\n",
			"x-memsys:\n    backups: ./backups\n    # why\n    exclude: ['*.bak']   # these\n    retention: {daily: 3}\nservices: {a: {image: x}}\n", false,
		},
		"within braces": {
			"services: {a: {image: x}}\nx-memsys: {quiesce: stop}\n",
			"services: {memsys: {provider: {type: memsys}}, a: {depends_on: [memsys], image: x}}\nx-memsys: {backups: ./backups, retention: {daily: 7, weekly: 4, monthly: 12, last: 1}, quiesce: stop}\n", true,
		},
		"an empty x-memsys": {
			"services: {a: {image: x}}\nx-memsys:\n",
			"services: {a: {image: x}}\n" + ours, false,
		},
		"every way to depend": {
			`services:
  # the server
  a:
    build: .
  b:
    image: x # pinned
    restart: always
  c:
    image: x
    depends_on:
      # first
      - a
  d: &d
    image: x
    depends_on:
    - a
  e:
    image: x
    depends_on: [z, a]
  f:
    image: x
    depends_on:
        a:
          condition: service_started
  g: {labels: {x: "ééé"}, image: x, depends_on: {"z": {condition: service_started}}}
  z:
    image: x
    depends_on: []
` + ours,
			`services:
  memsys:
    provider:
      type: memsys
  # the server
  a:
    depends_on: [memsys]
    build: .
  b:
    image: x # pinned
    depends_on: [memsys]
    restart: always
  c:
    image: x
    depends_on:
      - memsys
      # first
      - a
  d: &d
    image: x
    depends_on:
    - memsys
    - a
  e:
    image: x
    depends_on: [memsys, z, a]
  f:
    image: x
    depends_on:
        memsys: {condition: service_started}
        a:
          condition: service_started
  g: {labels: {x: "ééé"}, image: x, depends_on: {memsys: {condition: service_started}, "z": {condition: service_started}}}
  z:
    image: x
    depends_on: [memsys]
` + ours, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, remarks := edited(t, t.TempDir(), map[string]string{"compose.yaml": c.old}, c.provider)
			assert.Equal(t, got, c.want)
			assert.Equal(t, len(remarks), 0)
		})
	}
}

func TestAnEditLeavesToAPersonWhatItCannotAdd(t *testing.T) {
	files := map[string]string{
		"compose.yaml":          "x-base: &base\n  image: x\n  depends_on: [b]\nservices:\n  a:\n    <<: *base\n  b:\n    image: x\n",
		"compose.override.yaml": "services: {c: {image: x}}\n",
	}
	p, err := tryProject(t, t.TempDir(), files)
	assert.NilError(t, err)
	e, err := p.Edit(t.Context(), true)
	assert.NilError(t, err)
	assert.DeepEqual(t, e.Remarks, []string{
		"service a: add memsys to its depends_on by hand", "service c: add memsys to its depends_on by hand",
	})
	assert.Assert(t, strings.Contains(string(e.New), "  b:\n    image: x\n    depends_on: [memsys]\n"))
}

func TestAnEditThatWouldChangeTheProjectIsRefused(t *testing.T) {
	for yaml, want := range map[string]string{
		`{"services": {"a": {"image": "x"}}}`:                                      "written in a way that cannot be added to",
		"services: {a: {image: x}}\nx-all: &all {quiesce: stop}\nx-memsys: *all\n": "written in a way that cannot be added to",
		"services:\n  memsys: {image: x}\n":                                        "there is a service named memsys, which this plugin does not provide",
		"services: {a: {image: x}}\n...\n":                                         "written in a way that cannot be added to",
	} {
		dir := t.TempDir()
		p, err := tryProject(t, dir, map[string]string{"compose.yaml": yaml})
		assert.NilError(t, err, yaml)
		_, err = p.Edit(t.Context(), true)
		assert.ErrorContains(t, err, want)
		assert.Equal(t, read(t, filepath.Join(dir, "compose.yaml")), yaml)
	}
}

func TestTheBackupsDirectoryIsWrittenAsItLies(t *testing.T) {
	got, _ := edited(t, t.TempDir(), map[string]string{"compose.yaml": "services: {a: {image: x, volumes: ['/opt/$$x/backups:/b']}}\n"}, false)
	assert.Assert(t, strings.Contains(got, "  backups: /opt/$$x/backups\n"), got)
}

// TestEveryProjectOfTheRecordsCanBeAddedTo: in whichever way it is written, it is added to so that it stays what it was, or is left alone.
func TestEveryProjectOfTheRecordsCanBeAddedTo(t *testing.T) {
	t.Setenv("HOME", "/home/someone")
	left := map[string]string{
		"stdin": "is no file on this machine", "documents": "it does not hold exactly one document",
	}
	apart := t.TempDir() // of the same file compose-go warns once in a process: the record of it is another test's
	assert.NilError(t, os.CopyFS(apart, os.DirFS("testdata")))
	for _, c := range testCases(t) {
		t.Run(c.name, func(t *testing.T) {
			c.dir = filepath.Join(apart, c.name)
			o := c.options(t)
			p, err := Load(t.Context(), o)
			assert.NilError(t, err)
			e, err := p.Edit(t.Context(), true)
			if why := left[c.name]; why != "" {
				assert.ErrorContains(t, err, why)
				return
			}
			assert.NilError(t, err)
			at := 0
			for line := range strings.Lines(string(e.Old)) { // the old lines are all there, in their order
				line = strings.TrimSuffix(line, "\n")
				i := strings.Index(string(e.New[at:]), line)
				if strings.ContainsAny(line, "{[") && i < 0 {
					continue // within its signs it was added to
				}
				assert.Assert(t, i >= 0, "%q is gone", line)
				at += i + len(line)
			}
			o.contents = map[string][]byte{e.Path: e.New}
			next, err := Load(t.Context(), o)
			assert.NilError(t, err)
			assert.Assert(t, next.model.AllServices()[ProviderType].Provider != nil)
		})
	}
}
