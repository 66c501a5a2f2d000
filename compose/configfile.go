package compose

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// extension is our part of the compose file.
const extension = "x-memsys"

// checkSettings proves x-memsys, of the project and of its services, before anything relies on it.
func (p *Project) checkSettings() error {
	if err := p.checkKeys(); err != nil {
		return err
	}
	for _, s := range settings() {
		texts, err := p.fileValue(s)
		if err != nil {
			return err
		}
		if texts == nil {
			continue
		}
		if _, err := s.kind.read(texts, p.WorkingDir); err != nil {
			return fmt.Errorf("%s: %s.%s: %w", p.files.where(false, settingPath(s.Name)...), extension, s.Name, err)
		}
	}
	return p.checkElsewhere()
}

// checkElsewhere checks the hooks and refuses x-memsys where it means nothing.
func (p *Project) checkElsewhere() error {
	if _, err := p.readHooks(); err != nil {
		return err
	}
	all := p.model.AllServices()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, err := p.hooks(name, all[name].Extensions); err != nil {
			return err
		}
	}
	refused := map[string]bool{}
	for name, j := range p.model.AllJobs() {
		refused["jobs."+name] = j.Extensions[extension] != nil
	}
	for name, v := range p.model.Volumes {
		refused["volumes."+name] = v.Extensions[extension] != nil
	}
	for _, where := range slices.Sorted(maps.Keys(refused)) {
		if refused[where] {
			section, name, _ := strings.Cut(where, ".")
			at := p.files.where(false, section, name, extension)
			return fmt.Errorf("%s: %s.%s: has no meaning here, write it at the top level or in a service", at, where, extension)
		}
	}
	return nil
}

// schema is which keys x-memsys has: nil is a value, else the keys below.
type schema map[string]schema

func projectSchema() schema {
	root := schema{}
	for _, s := range settings() {
		at := root
		parts := strings.Split(s.Name, ".")
		for _, part := range parts[:len(parts)-1] {
			if at[part] == nil {
				at[part] = schema{}
			}
			at = at[part]
		}
		at[parts[len(parts)-1]] = nil
	}
	root[projectHooks] = hookSchema(ProjectHookPoints(), "command", "timeout", "on-error", "service")
	return root
}

// checkKeys checks the keys of x-memsys: in each file as it is written, then what the files together made of it.
func (p *Project) checkKeys() error {
	for _, f := range p.files.main() {
		for _, root := range f.roots {
			if err := checkNode(f, find(root, extension), extension, projectSchema()); err != nil {
				return err
			}
		}
	}
	for _, f := range p.files.files {
		if err := checkServices(f); err != nil {
			return err
		}
	}
	return checkMerged(p.files, p.model.Extensions[extension], []string{extension}, projectSchema())
}

// checkServices checks the keys of every service of a file, of those that others extend too.
func checkServices(f *composeFile) error {
	for _, root := range f.roots {
		for name, service := range pairs(find(root, "services")) {
			at := "services." + name.Value + "." + extension
			if err := checkNode(f, find(service, extension), at, serviceSchema()); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkNode refuses keys that the schema does not have.
func checkNode(f *composeFile, node *yaml.Node, name string, s schema) error {
	if node == nil || s == nil {
		return nil
	}
	for key, value := range pairs(node) {
		below, known := s[key.Value]
		if !known {
			return unknownKey(f.at(key), key.Value, name, s)
		}
		if err := checkNode(f, value, name+"."+key.Value, below); err != nil {
			return err
		}
	}
	return nil
}

func unknownKey(at, key, name string, s schema) error {
	keys := slices.Sorted(maps.Keys(s))
	hint := didYouMean(key, keys)
	if hint == "" {
		hint = ": it takes " + strings.Join(keys, ", ")
	}
	return fmt.Errorf("%s: unknown key %q in %s%s", at, key, name, hint)
}

// checkMerged refuses what is no mapping where one belongs, and keys that came from files that were not read here.
func checkMerged(files *fileSet, value any, at []string, s schema) error {
	if s == nil || value == nil {
		return nil
	}
	name := strings.Join(at, ".")
	m, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: %s: must be a mapping with %s, not %s", files.where(false, at...), name, strings.Join(slices.Sorted(maps.Keys(s)), ", "), describe(value))
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		below, known := s[key]
		if !known {
			return unknownKey(files.where(false, append(slices.Clone(at), key)...), key, name, s)
		}
		if err := checkMerged(files, m[key], append(slices.Clone(at), key), below); err != nil {
			return err
		}
	}
	return nil
}

// fileValue is a setting of the compose file as text, merged and interpolated; nil where it is not set.
func (p *Project) fileValue(s setting) ([]string, error) {
	var value any = map[string]any(p.model.Extensions)
	for _, part := range settingPath(s.Name) {
		m, _ := value.(map[string]any)
		value = m[part]
	}
	if value == nil {
		return nil, nil
	}
	texts, ok := asTexts(value, s.kind.yaml, p.files.interpolated(settingPath(s.Name)...))
	if !ok {
		return nil, fmt.Errorf("%s: %s.%s: must be a %s, not %s", p.files.where(false, settingPath(s.Name)...), extension, s.Name, s.kind.yaml, describe(value))
	}
	return texts, nil
}

// asTexts takes a value of the wanted type as text. A number may be text where a variable stood.
func asTexts(value any, want string, interpolated bool) ([]string, bool) {
	switch want {
	case "number":
		switch v := value.(type) {
		case int:
			return []string{strconv.Itoa(v)}, true
		case string:
			return []string{v}, interpolated
		}
	case "list of texts":
		list, ok := value.([]any)
		texts := []string{}
		for _, v := range list {
			text, isText := v.(string)
			texts, ok = append(texts, text), ok && isText
		}
		return texts, ok
	case "text":
		text, ok := value.(string)
		return []string{text}, ok
	}
	return nil, false
}

func describe(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("the text %q", v)
	case map[string]any:
		return "a mapping"
	case []any:
		for _, item := range v {
			if _, text := item.(string); !text {
				return "a list with " + describe(item)
			}
		}
		return "a list"
	}
	return fmt.Sprintf("%v", value)
}
