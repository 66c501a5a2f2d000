package compose

import (
	"fmt"
	"slices"
	"strings"
)

// projectHooks is the key of the project's hooks in x-memsys.
const projectHooks = "hooks"

// OnFailure is the point of the project's hook that runs after a command has failed.
const OnFailure = "on-failure"

// ProjectHookPoints are when the project's hooks can run.
func ProjectHookPoints() []string {
	return []string{
		"before-up", "after-up", "before-down", "after-down", "before-pull", "after-pull",
		"before-backup", "after-backup", OnFailure,
	}
}

// Hooks are the hooks of the project, in the order of ProjectHookPoints.
func (p *Project) Hooks() []Hook {
	all, _ := p.readHooks() // they were proven when the project was loaded
	return all
}

func (p *Project) readHooks() ([]Hook, error) {
	settings, _ := p.model.Extensions[extension].(map[string]any)
	points, _ := settings[projectHooks].(map[string]any)
	var all []Hook
	for _, when := range ProjectHookPoints() {
		fields, ok := points[when].(map[string]any)
		if !ok {
			continue
		}
		h := Hook{When: when, Timeout: hookTimeout, OnError: hookOnError, Project: true}
		field, err := h.read(fields)
		if err == nil {
			field, err = "service", p.hookService(&h, fields["service"])
		}
		if err != nil {
			path := []string{extension, projectHooks, when, field}
			return nil, fmt.Errorf("%s: %s: %w", p.files.where(false, path...), strings.Join(path, "."), err)
		}
		all = append(all, h)
	}
	return all, nil
}

// hookService is where a hook of the project runs. A compose file that was fetched from elsewhere runs nothing on this machine: docker
// compose lets it reach no further than its containers either.
func (p *Project) hookService(h *Hook, value any) error {
	if value == nil {
		if i := slices.IndexFunc(p.ConfigFiles, isRemote); i >= 0 {
			h.Refused = "the project comes from " + Redacted(p.ConfigFiles[i]) + ", which may run nothing on this machine"
		}
		return nil
	}
	name, ok := value.(string)
	if !ok || name == "" {
		return fmt.Errorf("must be the name of a service, not %s", describe(value))
	}
	var known []string
	for service := range p.model.AllServices() {
		known = append(known, service)
	}
	if !slices.Contains(known, name) {
		return fmt.Errorf("there is no service %q%s", name, didYouMean(name, known))
	}
	h.Service = name
	return nil
}
