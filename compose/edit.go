package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// ProviderType is how a service of the compose file names this plugin as its provider.
const ProviderType = "memsys"

// Edit is a compose file before and after: byte for byte what it was, but for what is added.
type Edit struct {
	Path string
	Old  []byte
	New  []byte
	// Remarks are what is left to do by hand.
	Remarks []string
}

// Changed tells whether there is anything to write.
func (e *Edit) Changed() bool { return !bytes.Equal(e.Old, e.New) }

// EditError says why a compose file is left as it is, and what belongs into it.
type EditError struct {
	Where string
	Why   string
	Add   string
}

func (e *EditError) Error() string {
	return fmt.Sprintf("%s: %s; nothing was changed, add by hand: %s", e.Where, e.Why, e.Add)
}

// Edit plans to add to the project's compose file what it has not yet: the settings backups and retention of x-memsys and, with provider, a
// service that has plain docker compose call this plugin, on which all others depend. It writes nothing. The project that the new file
// makes is the former one but for that, or Edit fails.
func (p *Project) Edit(ctx context.Context, provider bool) (*Edit, error) {
	file, content, err := p.editable()
	if err != nil {
		return nil, err
	}
	e := &editor{file: file, text: string(content)}
	name := ""
	err = e.settings(p.missingSettings())
	if err == nil && provider {
		name, err = p.editServices(e)
	}
	if err != nil {
		return nil, err
	}
	out := &Edit{Path: file.path, Old: content, New: []byte(e.result()), Remarks: e.remarks}
	if !out.Changed() {
		return out, nil
	}
	return out, p.proveEdit(ctx, out, name)
}

// editable is the file that holds x-memsys, else the first one, as it lies on the disk.
func (p *Project) editable() (*composeFile, []byte, error) {
	main := p.files.main()
	file := main[0]
	for _, f := range main {
		if len(f.roots) == 1 && find(f.roots[0], extension) != nil {
			file = f
		}
	}
	if file.path == "-" || isRemote(file.path) {
		return nil, nil, fmt.Errorf("%s: is no file on this machine that could be edited: name one with -f", file.shown)
	}
	if len(file.roots) != 1 {
		return nil, nil, &EditError{Where: file.shown, Why: "it does not hold exactly one document", Add: extension}
	}
	content, err := readComposeFile(file.path)
	return file, content, err
}

// missingSettings are the settings that a project is given and that its x-memsys has not.
func (p *Project) missingSettings() []item {
	have, _ := p.model.Extensions[extension].(map[string]any)
	var out []item
	if have["backups"] == nil {
		out = append(out, line("backups: "+scalar(p.shortPath(p.defaultBackups()))))
	}
	if have["retention"] == nil {
		c := Config{Origins: map[string]string{}}
		_ = p.applyDefaults(&c) // the defaults are valid
		r := c.Retention
		out = append(out, line(fmt.Sprintf("retention: {daily: %d, weekly: %d, monthly: %d, last: %d}", r.Daily, r.Weekly, r.Monthly, r.Last)))
	}
	return out
}

// shortPath is a path as a compose file has it: relative where it lies in the project's folder.
func (p *Project) shortPath(path string) string {
	if rel, err := filepath.Rel(p.WorkingDir, path); err == nil && filepath.IsLocal(rel) {
		return "./" + filepath.ToSlash(rel)
	}
	return path
}

// editServices adds the provider's service, and it to what the others depend on. It returns the service's name.
func (p *Project) editServices(e *editor) (name string, err error) {
	all := p.model.AllServices()
	for _, s := range slices.Sorted(maps.Keys(all)) {
		if all[s].Provider != nil && all[s].Provider.Type == ProviderType {
			name = s
		}
	}
	if name == "" {
		name = ProviderType
		if _, taken := all[name]; taken {
			return "", fmt.Errorf("there is a service named %s, which this plugin does not provide: write the provider's service by hand, under another name", name)
		}
		if err := e.service(name); err != nil {
			return "", err
		}
	}
	for _, service := range slices.Sorted(maps.Keys(all)) {
		_, depends := all[service].DependsOn[name]
		if service == name || depends || all[service].Provider != nil {
			continue
		}
		if err := e.dependency(service, name); err != nil {
			return "", err
		}
	}
	return name, nil
}

// proveEdit loads the project from the new file and compares it with the former one.
func (p *Project) proveEdit(ctx context.Context, e *Edit, provider string) error {
	o := p.options
	o.contents = map[string][]byte{e.Path: e.New}
	next, err := Load(ctx, o)
	if err != nil {
		return fmt.Errorf("%s is left as it is: with the additions it would be wrong: %w", e.Path, err)
	}
	was, err := withoutOurs(p.model, provider)
	if err != nil {
		return err
	}
	is, err := withoutOurs(next.model, provider)
	if err != nil {
		return err
	}
	before, _ := p.model.Extensions[extension].(map[string]any)
	after, _ := next.model.Extensions[extension].(map[string]any)
	kept := after["backups"] != nil && after["retention"] != nil
	for key, value := range before {
		kept = kept && reflect.DeepEqual(after[key], value)
	}
	if !bytes.Equal(was, is) || !kept {
		return &EditError{Where: e.Path, Why: "it is written in a way that cannot be added to safely", Add: extension + " with backups and retention, and the provider's service"}
	}
	return nil
}

// withoutOurs is a project as text without what Edit adds.
func withoutOurs(model *types.Project, provider string) ([]byte, error) {
	m := *model
	m.Services, m.DisabledServices = withoutProvider(m.Services, provider), withoutProvider(m.DisabledServices, provider)
	m.Extensions = maps.Clone(m.Extensions)
	delete(m.Extensions, extension)
	text, err := m.MarshalYAML()
	if err != nil {
		return nil, fmt.Errorf("compare projects: %w", err)
	}
	disabled, err := yaml.Marshal(m.DisabledServices)
	return append(text, disabled...), errors.Join(err)
}

func withoutProvider(all types.Services, name string) types.Services {
	out := types.Services{}
	for key, s := range all {
		if key == name && name != "" {
			continue
		}
		if _, depends := s.DependsOn[name]; depends {
			s.DependsOn = maps.Clone(s.DependsOn)
			delete(s.DependsOn, name)
		}
		if len(s.DependsOn) == 0 {
			s.DependsOn = nil
		}
		out[key] = s
	}
	return out
}
