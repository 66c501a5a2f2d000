package compose

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

const oneService = "services: {a: {image: x}}\n"

// TestSettingsErrorsNamePlaceAndCure plants faults in x-memsys; every one is refused when the project loads, in one line that begins with the place.
func TestSettingsErrorsNamePlaceAndCure(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"x-memsys:\n  retension: {daily: 3}", `compose.yaml:3:3: unknown key "retension" in x-memsys, did you mean "retention"?`},
		{"x-memsys:\n  retention: {dayly: 3}", `compose.yaml:3:15: unknown key "dayly" in x-memsys.retention, did you mean "daily"?`},
		{"x-memsys:\n  colour: red", `compose.yaml:3:3: unknown key "colour" in x-memsys: it takes backups, chroma, exclude, force, health, helper, hooks, max-age, memories, quiesce, quiesce-limit, retention, time-zone, validate, vectors`},
		{"x-memsys:\n  retention: {daily: '3'}", `compose.yaml:3:15: x-memsys.retention.daily: must be a number, not the text "3"`},
		{"x-memsys:\n  retention: {daily: 1.5}", `compose.yaml:3:15: x-memsys.retention.daily: must be a number, not 1.5`},
		{"x-memsys:\n  retention: {daily: -3}", `compose.yaml:3:15: x-memsys.retention.daily: must be 0 or more, not -3`},
		{"x-memsys:\n  retention: {daily: '${D:-many}'}", `compose.yaml:3:15: x-memsys.retention.daily: must be a whole number, not "many"`},
		{"x-memsys:\n  retention: 3", `compose.yaml:3:3: x-memsys.retention: must be a mapping with daily, last, monthly, weekly, not 3`},
		{"x-memsys: [a]", `compose.yaml:2:1: x-memsys: must be a mapping with backups, chroma, exclude, force, health, helper, hooks, max-age, memories, quiesce, quiesce-limit, retention, time-zone, validate, vectors, not a list`},
		{"x-memsys:\n  exclude: '*.bak'", `compose.yaml:3:3: x-memsys.exclude: must be a list of texts, not the text "*.bak"`},
		{"x-memsys:\n  exclude: [a, 3]", `compose.yaml:3:3: x-memsys.exclude: must be a list of texts, not a list with 3`},
		{"x-memsys:\n  exclude: ['[']", `compose.yaml:3:3: x-memsys.exclude: "[" is not a pattern`},
		{"x-memsys:\n  exclude: ['']", `compose.yaml:3:3: x-memsys.exclude: has an empty pattern`},
		{"x-memsys:\n  health:\n    timeout: 90", `compose.yaml:4:5: x-memsys.health.timeout: must be a text, not 90`},
		{"x-memsys:\n  health:\n    timeout: '90'", `compose.yaml:4:5: x-memsys.health.timeout: must be a number and a unit, such as 90s or 2m, not "90"`},
		{"x-memsys:\n  quiesce-limit: -1s", `compose.yaml:3:3: x-memsys.quiesce-limit: must be more than 0, not -1s`},
		{"x-memsys:\n  health: {url: 'localhost:3000'}", `compose.yaml:3:12: x-memsys.health.url: must be an address such as http://localhost:3000/health, not "localhost:3000"`},
		{"x-memsys:\n  quiesce: pauze", `compose.yaml:3:3: x-memsys.quiesce: must be one of auto, pause, stop, none, not "pauze", did you mean "pause"?`},
		{"x-memsys:\n  max-age: 0d", `compose.yaml:3:3: x-memsys.max-age: must be a number of days such as 7d, or such as 36h, not "0d"`},
		{"x-memsys:\n  max-age: soon", `compose.yaml:3:3: x-memsys.max-age: must be a number and a unit, such as 90s or 2m, not "soon"`},
		{"x-memsys:\n  force: ['']", `compose.yaml:3:3: x-memsys.force: has an empty name`},
		{"x-memsys:\n  time-zone: mars", `compose.yaml:3:3: x-memsys.time-zone: must be one of local, utc, not "mars"`},
		{"volumes:\n  v: {x-memsys: {exclude: [a]}}", `compose.yaml:3:7: volumes.v.x-memsys: has no meaning here, write it at the top level or in a service`},
		{"jobs:\n  j: {image: x, triggers: {manual: true}, x-memsys: {exclude: [a]}}", `compose.yaml:3:43: jobs.j.x-memsys: has no meaning here, write it at the top level or in a service`},
	} {
		t.Run(c.want, func(t *testing.T) {
			_, err := tryProject(t, t.TempDir(), map[string]string{"compose.yaml": oneService + c.yaml})
			assert.Error(t, err, c.want)
		})
	}
}

func TestProjectHookErrorsNamePlaceAndCure(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"before-up: {command: check.sh}", `compose.yaml:4:17: x-memsys.hooks.before-up.command: must be a list such as [node, flush.js], no shell is involved`},
		{"before-ub: {command: [x]}", `compose.yaml:4:5: unknown key "before-ub" in x-memsys.hooks, did you mean "before-up"?`},
		{"on-failure: {command: [x], service: b}", `compose.yaml:4:32: x-memsys.hooks.on-failure.service: there is no service "b", did you mean "a"?`},
		{"on-failure: {command: [x], service: 1}", `compose.yaml:4:32: x-memsys.hooks.on-failure.service: must be the name of a service, not 1`},
		{"after-pull: {command: [x], on-error: ignore}", `compose.yaml:4:32: x-memsys.hooks.after-pull.on-error: must be one of fail, continue, not "ignore"`},
	} {
		t.Run(c.want, func(t *testing.T) {
			_, err := tryProject(t, t.TempDir(), map[string]string{"compose.yaml": oneService + "x-memsys:\n  hooks:\n    " + c.yaml})
			assert.Error(t, err, c.want)
		})
	}
}

func TestHooksOfTheProject(t *testing.T) {
	p, err := tryProject(t, t.TempDir(), map[string]string{"compose.yaml": oneService + `x-memsys:
  hooks:
    on-failure: {command: [tell, me], on-error: continue}
    before-up: {command: [check], timeout: 5s, service: a}
`})
	assert.NilError(t, err)
	assert.DeepEqual(t, p.Hooks(), []Hook{
		{Service: "a", When: "before-up", Command: []string{"check"}, Timeout: 5 * time.Second, OnError: "fail", Project: true},
		{When: "on-failure", Command: []string{"tell", "me"}, Timeout: time.Minute, OnError: "continue", Project: true},
	})
	p.ConfigFiles = []string{"https://user:hunter2@example.com/notes.git"}
	all := p.Hooks()
	assert.Equal(t, all[0].Refused, "")
	assert.Equal(t, all[1].Refused, "the project comes from https://user:xxxxx@example.com/notes.git, which may run nothing on this machine")
}

func TestHookErrorsNamePlaceAndCure(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"before-backup: {command: flush.sh}", `compose.yaml:5:23: services.a.x-memsys.before-backup.command: must be a list such as [node, flush.js], no shell is involved`},
		{"before-backup: {timeout: 3s}", `compose.yaml:5:7: services.a.x-memsys.before-backup.command: must be a list such as [node, flush.js], no shell is involved`},
		{"before-bakup: {command: [x]}", `compose.yaml:5:7: unknown key "before-bakup" in services.a.x-memsys, did you mean "before-backup"?`},
		{"before-backup: {command: [x], timeout: 3}", `compose.yaml:5:37: services.a.x-memsys.before-backup.timeout: must be a number and a unit, such as 90s or 2m, not 3`},
		{"before-backup: {command: [x], on-error: ignore}", `compose.yaml:5:37: services.a.x-memsys.before-backup.on-error: must be one of fail, continue, not "ignore"`},
		{"before-backup: run", `compose.yaml:5:7: services.a.x-memsys.before-backup: must be a mapping with command, on-error, timeout, not the text "run"`},
	} {
		t.Run(c.want, func(t *testing.T) {
			_, err := tryProject(t, t.TempDir(), map[string]string{"compose.yaml": "services:\n  a:\n    image: x\n    x-memsys:\n      " + c.yaml})
			assert.Error(t, err, c.want)
		})
	}
}

func TestPlacesAreOfTheFileThatSetsIt(t *testing.T) {
	files := map[string]string{
		"compose.yaml":          oneService + "x-memsys:\n  quiesce: stop\n  retention: {daily: 1}\n",
		"compose.override.yaml": "x-memsys:\n  retention:\n    daily: nine\n",
	}
	_, err := tryProject(t, t.TempDir(), files)
	assert.Error(t, err, `compose.override.yaml:3:5: x-memsys.retention.daily: must be a number, not the text "nine"`)
	files["compose.override.yaml"] = "x-memsys: {}\nservices: {a: {extends: {file: part/base.yaml, service: b}}}\n"
	files["part/base.yaml"] = "services:\n  b:\n    x-memsys:\n      before-backups: {command: [x]}\n"
	_, err = tryProject(t, t.TempDir(), files)
	assert.Error(t, err, filepath.FromSlash("part/base.yaml")+`:4:7: unknown key "before-backups" in services.b.x-memsys, did you mean "before-backup"?`)
}

func TestAliasesAndMergeKeysHavePlaces(t *testing.T) {
	_, err := tryProject(t, t.TempDir(), map[string]string{"compose.yaml": "x-base: &base\n  dayly: 3\n" + oneService + "x-memsys:\n  retention:\n    <<: *base\n"})
	assert.Error(t, err, `compose.yaml:2:3: unknown key "dayly" in x-memsys.retention, did you mean "daily"?`)
}

// TestFlagsOverEnvironmentOverFile sets each level and reads what counts and where it came from.
func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	p := project(t, map[string]string{
		"compose.yaml": oneService + "x-memsys:\n  backups: kept\n  retention: {daily: 3, weekly: 2}\n  exclude: ['*.bak']\n  quiesce: stop\n",
		".env":         "MEMSYS_RETENTION_WEEKLY=6\nMEMSYS_QUIESCE=pause\n",
	})
	c := config(t, p)
	assert.Equal(t, c.Backups, filepath.Join(p.WorkingDir, "kept"))
	assert.Equal(t, c.Origins["backups"], "compose.yaml:3")
	assert.Equal(t, c.Retention, Retention{Daily: 3, Weekly: 6, Monthly: 12, Last: 1})
	assert.Equal(t, c.Origins["retention.weekly"], "MEMSYS_RETENTION_WEEKLY")
	assert.Equal(t, c.Origins["retention.monthly"], "default")

	c, err := p.Config([]string{"MEMSYS_QUIESCE=none", "MEMSYS_BACKUPS=/from/env", "MEMSYS_EXCLUDE=*.old, cache/"}, Overrides{
		Values: map[string][]string{"backups": {"elsewhere"}, "exclude": {"*.new"}, "health.timeout": {"5s"}}, IncludeLogs: true,
	})
	assert.NilError(t, err)
	assert.Equal(t, c.Backups, filepath.Join(p.WorkingDir, "elsewhere"))
	assert.Equal(t, c.Origins["backups"], "--backups")
	assert.Equal(t, c.Quiesce, "none")
	assert.DeepEqual(t, c.Exclude, []string{"*.bak", "*.old", "cache/", "*.new"})
	assert.Equal(t, c.Origins["exclude"], "compose.yaml:5, MEMSYS_EXCLUDE, --exclude")
	assert.Equal(t, c.Health.Timeout, 5*time.Second)
	assert.Assert(t, c.IncludeLogs)
}

func TestEnvironmentAndFlagErrorsNameThem(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": oneService})
	_, err := p.Config([]string{"MEMSYS_RETENTION_DAILY=-1"}, Overrides{})
	assert.Error(t, err, "MEMSYS_RETENTION_DAILY: must be 0 or more, not -1")
	_, err = p.Config(nil, Overrides{Values: map[string][]string{"quiesce": {"stopp"}}})
	assert.Error(t, err, `--quiesce: must be one of auto, pause, stop, none, not "stopp", did you mean "stop"?`)
	var flag *FlagError
	assert.Assert(t, errors.As(err, &flag), "%T", err)
	_, err = p.Config(nil, Overrides{Values: map[string][]string{"retention.daily": {"0"}, "retention.weekly": {"0"}, "retention.monthly": {"0"}, "retention.last": {"0"}}})
	assert.ErrorContains(t, err, "keeps no backup at all")
}

func TestHomeIsExpanded(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": oneService + "x-memsys: {backups: ~/kept}"}, func(o *LoadOptions) { o.Environ = []string{"HOME=/home/me"} })
	assert.Equal(t, config(t, p).Backups, filepath.FromSlash("/home/me/kept"))
}

func TestDefaultAddresses(t *testing.T) {
	for name, c := range map[string]struct{ services, health, chroma string }{
		"nothing known":       {"{a: {image: x}}", "", ""},
		"other port outside":  {"{a: {image: x, ports: ['8080:3000'], healthcheck: {test: 'curl -fsS \"http://127.0.0.1:3000/up?x=1\" || exit 1'}}}", "http://localhost:8080/up?x=1", ""},
		"default port":        {"{a: {image: x, ports: ['8080:80'], healthcheck: {test: [CMD, wget, 'http://localhost/']}}}", "http://localhost:8080/", ""},
		"not published":       {"{a: {image: x, healthcheck: {test: curl http://localhost:3000/}}}", "", ""},
		"engine's choice":     {"{a: {image: x, ports: ['3000'], healthcheck: {test: curl http://localhost:3000/}}}", "", ""},
		"elsewhere":           {"{a: {image: x, ports: ['3000:3000'], healthcheck: {test: curl http://example.org:3000/}}}", "", ""},
		"one address only":    {"{a: {image: x, ports: ['192.0.2.7:3000:3000'], healthcheck: {test: curl http://localhost:3000/}}}", "http://192.0.2.7:3000/", ""},
		"switched off":        {"{a: {image: x, ports: ['3000:3000'], healthcheck: {disable: true}}}", "", ""},
		"chroma's image":      {"{db: {image: 'chromadb/chroma:1.0', ports: ['8001:8000']}}", "", "http://localhost:8001"},
		"a digest":            {"{db: {image: 'r.example:5000/x/chroma@sha256:0123456789012345678901234567890123456789012345678901234567890123', ports: ['8001:9000']}}", "", "http://localhost:8001"},
		"no chroma":           {"{db: {image: 'x/chromatic', ports: ['8001:8000']}}", "", ""},
		"host and port":       {"{a: {image: x, environment: {CHROMA_HOST: 192.0.2.10, CHROMA_PORT: 8001}}}", "", "http://192.0.2.10:8001"},
		"host alone":          {"{a: {image: x, environment: {CHROMA_HOST: chroma.example.org}}}", "", "http://chroma.example.org:8000"},
		"host of the project": {"{a: {image: x, environment: {CHROMA_HOST: db}}, db: {image: y, ports: ['8005:8000']}}", "", "http://localhost:8005"},
		"host not reachable":  {"{a: {image: x, environment: {CHROMA_HOST: db}}, db: {image: y}}", "", ""},
		"this machine":        {"{a: {image: x, environment: {CHROMA_HOST: host.docker.internal}}}", "", "http://localhost:8000"},
	} {
		t.Run(name, func(t *testing.T) {
			got := config(t, project(t, map[string]string{"compose.yaml": "services: " + c.services}))
			assert.Equal(t, got.Health.URL, c.health)
			assert.Equal(t, got.Chroma, c.chroma)
		})
	}
}

func TestChromaFromAnEnvFile(t *testing.T) {
	p := project(t, map[string]string{"compose.yaml": "services: {a: {image: x, env_file: [{path: app.env, format: raw}]}}", "app.env": "# where\nCHROMA_HOST=192.0.2.10\nCHROMA_PORT=9\n"})
	assert.Equal(t, config(t, p).Chroma, "http://192.0.2.10:9")
}

// TestTheDocumentIsTheCode holds the tables of docs/configuration.md to the settings and hooks of the code.
func TestTheDocumentIsTheCode(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	assert.NilError(t, err)
	rows := map[string]bool{}
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "| `") {
			rows[line] = true
		}
	}
	for _, s := range Settings() {
		row := "| `" + s.Name + "` | " + s.Type + " | " + s.Default + " | `" + s.Env + "` | " + s.Doc + " |"
		assert.Check(t, rows[row], "docs/configuration.md lacks: %s", row)
		delete(rows, row)
	}
	for _, point := range HookPoints() {
		row := "| `" + point + "` |"
		assert.Check(t, cmp.Contains(string(b), row))
		for r := range rows {
			if strings.HasPrefix(r, row) {
				delete(rows, r)
			}
		}
	}
	for _, field := range []string{"command", "timeout", "on-error"} {
		for r := range rows {
			if strings.HasPrefix(r, "| `"+field+"` |") {
				delete(rows, r)
			}
		}
	}
	assert.Check(t, len(rows) == 0, "docs/configuration.md has rows that the code does not know: %v", rows)
	assert.Check(t, cmp.Contains(string(b), shortDuration(hookTimeout)))
}
