package compose

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hook is a command that runs around an operation: in a service's container, or on this machine.
type Hook struct {
	// Service is where it runs; empty is this machine, for hooks of the project.
	Service string
	When    string // before-backup, after-backup, …
	Command []string
	Timeout time.Duration
	OnError string // fail or continue
	// Project tells that the project has it, not a service.
	Project bool `json:",omitempty"`
	// Refused is why it never runs; empty for others.
	Refused string `json:",omitempty"`
}

// hookDefaults of keys that are not set.
const (
	hookTimeout = 60 * time.Second
	hookOnError = "fail"
)

// HookPoints are when a service's hooks can run.
func HookPoints() []string {
	return []string{"before-backup", "after-backup", "before-restore", "after-restore"}
}

func serviceSchema() schema { return hookSchema(HookPoints(), "command", "timeout", "on-error") }

// hookSchema is a mapping of points, each with these keys.
func hookSchema(points []string, keys ...string) schema {
	s := schema{}
	for _, point := range points {
		s[point] = schema{}
		for _, key := range keys {
			s[point][key] = nil
		}
	}
	return s
}

// hooks reads a service's x-memsys.
func (p *Project) hooks(service string, extensions map[string]any) ([]Hook, error) {
	at := []string{"services", service, extension}
	if err := checkMerged(p.files, extensions[extension], at, serviceSchema()); err != nil {
		return nil, err
	}
	m, _ := extensions[extension].(map[string]any)
	var hooks []Hook
	for _, when := range HookPoints() {
		fields, ok := m[when].(map[string]any)
		if !ok {
			continue
		}
		h := Hook{Service: service, When: when, Timeout: hookTimeout, OnError: hookOnError}
		if field, err := h.read(fields); err != nil {
			path := append(slices.Clone(at), when, field)
			return nil, fmt.Errorf("%s: %s: %w", p.files.where(false, path...), strings.Join(path, "."), err)
		}
		hooks = append(hooks, h)
	}
	return hooks, nil
}

// read takes the fields of a hook; with an error it names the field.
func (h *Hook) read(fields map[string]any) (field string, err error) {
	command, ok := asTexts(fields["command"], "list of texts", false)
	if !ok || len(command) == 0 || command[0] == "" {
		return "command", fmt.Errorf("must be a list such as [node, flush.js], no shell is involved")
	}
	h.Command = command
	if v, set := fields["timeout"]; set {
		text, ok := v.(string)
		if !ok {
			return "timeout", fmt.Errorf("must be a number and a unit, such as 90s or 2m, not %s", describe(v))
		}
		d, err := readDuration([]string{text}, "")
		if err != nil {
			return "timeout", err
		}
		h.Timeout = d.(time.Duration)
	}
	if v, set := fields["on-error"]; set {
		text, _ := v.(string)
		if _, err := choiceKind([]string{"fail", "continue"}).read([]string{text}, ""); err != nil {
			return "on-error", err
		}
		h.OnError = text
	}
	return "", nil
}
