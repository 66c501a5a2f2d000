//go:build e2e && unix

package e2e

import (
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
	"gotest.tools/v3/poll"
)

// ChromaImage is a real Chroma server, and the node that runs it: scripts/chroma.sh makes it.
const ChromaImage = "memsystest/chroma:latest"

// chromaWriter adds records to two collections without pause. They sync after every fifty records, so that syncs are often under way.
const chromaWriter = `
const base = "http://127.0.0.1:8000/api/v2/tenants/default_tenant/databases/default_database/collections";
const post = async (url, body) => {
  for (;;) try {
    const r = await fetch(url, {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)});
    if (r.ok) return await r.json();
  } catch { await new Promise((f) => setTimeout(f, 50)); }
};
(async () => {
  const ids = [];
  for (const name of ["memories", "sessions"])
    ids.push((await post(base, {name, get_or_create: true, configuration: {hnsw: {sync_threshold: 50}}})).id);
  for (let n = Date.now(); ; n += 20) for (const id of ids) {
    const records = Array.from({length: 20}, (_, i) => String(n + i));
    await post(base + "/" + id + "/add", {ids: records, documents: records.map((r) => "memory " + r),
      embeddings: records.map(() => Array.from({length: 384}, Math.random))});
  }
})();`

// TestBackupsOfABusyChromaAreWhole: a real server, its writer in another container that depends on it.
func TestBackupsOfABusyChromaAreWhole(t *testing.T) {
	if !haveChroma(t) {
		return
	}
	rounds, _ := Campaign(t, 20, 3)
	p := NewProject(t, `
services:
  chroma:
    image: `+ChromaImage+`
    stop_signal: SIGKILL
    volumes: ["./data:/data"]
  writer:
    image: `+ChromaImage+`
    entrypoint: [/usr/bin/node, -e]
    command: ["${CHROMA_WRITER}"]
    network_mode: "service:chroma"
    depends_on: [chroma]
    stop_grace_period: 0s
    volumes: ["./work:/work"]
`)
	p.Setenv("CHROMA_WRITER", chromaWriter)
	p.Write("data/.keep", "")
	p.Write("work/.keep", "")
	p.Up()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if p.Run("sh", "-c", "ls data/*/index_metadata.pickle").ExitCode != 0 {
			return poll.Continue("no index was synced yet")
		}
		return poll.Success()
	})
	var longest float64
	var tries, stops int
	for range rounds {
		h := backupHeld(t, p, "auto")
		assert.Assert(t, h.Complete)
		checkCopy(t, p, h.Path).Assert(t, icmd.Success)
		assert.Equal(t, p.State("chroma"), "running")
		tries += h.Tries
		for _, s := range h.Held {
			if s.Mode == "stop" {
				stops++
			}
		}
		longest = max(longest, h.Seconds.Longest)
	}
	t.Logf("%d backups, %d holds, %d services stopped in the end; longest hold %.3f s", rounds, tries, stops, longest)
}
