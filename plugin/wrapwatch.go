package plugin

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/hooks/ready"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/validate"
)

// proving watches the containers that a command brings up, and asks the servers in them.
type proving struct {
	w       *guarded
	options ready.Options
	watch   *ready.Watch
	before  []engine.Container // the project's, as they were before Compose ran
	now     []engine.Container // as they are
	report  ready.Report
	up      time.Time // when all were up first
	world   *validate.World
	told    map[string]string
}

// unanswered is how long a server that does not answer is left alone before it is asked again.
const unanswered = 500 * time.Millisecond

// newProving begins to watch now; beside tells that Compose is still at work.
func (w *guarded) newProving(beside bool) *proving {
	o := ready.Options{
		Services: w.expected(), Stable: w.Config.Health.Stable, Timeout: w.Config.Health.Timeout, Began: w.app.world.Now(), Beside: beside,
	}
	if given := w.opts.ready.given; given != nil && given("stable") {
		o.Stable = w.opts.ready.stable
	}
	if given := w.opts.ready.given; given != nil && given("ready-timeout") {
		o.Timeout = w.opts.ready.timeout
	}
	return &proving{w: w, options: o, watch: ready.New(o), before: w.own(), told: map[string]string{}}
}

// own are the containers of this project, as they were when they were looked at.
func (s *session) own() []engine.Container {
	return slices.DeleteFunc(slices.Clone(s.Containers), func(c engine.Container) bool { return c.Project != s.Name })
}

// look asks the engine for the project's containers, their times by our clock.
func (p *proving) look(ctx context.Context) error {
	all, err := p.w.Engine.Containers(ctx, engine.Filter{Project: p.w.Name})
	if err != nil {
		return err
	}
	p.now = all
	shown := slices.Clone(all)
	for i := range shown {
		c := &shown[i]
		c.Started, c.Ended = p.w.byOurClock(c.Started), p.w.byOurClock(c.Ended)
	}
	p.report = p.watch.See(p.w.app.world.Now(), shown)
	return nil
}

// byOurClock is a time of the engine's clock by ours.
func (s *session) byOurClock(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(s.ahead)
}

// settle watches until all is up and answers. nil: the command has brought nothing up.
func (p *proving) settle(ctx context.Context) (*risen, error) {
	began := p.w.app.world.Now()
	for {
		if err := p.look(ctx); err != nil {
			return nil, err
		}
		if len(p.report.All) == 0 && !p.options.Beside {
			return nil, nil
		}
		wait := p.report.Again
		switch p.report.State {
		case ready.Failed:
			return nil, p.notUp()
		case ready.Up:
			remarks, bad := p.ask(ctx)
			if len(bad) == 0 && ctx.Err() == nil {
				return p.risen(p.w.app.world.Now().Sub(began), remarks), nil
			}
			if p.tooLate(bad) {
				return nil, p.silent(bad)
			}
			wait = unanswered
		}
		p.tellAll()
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// pause waits for a time, or until the context ends.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// tellAll reports where the containers stand.
func (p *proving) tellAll() {
	for _, one := range p.report.All {
		text := ""
		if one.State == ready.Waiting {
			text = one.Text
		}
		if _, told := p.told[one.Container]; told || text != "" {
			p.tell(one.Container, text)
		}
	}
}

// risen is the verdict that all is up.
func (p *proving) risen(took time.Duration, remarks []string) *risen {
	out := &risen{took: took}
	for _, one := range p.report.All {
		switch one.State {
		case ready.Done:
			out.done++
			continue
		case ready.Up:
			out.up++
		}
		if one.Text != "" {
			out.remarks = append(out.remarks, failedText(one))
		}
	}
	out.remarks = append(out.remarks, remarks...)
	for object := range p.told {
		p.tell(object, "")
	}
	return out
}

// notUp is the verdict that containers have failed.
func (p *proving) notUp() error {
	var texts, services []string
	for _, one := range p.report.All {
		if one.State == ready.Failed {
			texts, services = append(texts, failedText(one)), append(services, one.Service)
		}
	}
	slices.Sort(services)
	return notReady(texts, slices.Compact(services))
}

// ask asks the servers. What does not answer is bad where it must, else a remark.
func (p *proving) ask(ctx context.Context) (remarks []string, bad []validate.Answer) {
	if p.up.IsZero() {
		p.up = p.w.app.world.Now()
	}
	if p.world == nil {
		p.world = p.w.surroundings()
		p.world.Health = slices.DeleteFunc(p.world.Health, p.elsewhere)
		p.world.Chroma = slices.DeleteFunc(p.world.Chroma, p.elsewhere)
	}
	others := slices.DeleteFunc(slices.Clone(p.w.Containers), func(c engine.Container) bool { return c.Project == p.w.Name })
	p.world.Containers = append(others, p.now...)
	for _, a := range p.world.Answers(ctx) {
		text := a.Address + " " + a.Text
		switch {
		case a.Text == "":
			p.forget(a.Address)
		case a.Address == "" || p.unknown(a):
			continue // nobody is there who could be asked
		case a.Doubt:
			remarks = append(remarks, text+" ("+a.From+")")
		default:
			bad = append(bad, a)
			p.tell(a.Address, a.Text)
		}
	}
	return remarks, bad
}

// forget tells that a server answers now.
func (p *proving) forget(address string) {
	if _, told := p.told[address]; told {
		p.tell(address, "")
	}
}

// unknown tells that a server may be a service's that this command has not brought up.
func (p *proving) unknown(a validate.Answer) bool {
	return a.Container == "" && len(p.w.command.words) > 0
}

// tooLate tells that servers that do not answer have had their time: together with all containers, or each with its own.
func (p *proving) tooLate(bad []validate.Answer) bool {
	if len(bad) == 0 {
		return false
	}
	now := p.w.app.world.Now()
	since := p.options.Began
	if p.options.Beside {
		since = p.up
	}
	if now.Sub(since) >= p.options.Timeout || !slices.ContainsFunc(p.report.All, func(s ready.Standing) bool { return s.State == ready.Up && !s.Settled }) {
		return true
	}
	return !slices.ContainsFunc(bad, func(a validate.Answer) bool {
		i := slices.IndexFunc(p.now, func(c engine.Container) bool { return c.ID == a.Container })
		return i < 0 || now.Sub(p.w.byOurClock(p.now[i].Started)) < p.options.Timeout
	})
}

// silent is the verdict that servers do not answer as they should.
func (p *proving) silent(bad []validate.Answer) error {
	var texts []string
	services := map[string]bool{}
	for _, a := range bad {
		texts = append(texts, a.Address+" "+a.Text+" ("+a.From+")")
		if a.Service != "" {
			services[a.Service] = true
		}
	}
	return notReady(texts, slices.Sorted(maps.Keys(services)))
}

// same tells that Compose has left all containers as they were.
func (p *proving) same() bool {
	as := func(a, b engine.Container) bool {
		return a.ID == b.ID && a.Started.Equal(b.Started) && a.State == b.State
	}
	return slices.EqualFunc(p.before, p.now, as)
}

// elsewhere tells that an endpoint is of a service that this command has not brought up.
func (p *proving) elsewhere(e compose.Endpoint) bool {
	return e.Service != "" && !slices.ContainsFunc(p.options.Services, func(s ready.Service) bool { return s.Name == e.Service })
}
