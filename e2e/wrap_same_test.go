//go:build e2e && unix

package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// twinsProject has what changes how docker compose behaves: dependencies, profiles, a service that ends, one that fails, volumes of all kinds.
const twinsProject = `
services:
  app:
    image: ` + Busybox + `
    command: ["sh", "-c", "trap 'exit 0' TERM; echo app begins; while :; do sleep 0.1; done"]
    stop_grace_period: 2s
    depends_on: [store]
    volumes: ["./data:/data", "/anonymous"]
    labels: {com.example.team: home}
  store:
    image: ` + Busybox + `
    command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    stop_grace_period: 2s
    volumes: ["named:/store"]
  once:
    image: ` + Busybox + `
    command: ["echo", "done once"]
    profiles: [tools]
  failing:
    image: ` + Busybox + `
    command: ["sh", "-c", "echo fails; exit 3"]
    profiles: [broken]
volumes:
  named: {}
`

const twinsOverride = `
services:
  app:
    environment: {COLOUR: blue}
  extra:
    image: ` + Busybox + `
    command: ["sleep", "1000"]
    stop_grace_period: 0s
`

// twinsLines are command lines of docker compose, one after the other on one project.
var twinsLines = []string{
	"up -d",
	"up -d",
	"up --detach --wait store",
	"--dry-run up -d --force-recreate",
	"up --dry-run -d -V",
	"up -d --no-deps app",
	"up -d --scale store=2",
	"up -d --scale=store=1 --remove-orphans",
	"up -d -V app",
	"up -d --force-recreate --always-recreate-deps app",
	"up -d --no-recreate",
	"restart",
	"restart -t 1 app",
	"restart --no-deps app",
	"restart nosuch",
	"stop app",
	"stop -t 1",
	"stop",
	"up -d --no-start",
	"up -d --quiet-pull --pull never",
	"--profile tools up --no-log-prefix once",
	"--profile tools up --no-color --abort-on-container-exit once",
	"--profile broken up --exit-code-from failing failing",
	"--profile broken up --abort-on-container-failure failing",
	"--profile broken --profile tools up -d",
	"-f compose.yaml -f override.yaml up -d",
	"--file compose.yaml --file override.yaml up -d extra",
	"--ansi never --progress plain up -d",
	"--parallel 1 --all-resources up -d",
	"--compatibility up -d",
	"up -d --timeout",
	"up -d --no-such-flag",
	"up -d nosuch",
	"-f nosuch.yaml up -d",
	"-f broken.yaml up -d",
	"--project-directory . -f compose.yaml up -d",
	"--env-file nosuch.env up -d",
	"pull --policy nosuch",
	"pull --ignore-buildable --policy missing",
	"pull -q nosuch",
	"down --remove-orphans",
	"up -d",
	"down -t 1 app",
	"down --rmi nosuch",
	"down",
	"down",
	"up -d",
	"down -v",
}

// TestWhatComposeDoesIsTheSameThroughMemsys runs the same command lines on two projects that differ in their name alone: exit code, standard
// output and what the engine has afterwards must be the same.
func TestWhatComposeDoesIsTheSameThroughMemsys(t *testing.T) {
	t.Parallel()
	NeedImage(t, Busybox)
	plain, ours := newTwin(t), newTwin(t)
	for i, line := range twinsLines {
		args := strings.Fields(line)
		plainly := make(chan *icmd.Result)
		go func() { plainly <- plain.Compose(args...) }()
		got := ours.Memsys(unwatched(args)...)
		want := <-plainly
		where := fmt.Sprintf("%d: %s", i, line)
		assert.Equal(t, got.ExitCode, want.ExitCode, "%s\nCompose: %s\nmemsys: %s", where, want.Combined(), got.Combined())
		assert.Equal(t, ours.neutral(got.Stdout()), plain.neutral(want.Stdout()), where)
		assert.Equal(t, ours.state(), plain.state(), where)
	}
}

// unwatched leaves out what memsys does after docker compose: that a service fails it tells by an exit code of its own.
func unwatched(args []string) []string {
	for i, arg := range args {
		if arg == "up" || arg == "restart" {
			return slices.Insert(slices.Clone(args), i+1, "--no-ready")
		}
	}
	return args
}

// TestCtrlCReachesComposeThroughMemsys: an up in a terminal, and one without, that are interrupted.
func TestCtrlCReachesComposeThroughMemsys(t *testing.T) {
	t.Parallel()
	NeedImage(t, Busybox)
	end := func(p *Project, terminal bool, args ...string) int {
		var run *Process
		if terminal {
			run = p.RunTTY("docker", args...)
		} else {
			run = p.Start("docker", args...)
		}
		run.WaitFor("app begins")
		if terminal {
			run.Interrupt()
		} else {
			run.Signal(syscall.SIGTERM)
		}
		return run.Wait()
	}
	for _, terminal := range []bool{false, true} {
		plain, ours := newTwin(t), newTwin(t)
		want := end(plain.Project, terminal, "compose", "up")
		assert.Equal(t, end(ours.Project, terminal, "memsys", "up"), want, "terminal: %v", terminal)
		assert.Equal(t, ours.state(), plain.state(), "terminal: %v", terminal)
	}
}

// twin is a project that is compared with another.
type twin struct{ *Project }

func newTwin(t *testing.T) twin {
	p := NewProject(t, twinsProject)
	p.Write("override.yaml", twinsOverride)
	p.Write("broken.yaml", "services: [")
	p.Write("data/memory.json", `{"id": "1"}`)
	return twin{p}
}

// neutral is output without what differs between two runs of the same.
func (p twin) neutral(out string) string {
	out = strings.NewReplacer(p.Name, "PROJECT", p.Dir, "DIR").Replace(out)
	return regexp.MustCompile(`[0-9a-f]{12,64}`).ReplaceAllString(out, "ID")
}

// state is what the engine has of the project: containers with their state, labels and mounts, volumes, networks.
func (p twin) state() string {
	p.t.Helper()
	var lines []string
	filter := "label=com.docker.compose.project=" + p.Name
	ids := strings.Fields(p.Output("ps", "--all", "--quiet", "--no-trunc", "--filter", filter))
	for _, id := range ids {
		lines = append(lines, p.container(id))
	}
	for _, list := range []string{"volume", "network"} {
		for _, name := range strings.Fields(p.Output(list, "ls", "--format", "{{.Name}}", "--filter", filter)) {
			lines = append(lines, list+" "+p.neutral(name))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// container is one of the project's, in one line. One that is about to end is waited for.
func (p twin) container(id string) string {
	p.t.Helper()
	var c struct {
		Name  string
		State struct {
			Status   string
			ExitCode int
		}
		Config struct{ Labels map[string]string }
		Mounts []struct{ Type, Destination string }
	}
	for range 50 {
		text := p.Output("inspect", "--format", "{{json .}}", id)
		assert.NilError(p.t, json.Unmarshal([]byte(text), &c))
		if once := c.Config.Labels["com.docker.compose.service"]; c.State.Status != "running" || once != "once" && once != "failing" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(c.Config.Labels)) {
		value := p.neutral(c.Config.Labels[key])
		if strings.HasSuffix(key, ".config-hash") || strings.HasSuffix(key, ".replace") {
			value = "there" // the project's name is in it
		}
		labels = append(labels, key+"="+value)
	}
	slices.SortFunc(c.Mounts, func(a, b struct{ Type, Destination string }) int { return cmp.Compare(a.Destination, b.Destination) })
	return fmt.Sprintf("container %s %s %d %v %v", p.neutral(c.Name), c.State.Status, c.State.ExitCode, labels, c.Mounts)
}
