//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"
)

// worldReport is what docker memsys validate says of what surrounds the data, by check.
type worldReport map[string]worldResult

type worldResult struct {
	Check struct {
		ID string `json:"id"`
	} `json:"check"`
	Status   string `json:"status"`
	Why      string `json:"why"`
	Findings []struct {
		Status string `json:"status"`
		Object string `json:"object"`
		Text   string `json:"text"`
	} `json:"findings"`
}

// text is all that a result says.
func (r worldResult) text() string {
	all := []string{r.Status, r.Why}
	for _, f := range r.Findings {
		all = append(all, f.Status+" "+f.Object+": "+f.Text)
	}
	return strings.Join(all, "\n")
}

// validateWorld asks for the groups connections and mounts, with an exit code.
func validateWorld(t *testing.T, p *Project, code int) worldReport {
	t.Helper()
	result := p.Memsys("validate", "--checks", "connections,mounts", "--format", "json")
	assert.Equal(t, result.ExitCode, code, result.Combined())
	var report struct {
		Results []worldResult `json:"results"`
	}
	assert.NilError(t, json.Unmarshal([]byte(result.Stdout()), &report), result.Combined())
	out := worldReport{}
	for _, r := range report.Results {
		out[r.Check.ID] = r
	}
	return out
}

// is asserts what a check came to.
func (r worldReport) is(t *testing.T, check, status string, texts ...string) {
	t.Helper()
	got, ok := r[check]
	assert.Assert(t, ok, "no result of %s", check)
	assert.Equal(t, got.Status, status, check+": "+got.text())
	for _, text := range texts {
		assert.Assert(t, strings.Contains(got.text(), text), "%s: %q is not in: %s", check, text, got.text())
	}
}

func TestTheSampleSystemsSurroundingsAreJudged(t *testing.T) {
	p := Sample(t, 20)
	healthy := validateWorld(t, p, 0)
	healthy.is(t, "connections.health", "ok", "answered 200")
	for _, check := range []string{"mounts.match", "mounts.layer", "mounts.shared"} {
		healthy.is(t, check, "ok")
	}
	t.Run("a wrong health address is named", func(t *testing.T) {
		p.Write("compose.memsys.yaml", "x-memsys: {health: {url: 'http://"+p.Address("memory-system", "3000")+"/helth'}}\n")
		p.Setenv("COMPOSE_FILE", "compose.yaml:compose.override.yaml:compose.memsys.yaml")
		t.Cleanup(func() { p.Write("compose.memsys.yaml", "{}\n") })
		validateWorld(t, p, 0).is(t, "connections.health", "warning", "answered 404", "this is not its health address, health.url of compose.memsys.yaml:1")
	})
	t.Run("a mount that differs is named", func(t *testing.T) {
		p.Setenv("MEMORY_SYSTEM_HOME", p.Path("moved"))
		t.Cleanup(func() { p.Setenv("MEMORY_SYSTEM_HOME", p.Path("home")) })
		report := validateWorld(t, p, 3) // a source that is not there cannot be read
		report.is(t, "mounts.match", "warning", "has "+p.Path("home", "data")+" mounted at /app/data, where the compose file has "+p.Path("moved", "data"))
		report.is(t, "mounts.shared", "warning", p.Path("moved", "data")+": is not there")
	})
	t.Run("another project that writes the same data is named", func(t *testing.T) {
		other := NewProject(t, "services: {w: {image: '"+Busybox+"', command: [tail, -f, /dev/null], stop_grace_period: 0s, volumes: ['"+p.Path("home", "data")+":/d']}}")
		other.Up()
		validateWorld(t, p, 0).is(t, "mounts.shared", "warning", "container "+other.Name+"-w-1 of project "+other.Name)
	})
	t.Run("a service that is down is no damage", func(t *testing.T) {
		p.Compose("pause").Assert(t, icmd.Success)
		validateWorld(t, p, 0).is(t, "connections.health", "not checked", "is paused")
		p.Compose("unpause").Assert(t, icmd.Success)
		p.Compose("stop").Assert(t, icmd.Success)
		validateWorld(t, p, 0).is(t, "connections.health", "not checked", "is exited")
	})
}

// TestDataOutsideOfMountsIsFound: files in the layer beside a mount, and a volume without a name.
func TestDataOutsideOfMountsIsFound(t *testing.T) {
	NeedImage(t, Busybox)
	p := NewProject(t, `
services:
  box:
    image: `+Busybox+`
    command: [tail, -f, /dev/null]
    stop_grace_period: 0s
    volumes: ["./files:/app/files", "/index"]
`)
	p.Write("files/one.json", "{}")
	p.Up()
	validateWorld(t, p, 0).is(t, "mounts.layer", "ok")
	p.Exec("box", "sh", "-c", "mkdir -p /app/data/memories /app/node_modules; echo 12345 >/app/data/memories/one.json; echo x >/app/node_modules/x.json; echo x >/index/x")
	report := validateWorld(t, p, 0)
	report.is(t, "mounts.layer", "warning", p.Name+"-box-1:/app/data: data (1 file, 6B, such as one.json)", p.Name+"-box-1:/index: data lies in a volume without a name")
	assert.Equal(t, len(report["mounts.layer"].Findings), 2, report["mounts.layer"].text())
}

const askChroma = `
const base = "http://127.0.0.1:8000/api/v2/tenants/default_tenant/databases/default_database/collections";
const post = async (url, body) => {
  for (;;) try {
    const r = await fetch(url, {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)});
    if (r.ok) return await r.json();
  } catch { await new Promise((f) => setTimeout(f, 50)); }
};
(async () => {
  const {id} = await post(base, {name: "memories", get_or_create: true});
  const ids = Array.from({length: 12}, (_, i) => String(i));
  await post(base + "/" + id + "/upsert", {ids, documents: ids, embeddings: ids.map(() => Array.from({length: 8}, Math.random))});
})();`

// chromaAt is a project with a real Chroma server whose volume is mounted somewhere, and with what its service says besides.
func chromaAt(t *testing.T, target, more string) *Project {
	t.Helper()
	p := NewProject(t, `
services:
  chroma:
    image: `+ChromaImage+`
    stop_signal: SIGKILL
    volumes: ["chroma:`+target+`"]
`+more+`
volumes: {chroma: {}}
`)
	p.Up()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if r := p.Docker("exec", p.Container("chroma"), "/usr/bin/node", "-e", askChroma); r.ExitCode != 0 {
			return poll.Continue("%s", r.Combined())
		}
		return poll.Success()
	})
	return p
}

// TestARealChromaIsAsked: healthy, down, and with its data where the compose file mounts nothing.
func TestARealChromaIsAsked(t *testing.T) {
	if !haveChroma(t) {
		return
	}
	t.Run("in its volume", func(t *testing.T) {
		p := chromaAt(t, "/data", `    ports: ["127.0.0.1::8000"]`)
		report := validateWorld(t, p, 0)
		report.is(t, "connections.chroma", "ok", "Chroma 1.x at http://127.0.0.1:", "1 collection, 12 records, heartbeat")
		report.is(t, "connections.chroma-collections", "ok", "keeps its 1 collection in /data")
		report.is(t, "mounts.layer", "ok")
		p.Compose("stop").Assert(t, icmd.Success)
		report = validateWorld(t, p, 0)
		report.is(t, "connections.chroma", "not checked", "service chroma does not run")
		report.is(t, "mounts.layer", "ok")
	})
	t.Run("not published, with credentials that it does not ask for", func(t *testing.T) {
		p := chromaAt(t, "/data", `    environment: {CHROMA_SERVER_AUTHN_PROVIDER: chromadb.auth.token_authn.TokenAuthenticationServerProvider, CHROMA_SERVER_AUTHN_CREDENTIALS: geheim}`)
		report := validateWorld(t, p, 0)
		report.is(t, "connections.chroma", "warning", "1 collection, 12 records", "to everyone")
		assert.Assert(t, !strings.Contains(report["connections.chroma"].text(), "geheim"))
	})
	t.Run("in its container's layer", func(t *testing.T) {
		p := chromaAt(t, "/chroma/chroma", `    ports: ["127.0.0.1::8000"]`)
		report := validateWorld(t, p, 4)
		explained := "It has volume " + p.Name + "_chroma mounted at /chroma/chroma, where Chroma kept its data before 1.0; since then it is /data"
		report.is(t, "connections.chroma-collections", "damaged", "lists 1 collection with 12 records, but keeps them in /data", explained)
		report.is(t, "mounts.layer", "damaged", p.Name+"-chroma-1:/data: a Chroma database", explained)
		p.Compose("stop").Assert(t, icmd.Success)
		validateWorld(t, p, 4).is(t, "mounts.layer", "damaged", "docker compose down deletes it")
	})
}
