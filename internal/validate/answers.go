package validate

import (
	"cmp"
	"context"
	"slices"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// Answer is how a server of the project answers.
type Answer struct {
	// Address is where it was asked, without passwords; empty where nobody could be asked.
	Address string
	// From says where it is known from: "health.url of compose.yaml:12".
	From string
	// Service and Container (an id) are who answers there; empty where that is not known.
	Service, Container string
	// Text says what is wrong; empty where nothing is.
	Text string
	// Doubt tells that what is wrong may be no fault of the project: the address is a guess, or one that only the containers may reach.
	Doubt bool
}

// Answers asks the addresses for health and the Chroma servers for their heartbeat, each once. It changes nothing, and counts nothing.
func (w *World) Answers(ctx context.Context) []Answer {
	var all []Answer
	for _, e := range w.Health {
		t := w.locate(e)
		a := w.answerOf(e, t)
		if t.URL != "" {
			w.askOnce(ctx, e, t, &a)
		}
		all = append(all, a)
	}
	for _, e := range w.Chroma {
		s := chromaServer{endpoint: e, at: w.locate(e)}
		a := w.answerOf(e, s.at)
		if s.at.URL != "" {
			var key credential
			a.Text = w.heartbeat(ctx, &s, &key, w.credentials(e, s.at))
			a.Doubt = a.Doubt || a.Text != "" && s.unchecked && !w.starting(s.at)
		}
		all = append(all, a)
	}
	return all
}

// answerOf is an answer that nobody has given yet.
func (w *World) answerOf(e compose.Endpoint, t target) Answer {
	a := Answer{From: e.From, Service: e.Service, Text: t.why, Doubt: !w.promised(e, t)}
	if t.URL != "" {
		a.Address = compose.Redacted(t.URL)
	}
	if t.container != nil {
		a.Service, a.Container = cmp.Or(a.Service, t.container.Service), t.container.ID
	}
	return a
}

// promised tells that an address must answer this machine: a setting names it, or its port is published here.
func (w *World) promised(e compose.Endpoint, t target) bool {
	switch {
	case t.URL == "" || e.Guess || t.far:
		return false
	case e.URL != "":
		return len(e.NamedBy) == 0
	case t.container == nil:
		return false
	}
	net := w.networkOf(*t.container)
	return net.Network == "host" || slices.ContainsFunc(net.Ports, func(p engine.Port) bool { return p.Inside == e.Port })
}

// starting tells that the container that is asked has not passed its healthcheck yet.
func (w *World) starting(t target) bool {
	return t.container != nil && t.container.Health == "starting"
}

// askOnce asks for health once.
func (w *World) askOnce(ctx context.Context, e compose.Endpoint, t target, a *Answer) {
	asking := w
	if e.URL == "" && !t.far { // as in checkOneHealth
		asking = w.unverified()
	}
	said, err := asking.get(ctx, t.URL, credential{}, healthBody)
	if err != nil {
		a.Text = "does not answer: " + err.Error()
		return
	}
	status, text := judgeHealth(said, e)
	a.Text = text
	if status == inventory.Unchecked || e.URL == "" && said.status >= 400 && said.status < 500 { // a healthcheck may ask in another way than we do
		a.Doubt = true
	}
}
