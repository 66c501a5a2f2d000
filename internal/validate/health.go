package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/inventory"
)

// healthBody is how much of a health answer is read.
const healthBody = 1 << 20

// healthTries is how often health is asked, for the latency.
const healthTries = 3

// checkHealth asks for health. A service that is down is no damage of its data: Damaged is only what a service says of itself.
func (w *World) checkHealth(ctx context.Context, v *verdict) {
	if len(w.Health) == 0 {
		v.tell("no health address is known: set health.url in x-memsys")
	}
	for _, e := range w.Health {
		w.checkOneHealth(ctx, v, e)
	}
	for _, c := range w.mine() {
		if c.Health == "unhealthy" && c.State == engine.Running {
			v.checked++
			v.find(inventory.Warning, c.Name, "its healthcheck fails: docker inspect %s tells what it says", c.Name)
		}
	}
}

func (w *World) checkOneHealth(ctx context.Context, v *verdict, e compose.Endpoint) {
	t := w.locate(e)
	if t.URL == "" {
		v.tell("%s: %s", e.From, t.why)
		return
	}
	object := compose.Redacted(t.URL)
	asking := w
	if e.URL == "" && !t.far { // no certificate is made for an address that was concluded, and no credentials go there
		asking = w.unverified()
	}
	a, err := asking.askHealth(ctx, t.URL)
	if err != nil {
		status := inventory.Warning
		text := err.Error()
		switch {
		case e.Guess:
			v.tell("%s does not answer: %s; it is a guess, from %s: set health.url in x-memsys", object, text, e.From)
			return
		case t.far:
			status, text = inventory.Unchecked, text+"; the engine runs on another machine, whose port may be closed to this one"
		case t.container != nil && t.container.Health == "starting":
			status, text = inventory.Unchecked, text+"; the service is still starting"
		}
		v.find(status, object, "does not answer: %s", text)
		return
	}
	if e.Guess && !a.ok() && a.status < http.StatusInternalServerError {
		v.tell("%s answered %d; it is a guess, from %s: set health.url in x-memsys", object, a.status, e.From)
		return
	}
	v.checked++
	v.tell("%s answered %d in %s, %s%s", object, a.status, milliseconds(a.taken), a.size(), quoted(a.body))
	if status, text := judgeHealth(a, e); text != "" {
		v.find(status, object, "%s", text)
	}
}

func quoted(body []byte) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return ""
	}
	return ": " + excerpt(body)
}

// askHealth asks several times; the answer is the last one, with the median of the times.
func (w *World) askHealth(ctx context.Context, address string) (answer, error) {
	var times []time.Duration
	var last answer
	for range healthTries {
		a, err := w.get(ctx, address, credential{}, healthBody)
		if err != nil {
			return a, err
		}
		last, times = a, append(times, a.taken)
	}
	last.taken = median(times)
	return last, nil
}

// judgeHealth tells what is wrong with an answer; no text where nothing is.
func judgeHealth(a answer, e compose.Endpoint) (inventory.Status, string) {
	word, said := stateOf(a.body), fmt.Sprintf("answered %d%s", a.status, quoted(a.body))
	switch {
	case a.more:
		return inventory.Warning, fmt.Sprintf("answered %d with %s: is this a health address?", a.status, a.size())
	case isBad(word):
		return inventory.Damaged, fmt.Sprintf("the service says that it is %s: %s", word, said)
	case isPoor(word):
		return inventory.Warning, fmt.Sprintf("the service says that it is %s: %s", word, said)
	case a.ok() && (len(bytes.TrimSpace(a.body)) == 0 || word != "" || !startsJSON(a.body) || json.Valid(a.body)):
		return inventory.OK, ""
	case a.ok():
		return inventory.Warning, "its body begins as JSON and is none: " + excerpt(a.body)
	case a.refused():
		return inventory.Unchecked, said + ": it wants credentials"
	case a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed || a.status == http.StatusGone:
		return inventory.Warning, said + ": this is not its health address, " + e.From
	}
	return inventory.Warning, said
}

func startsJSON(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}

// stateOf is the word with which a health answer tells its state, in lower case; empty where it has none.
func stateOf(body []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return plainState(body)
	}
	for _, name := range []string{"status", "state", "health", "healthy", "ok"} {
		for key, raw := range fields {
			if !strings.EqualFold(key, name) {
				continue
			}
			var word string
			var yes bool
			if json.Unmarshal(raw, &word) == nil && word != "" {
				return strings.ToLower(strings.TrimSpace(word))
			}
			if name != "state" && json.Unmarshal(raw, &yes) == nil {
				return map[bool]string{true: "healthy", false: "unhealthy"}[yes]
			}
		}
	}
	return ""
}

// plainState takes a body that is one word, such as OK or "unhealthy".
func plainState(body []byte) string {
	word := strings.ToLower(strings.Trim(strings.TrimSpace(string(body[:min(len(body), 64)])), `"`))
	if isBad(word) || isPoor(word) {
		return word
	}
	return ""
}

func isBad(word string) bool {
	return slices.Contains([]string{"unhealthy", "error", "fail", "failed", "failing", "failure", "critical", "down", "corrupt", "corrupted", "not ok"}, word)
}

func isPoor(word string) bool {
	return slices.Contains([]string{"degraded", "warn", "warning", "partial", "starting", "initializing", "stopping", "out_of_service"}, word)
}
