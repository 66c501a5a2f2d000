package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Overrides are the settings given as flags, by the setting's name ("backups", "retention.daily"), as typed. Repeated flags are several texts.
type Overrides struct {
	Values      map[string][]string
	IncludeLogs bool
}

// Config is the effective settings: flags over environment over compose file over what is found in the project.
// environ is the caller's environment; variables of the project's .env count where it has none of that name.
func (p *Project) Config(environ []string, flags Overrides) (Config, error) {
	c := Config{Origins: map[string]string{}, IncludeLogs: flags.IncludeLogs}
	if err := p.applyDefaults(&c); err != nil {
		return Config{}, err
	}
	for _, s := range settings() {
		if err := p.applyFile(&c, s); err != nil {
			return Config{}, err
		}
		if err := p.applyEnv(&c, s, environ); err != nil {
			return Config{}, err
		}
		if err := p.applyFlag(&c, s, flags); err != nil {
			return Config{}, err
		}
	}
	return c, c.Retention.check(c.Origins)
}

// check refuses to keep nothing at all.
func (r Retention) check(origins map[string]string) error {
	if r != (Retention{}) {
		return nil
	}
	return fmt.Errorf("%s: retention: keeps no backup at all, set one of daily, weekly, monthly, last to 1 or more", origins["retention.last"])
}

// applyDefaults takes the documented defaults and what the project shows.
func (p *Project) applyDefaults(c *Config) error {
	for _, s := range settings() {
		c.Origins[s.Name] = "default"
		if s.Default == "found" || s.Default == "none" {
			continue
		}
		v, err := s.kind.read([]string{s.Default}, p.WorkingDir)
		if err != nil {
			return fmt.Errorf("default of %s: %w", s.Name, err)
		}
		s.set(c, v)
	}
	c.Backups = p.defaultBackups()
	c.Health.URL = p.defaultHealth()
	c.Chroma = p.defaultChroma()
	return nil
}

func (p *Project) applyFile(c *Config, s setting) error {
	texts, err := p.fileValue(s)
	if err != nil || texts == nil {
		return err
	}
	return apply(c, s, expandHome(texts, s, p.environment["HOME"]), p.WorkingDir, p.files.where(true, settingPath(s.Name)...))
}

func (p *Project) applyEnv(c *Config, s setting, environ []string) error {
	text, dir := lookup(environ, s.Env), p.options.WorkingDir
	if text == "" {
		text, dir = p.environment[s.Env], p.WorkingDir
	}
	if text == "" {
		return nil
	}
	texts := []string{text}
	if s.kind.list() {
		texts = strings.Split(text, ",")
		for i := range texts {
			texts[i] = strings.TrimSpace(texts[i])
		}
	}
	return apply(c, s, expandHome(texts, s, p.environment["HOME"]), dir, s.Env)
}

func (p *Project) applyFlag(c *Config, s setting, flags Overrides) error {
	texts := flags.Values[s.Name]
	if len(texts) == 0 {
		return nil
	}
	if !s.kind.list() {
		texts = texts[len(texts)-1:]
	}
	if err := apply(c, s, expandHome(texts, s, p.environment["HOME"]), p.options.WorkingDir, s.Flag); err != nil {
		return &FlagError{Err: err}
	}
	return nil
}

// apply sets a value and notes where it came from; a list keeps what it had.
func apply(c *Config, s setting, texts []string, dir, origin string) error {
	v, err := s.kind.read(texts, dir)
	if err != nil {
		return fmt.Errorf("%s: %w", origin, err)
	}
	s.set(c, v)
	if s.kind.list() && c.Origins[s.Name] != "default" {
		origin = c.Origins[s.Name] + ", " + origin
	}
	c.Origins[s.Name] = origin
	return nil
}

// expandHome replaces a leading ~ of a folder or file.
func expandHome(texts []string, s setting, home string) []string {
	if s.kind.name != "folder" && s.kind.name != "file" || home == "" {
		return texts
	}
	texts = slices.Clone(texts)
	for i, t := range texts {
		if t == "~" || strings.HasPrefix(t, "~/") || strings.HasPrefix(t, "~"+string(os.PathSeparator)) {
			texts[i] = filepath.Join(home, t[1:])
		}
	}
	return texts
}

func settingPath(name string) []string {
	return append([]string{extension}, strings.Split(name, ".")...)
}
