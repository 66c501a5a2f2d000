package validate

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// Engine is what is asked of the Docker Engine about the containers' own layers.
type Engine interface {
	Changes(ctx context.Context, id string, limit int) ([]engine.Change, error)
	Stat(ctx context.Context, id, path string) (engine.PathInfo, error)
	Volume(ctx context.Context, name string) (engine.Volume, error)
}

// World is what stands around the data of a project: the servers that answer for it, and the mounts through which its services see it. Nothing
// in it is changed, and nothing runs inside of a container.
type World struct {
	Project string // its name
	// Health and Chroma are where to ask; Plans is what the compose file mounts.
	Health, Chroma []compose.Endpoint
	Plans          []compose.ServicePlan
	// Variables are those of the services that name credentials, tenants and folders of a Chroma server.
	Variables map[string]map[string]string
	// OwnMount tells live mounts that stand in no plan and belong there: secrets, configurations, places of the system.
	OwnMount func(service string, m engine.Mount) bool

	// Engine is nil where none answers; NoEngine says why. Containers are all of it.
	Engine     Engine
	NoEngine   string
	Containers []engine.Container
	Info       engine.Info
	// EngineAddress is how the engine is reached: unix:///var/run/docker.sock, ssh://me@box.
	EngineAddress string

	// Inventories are the counted contents of the sources, Results what was found in them, and Sources where they are mounted, to compare with what
	// a server tells; nil: no comparison.
	Inventories map[string]inventory.Inventory
	Results     []inventory.Result
	Sources     []compose.Source

	HTTP *http.Client
	Now  func() time.Time
	// Timeout bounds each request; 0 is 5 s.
	Timeout time.Duration
	// Exists tells whether a path of the engine's host is there, and Empty whether a folder of it holds nothing; nil where its files are not this machine's.
	Exists func(path string) error
	Empty  func(path string) (bool, error)
	// Wants tells whether a check is to be made; nil: all.
	Wants func(id string) bool

	layers map[string]layer // by container, once it was asked for
	before []chromaServer   // what the servers told before the data was looked at
}

const (
	// requestTime is how long one request to a server may take.
	requestTime = 5 * time.Second
	// worldTime is how long one check may take, whatever servers and engine do.
	worldTime = 2 * time.Minute
)

// WorldChecks are the checks of the groups connections and mounts.
func WorldChecks() []inventory.Check {
	return []inventory.Check{healthCheck(), chromaCheck(), collectionsCheck(), matchCheck(), layerCheck(), sharedCheck()}
}

func healthCheck() inventory.Check {
	return inventory.Check{ID: "connections.health", Title: "health of the services"}
}

func chromaCheck() inventory.Check {
	return inventory.Check{ID: "connections.chroma", Title: "Chroma servers"}
}

func collectionsCheck() inventory.Check {
	return inventory.Check{ID: "connections.chroma-collections", Title: "Chroma's collections and their folder"}
}

func matchCheck() inventory.Check {
	return inventory.Check{ID: "mounts.match", Title: "mounts of the containers"}
}

func layerCheck() inventory.Check {
	return inventory.Check{ID: "mounts.layer", Title: "data outside of mounts"}
}

func sharedCheck() inventory.Check {
	return inventory.Check{ID: "mounts.shared", Title: "shared and missing places"}
}

// Ask asks the servers for their collections before the data is looked at. Who writes meanwhile makes the two differ; so only what a server says
// before and after is compared with what was counted in between. Nothing is counted here: a server that counts does what waits in its queue first.
func (w *World) Ask(ctx context.Context) {
	if w.wants(collectionsCheck()) {
		w.before = w.askChroma(ctx, nil)
	}
}

// Check makes the checks that are wanted, and returns their results in the order of WorldChecks. Its error is the context's.
func (w *World) Check(ctx context.Context) ([]inventory.Result, error) {
	var servers []chromaServer
	if w.wants(chromaCheck()) || w.wants(collectionsCheck()) || w.wants(layerCheck()) {
		servers = w.askChroma(ctx, w.count)
	}
	var results []inventory.Result
	for _, one := range []struct {
		check inventory.Check
		make  func(ctx context.Context, v *verdict)
	}{
		{healthCheck(), w.checkHealth},
		{chromaCheck(), func(_ context.Context, v *verdict) { w.checkChroma(v, servers) }},
		{collectionsCheck(), func(ctx context.Context, v *verdict) { w.checkCollections(ctx, v, servers) }},
		{matchCheck(), w.checkMounts},
		{layerCheck(), func(ctx context.Context, v *verdict) { w.checkLayers(ctx, v, servers) }},
		{sharedCheck(), w.checkShared},
	} {
		if !w.wants(one.check) {
			continue
		}
		v := &verdict{check: one.check}
		withinTime(ctx, v, one.make)
		results = append(results, v.result())
	}
	if ctx.Err() != nil {
		return results, context.Cause(ctx)
	}
	return results, nil
}

// withinTime makes a check for as long as one may take.
func withinTime(ctx context.Context, v *verdict, check func(context.Context, *verdict)) {
	limited, cancel := context.WithTimeoutCause(ctx, worldTime, fmt.Errorf("it took longer than %s", worldTime))
	defer cancel()
	check(limited, v)
	if limited.Err() != nil && ctx.Err() == nil {
		v.find(inventory.Unchecked, "", "%v: not everything was looked at", context.Cause(limited))
	}
}

func (w *World) wants(c inventory.Check) bool { return w.Wants == nil || w.Wants(c.ID) }

// verdict gathers what one check comes to.
type verdict struct {
	check    inventory.Check
	checked  int64
	why      []string
	findings []inventory.Finding
}

// most is how many findings of one check are kept; further ones are counted.
const most = 1000

// find records a finding about an object.
func (v *verdict) find(status inventory.Status, object, format string, args ...any) {
	f := inventory.Finding{Check: v.check.ID, Status: status, Object: object, Text: fmt.Sprintf(format, args...)}
	if !slices.Contains(v.findings, f) {
		v.findings = append(v.findings, f)
	}
}

// tell adds to what there is to know.
func (v *verdict) tell(format string, args ...any) {
	v.why = append(v.why, fmt.Sprintf(format, args...))
}

// result is the verdict in the words of the report. A check that had nothing to look at (nothing runs, nothing is known) is Unchecked and says why;
// what is there and could not be looked at is a finding.
func (v *verdict) result() inventory.Result {
	r := inventory.Result{Check: v.check, Status: inventory.OK, Checked: v.checked, Why: strings.Join(v.why, "; "), Findings: v.findings}
	for _, f := range v.findings {
		r.Status = inventory.Worst([]inventory.Result{{Status: r.Status}, {Status: f.Status}})
	}
	if v.checked == 0 && r.Status == inventory.OK {
		r.Status = inventory.Unchecked
	}
	if len(r.Findings) > most {
		r.Findings, r.More = r.Findings[:most], int64(len(r.Findings)-most)
	}
	return r
}

// mine are the containers of the project's services, but for one-off ones.
func (w *World) mine() []engine.Container {
	return slices.DeleteFunc(slices.Clone(w.Containers), func(c engine.Container) bool {
		return c.Project != w.Project || c.Service == "" || c.OneOff || c.Labels["com.docker.compose.hook"] != ""
	})
}
