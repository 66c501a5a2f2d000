package plugin

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks/guard"
	"github.com/memsys/docker-memsys/internal/engine"
)

// mine are the containers that the command may remove or make anew.
func (g *guardFacts) mine() []engine.Container {
	return slices.DeleteFunc(slices.Clone(g.Containers), func(c engine.Container) bool {
		if g.command.verb == "down" {
			return !g.goes(c)
		}
		return c.Project != g.Name || (c.OneOff || !slices.Contains(g.services, c.Service)) && !g.orphaned(c)
	})
}

// orphaned tells a container that up removes since no service of the compose file has it, or since it was a single run that has ended.
func (g *guardFacts) orphaned(c engine.Container) bool {
	if c.Project != g.Name || !g.removesOrphans() {
		return false
	}
	if c.OneOff {
		return c.State == engine.Exited || c.State == engine.Dead
	}
	return !slices.ContainsFunc(g.Project.Services(), func(s compose.Service) bool { return s.Name == c.Service })
}

// removed says why the command removes a container, for good or to make it anew; empty where it leaves it.
func (g *guardFacts) removed(ctx context.Context, c engine.Container) string {
	if why := g.dropped(c); why != "" {
		return why
	}
	const anew = "docker compose up makes it anew"
	switch hashes := g.hashes; {
	case g.command.on("no-recreate"):
		return ""
	case g.forcesAnew(c.Service):
		return anew
	case g.fetches(c.Service):
		return anew + " if it gets another image, which is not known before"
	case hashes()[c.Service] == "":
		return anew + " if its configuration has changed, which docker compose does not tell"
	case hashes()[c.Service] != c.Labels[compose.ConfigHashLabel]:
		return anew + ", since its configuration has changed"
	}
	if image, err := g.Engine.Image(ctx, c.Image); err != nil || image.ID != c.ImageID {
		return anew + ", since its image has changed"
	}
	for _, p := range g.planOf(c.Service).Mounts {
		i := slices.IndexFunc(c.Mounts, func(m engine.Mount) bool { return path.Clean(m.Destination) == p.Target })
		if i < 0 && p.Type != "tmpfs" || i >= 0 && len(g.drifted(ctx, p, c, c.Mounts[i])) > 0 {
			return anew + ", since its mounts have changed"
		}
	}
	return ""
}

// dropped says why the command removes a container without another one that takes its place, and its volumes over.
func (g *guardFacts) dropped(c engine.Container) string {
	switch {
	case g.command.verb == "down":
		return "docker compose down removes it"
	case g.orphaned(c):
		return "docker compose up --remove-orphans removes it"
	case g.surplus(c):
		return "the service has fewer containers now"
	}
	for _, m := range c.Mounts {
		if m.Type == "volume" && slices.Contains(g.remade, m.Name) {
			return "docker compose up removes it where it makes volume " + m.Name + " anew"
		}
	}
	return ""
}

// surplus tells a container that is one more than its service has after up: docker compose keeps those with the lowest numbers.
func (g *guardFacts) surplus(c engine.Container) bool {
	number, _ := strconv.Atoi(c.Number)
	before := 0
	for _, other := range g.Containers {
		n, _ := strconv.Atoi(other.Number)
		if other.Project == c.Project && other.Service == c.Service && !other.OneOff && n < number {
			before++
		}
	}
	return before >= g.replicas(c.Service)
}

// replicas is how many containers a service has after up.
func (g *guardFacts) replicas(service string) int {
	scale, _ := g.command.flags.GetStringArray("scale") // up alone has it
	for _, s := range slices.Backward(scale) {
		name, number, _ := strings.Cut(s, "=")
		if n, err := strconv.Atoi(number); err == nil && name == service {
			return n
		}
	}
	return g.planOf(service).Replicas
}

// planOf is the plan of a service; empty where it has none.
func (g *guardFacts) planOf(service string) (plan compose.ServicePlan) {
	if plans := g.PlansOf([]string{service}); len(plans) > 0 {
		plan = plans[0]
	}
	return plan
}

// forcesAnew tells that up makes the containers of a service anew whatever they are like. What was not asked for by name and is started
// along has a flag of its own.
func (g *guardFacts) forcesAnew(service string) bool {
	if len(g.command.words) > 0 && !slices.Contains(g.command.words, service) {
		return g.command.on("always-recreate-deps")
	}
	return g.command.on("force-recreate") || g.command.on("renew-anon-volumes")
}

// fetches tells that up looks for another image of a service, or builds one, though there is one.
func (g *guardFacts) fetches(service string) bool {
	plan := g.planOf(service)
	if g.command.on("build") && plan.Built {
		return true
	}
	policy := plan.Pull
	if given, _ := g.command.flags.GetStringArray("pull"); len(given) > 0 { // up alone has it
		policy = given[len(given)-1]
	}
	return !slices.Contains([]string{"", "missing", "if_not_present", "never"}, policy)
}

// leftBehind says why up leaves an anonymous volume of a container behind; empty where the next container gets it, or this one stays.
func (g *guardFacts) leftBehind(ctx context.Context, c engine.Container, m engine.Mount) string {
	if why := g.dropped(c); why != "" {
		return why + " and leaves it behind"
	}
	if g.command.on("no-recreate") {
		return ""
	}
	if p := g.namedAt(c.Service, m.Destination); p != nil {
		return "docker compose up puts " + placeWords(*p) + " there and leaves it behind"
	}
	if g.command.on("renew-anon-volumes") {
		if g.forcesAnew(c.Service) || g.removed(ctx, c) != "" {
			return "docker compose up --renew-anon-volumes leaves it behind and makes an empty one"
		}
		return ""
	}
	if g.inherits(ctx, c, m.Destination) {
		return ""
	}
	if why := g.removed(ctx, c); why != "" {
		return why + ", without a volume there"
	}
	return ""
}

// inherits tells that the next container of a service gets the volume that this one has at a place: the compose file has one without a name
// there, or the image has.
func (g *guardFacts) inherits(ctx context.Context, c engine.Container, place string) bool {
	plan := g.planOf(c.Service)
	if slices.ContainsFunc(plan.Mounts, func(p compose.Planned) bool { return p.Target == path.Clean(place) && p.Type == "volume" }) {
		return true
	}
	ref := cmp.Or(plan.Image, c.Image)
	image, err := g.Engine.Image(ctx, ref)
	if err != nil { // not there yet: it will have the places that the former one has
		image, err = g.Engine.Image(ctx, c.ImageID)
	}
	return err == nil && slices.Contains(image.Volumes, path.Clean(place))
}

// remadeBy are the names of the volumes that up makes anew.
func remadeBy(volumes []guard.Volume) (names []string) {
	for _, v := range volumes {
		if v.Remade() {
			names = append(names, v.Name)
		}
	}
	return names
}

// configHashes asks docker compose for the hashes of the services' configurations, by which up tells what to make anew.
func (g *guardFacts) configHashes(ctx context.Context) map[string]string {
	if slices.Contains(g.app.flags.files, "-") {
		return nil // it can be read once only
	}
	var out bytes.Buffer
	r := g.app.runner()
	r.Stdin, r.Stdout, r.Stderr = nil, &out, io.Discard
	if err := r.Run(ctx, slices.Concat(g.command.globals, []string{"config", "--hash", "*"})...); err != nil {
		return nil
	}
	all := map[string]string{}
	for line := range strings.Lines(out.String()) {
		if words := strings.Fields(line); len(words) == 2 {
			all[words[0]] = words[1]
		}
	}
	return all
}
