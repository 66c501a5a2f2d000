package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/docker/cli/cli/config"
)

// What is written into Docker's configuration for hints, see docs/hints.md.
const (
	hintsAfter   = "compose up,compose pull,compose down"
	hintsOnError = "compose up"
	// hintsMark notes that features.hooks was set with the hints, and goes with them.
	hintsMark = "features-hooks"
)

// dockerSettings is what matters of Docker's configuration here.
type dockerSettings struct {
	Features map[string]json.RawMessage            `json:"features"`
	Plugins  map[string]map[string]json.RawMessage `json:"plugins"`
}

// planHints plans the change of Docker's configuration that registers hints, or takes them out.
func planHints(remove bool) (*rewrite, error) {
	path := filepath.Join(config.Dir(), config.ConfigFileName)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read docker's configuration: %w", err)
	}
	c := &rewrite{path: path, before: before, missing: err != nil, mode: 0o600}
	text := before
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}\n")
	}
	if remove {
		c.after, err = withoutHints(text)
	} else {
		c.after, err = withHints(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if bytes.Equal(text, c.after) {
		c.after = before
	}
	return c, nil
}

func readDockerSettings(text []byte) (s dockerSettings, err error) {
	return s, json.Unmarshal(text, &s)
}

// withHints registers hints.
func withHints(text []byte) ([]byte, error) {
	s, err := readDockerSettings(text)
	if err != nil {
		return nil, err
	}
	type setting struct {
		path  []string
		value string
	}
	want := []setting{{[]string{"plugins", name, "hooks"}, hintsAfter}, {[]string{"plugins", name, "error-hooks"}, hintsOnError}}
	switch on, set := s.hooksOn(); {
	case set && !on:
		return nil, errors.New("features.hooks is off there, so docker would show no hints: set it to \"true\" first; nothing was changed")
	case !set:
		want = append(want, setting{[]string{"plugins", name, hintsMark}, "set by init"}, setting{[]string{"features", "hooks"}, "true"})
	}
	for _, w := range want {
		if w.path[0] == "plugins" && s.plugin(name, w.path[2]) == w.value {
			continue
		}
		if text, err = setJSON(text, w.path, w.value); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// withoutHints takes the hints out, and what was set for them, unless another plugin has hints too.
func withoutHints(text []byte) ([]byte, error) {
	s, err := readDockerSettings(text)
	if err != nil {
		return nil, err
	}
	var gone [][]string
	for _, key := range []string{"hooks", "error-hooks", hintsMark} {
		if _, has := s.Plugins[name][key]; has {
			gone = append(gone, []string{"plugins", name, key})
			delete(s.Plugins[name], key)
		}
	}
	if len(gone) == 0 {
		return text, nil
	}
	marked := len(gone) > 0 && gone[len(gone)-1][2] == hintsMark
	if len(s.Plugins[name]) == 0 {
		gone = append(gone, []string{"plugins", name})
		delete(s.Plugins, name)
	}
	if len(s.Plugins) == 0 {
		gone = append(gone, []string{"plugins"})
	}
	if marked && !s.otherHints() {
		gone = append(gone, []string{"features", "hooks"})
		if len(s.Features) == 1 {
			gone = append(gone, []string{"features"})
		}
	}
	for _, path := range gone {
		if text, err = removeJSON(text, path); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// hooksOn is whether docker asks plugins at all, and whether anybody has said so.
func (s dockerSettings) hooksOn() (on, set bool) {
	raw, set := s.Features["hooks"]
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return false, set
	}
	on, _ = strconv.ParseBool(text)
	return on, set
}

func (s dockerSettings) plugin(plugin, key string) string {
	var text string
	_ = json.Unmarshal(s.Plugins[plugin][key], &text) // what is no text is none of ours
	return text
}

// otherHints tells that another plugin has hints.
func (s dockerSettings) otherHints() bool {
	for plugin, keys := range s.Plugins {
		if plugin != name && (keys["hooks"] != nil || keys["error-hooks"] != nil) {
			return true
		}
	}
	return false
}
