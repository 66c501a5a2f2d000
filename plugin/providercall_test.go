package plugin

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestTheCallingComposeIsReadFromItsCommandLine(t *testing.T) {
	for _, c := range []struct {
		line    string
		globals string
		files   string
		dir     string
		profile string
		verb    string // what Compose does, with its arguments
		dry     bool
		unseen  bool
	}{
		{line: "/usr/libexec/docker/cli-plugins/docker-compose compose up -d", verb: "up -d"},
		{line: "docker-compose --context far compose -f a.yaml --file=b.yaml up", globals: "--context far", files: "a.yaml b.yaml", verb: "up"},
		{line: "docker-compose -H tcp://far:1 -D compose --dry-run up app", globals: "-H tcp://far:1 -D", verb: "up app", dry: true},
		{line: "docker-compose compose up --dry-run", verb: "up --dry-run", dry: true},
		{line: "docker-compose compose up --dry-run=false", verb: "up --dry-run=false"},
		{line: "docker-compose --context compose compose up", globals: "--context compose", verb: "up"},
		{line: "docker-compose compose --project-directory there --profile x --ansi never --progress json --verbose down -v", dir: "there", profile: "x", verb: "down -v"},
		{line: "docker-compose compose --workdir there -pnotes stop", dir: "there", verb: "stop"},
		{line: "docker-compose -f a.yaml up", files: "a.yaml", verb: "up"}, // by itself
		{line: "docker-compose --tlsverify -f a.yaml up", globals: "--tlsverify", files: "a.yaml", verb: "up"},
		{line: "docker-compose compose up compose", verb: "up compose"},
		{line: "docker-compose compose", unseen: true},
		{line: "docker-compose compose --file", unseen: true},
		{line: "/usr/bin/python3 compose up", unseen: true},
		{line: "", unseen: true},
	} {
		got := parseComposeCall(strings.Fields(c.line))
		assert.Equal(t, got.seen, !c.unseen, c.line)
		assert.Equal(t, got.dryRun(), c.dry, c.line)
		if c.unseen {
			continue
		}
		assert.Equal(t, strings.Join(got.globals, " "), c.globals, c.line)
		assert.Equal(t, strings.Join(got.flags.files, " "), c.files, c.line)
		assert.Equal(t, got.flags.projectDir, c.dir, c.line)
		assert.Equal(t, strings.Join(got.flags.profiles, " "), c.profile, c.line)
		assert.Equal(t, strings.Join(append([]string{got.command.verb}, got.command.args...), " "), c.verb, c.line)
	}
}

func TestFlagsOfAnotherVerbAreNotThoseOfTheProviders(t *testing.T) {
	call := parseComposeCall(strings.Fields("docker-compose compose down -v"))
	assert.Check(t, call.commandFor("down").on("volumes"))
	assert.Check(t, !call.commandFor("up").on("volumes"))
	assert.Equal(t, call.commandFor("up").verb, "up")
	assert.Equal(t, (&composeCall{}).commandFor("stop").verb, "stop")
}

func TestARunKnowsItsOwnProjectsProvider(t *testing.T) {
	a := newApp(&world{Environ: []string{"PATH=/bin", runVariable + "=old/1"}})
	assert.NilError(t, a.enterRun("notes"))
	environ := a.environOf()
	runs := slices.DeleteFunc(environ, func(pair string) bool { return !strings.HasPrefix(pair, runVariable+"=") })
	assert.Equal(t, len(runs), 1)
	for _, c := range []struct {
		environ []string
		inside  bool
	}{{runs, true}, {[]string{runVariable + "=other/1"}, false}, {[]string{runVariable + "=notes"}, false}, {[]string{runVariable + "=notes/"}, false}, {nil, false}} {
		assert.Equal(t, newApp(&world{Environ: c.environ}).insideRun("notes"), c.inside, "%v", c.environ)
	}
}

func TestArgumentsAreReadAsMacOSKeepsThem(t *testing.T) {
	count := func(n uint32) string { return string(binary.NativeEndian.AppendUint32(nil, n)) }
	for raw, want := range map[string][]string{
		count(3) + "/bin/docker-compose\x00\x00\x00\x00docker-compose\x00compose\x00up\x00HOME=/root\x00": {"docker-compose", "compose", "up"},
		count(3) + "/bin/x\x00x\x00\x00last\x00":                                                          {"x", "", "last"},
		count(3) + "/bin/x\x00x\x00cut":                                                                   nil,
		count(0) + "/bin/x\x00":                                                                           nil,
		count(1<<31) + "/bin/x\x00x\x00":                                                                  nil,
		"":                                                                                                nil, "abc": nil, count(1) + "no zeros": nil,
	} {
		assert.DeepEqual(t, processArgs([]byte(raw)), want)
	}
}
