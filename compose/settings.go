package compose

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/tree"
)

// Setting describes one setting of x-memsys. docs/configuration.md lists them all; a test compares.
type Setting struct {
	Name    string // in x-memsys, a dot for each level: retention.daily
	Env     string // MEMSYS_RETENTION_DAILY
	Flag    string // --retention-daily, for commands that take it
	Type    string
	Default string // as documented; "found" where it depends on the project
	Doc     string
}

// setting is a Setting and how to take and show its value.
type setting struct {
	Setting
	kind kind
	set  func(*Config, any)
	get  func(Config) string
}

// kind reads a value from text; a list of patterns has several texts, all else one.
type kind struct {
	name string
	read func(texts []string, dir string) (any, error)
	yaml string // the type that the compose file must have: text, number, list of texts
}

func (k kind) list() bool { return k.yaml == "list of texts" }

// Settings are all settings, in the order of the document.
func Settings() []Setting {
	var all []Setting
	for _, s := range settings() {
		all = append(all, s.Setting)
	}
	return all
}

// Values are the effective settings as text, by name: to be shown, without secrets.
func (c Config) Values() map[string]string {
	values := map[string]string{}
	for _, s := range settings() {
		values[s.Name] = s.get(c)
	}
	return values
}

func settings() []setting {
	all := []setting{
		{
			Setting{Name: "backups", Default: "found", Doc: "the backups directory; relative names start at the project's folder"},
			folderKind(),
			func(c *Config, v any) { c.Backups = v.(string) }, func(c Config) string { return c.Backups },
		},
		countSetting("retention.daily", 7, "newest backups of so many days", func(c *Config) *int { return &c.Retention.Daily }),
		countSetting("retention.weekly", 4, "newest backups of so many weeks", func(c *Config) *int { return &c.Retention.Weekly }),
		countSetting("retention.monthly", 12, "newest backups of so many months", func(c *Config) *int { return &c.Retention.Monthly }),
		countSetting("retention.last", 1, "so many newest backups, whatever their age", func(c *Config) *int { return &c.Retention.Last }),
		{
			Setting{Name: "exclude", Default: "none", Doc: "patterns of files to leave out; environment and flags add to the list"},
			patternsKind(),
			func(c *Config, v any) { c.Exclude = append(c.Exclude, v.([]string)...) }, func(c Config) string { return strings.Join(c.Exclude, ",") },
		},
		{
			Setting{Name: "health.url", Default: "found", Doc: "asked for health"},
			urlKind(),
			func(c *Config, v any) { c.Health.URL = v.(string) }, func(c Config) string { return Redacted(c.Health.URL) },
		},
		durationSetting("health.timeout", 90*time.Second, "how long services may take to become healthy", func(c *Config) *time.Duration { return &c.Health.Timeout }),
		durationSetting("health.stable", 10*time.Second, "how long services must run without a restart to count as up", func(c *Config) *time.Duration { return &c.Health.Stable }),
		{
			Setting{Name: "chroma.url", Default: "found", Doc: "the Chroma server"},
			urlKind(),
			func(c *Config, v any) { c.Chroma = v.(string) }, func(c Config) string { return Redacted(c.Chroma) },
		},
		choiceSetting("quiesce", "how services that write are held still", func(c *Config) *string { return &c.Quiesce }, "auto", "pause", "stop", "none"),
		durationSetting("quiesce-limit", 30*time.Second, "how long services may be held still", func(c *Config) *time.Duration { return &c.HoldLimit }),
		choiceSetting("helper", "whether the files are reached through a container on the engine's host", func(c *Config) *string { return &c.Helper }, "auto", "always", "never"),
		choiceSetting("validate", "how closely commands look at the data that they have copied or restored", func(c *Config) *string { return &c.Validate }, "quick", "full", "none"),
		{
			Setting{Name: "memories.schema", Default: "none", Doc: "a JSON Schema that each record of the memory files must fulfil; relative names start at the project's folder"},
			fileKind(),
			func(c *Config, v any) { c.Schema = v.(string) }, func(c Config) string { return c.Schema },
		},
		countSetting("vectors.dimension", 0, "length of the vectors in files of raw 32-bit numbers; 0: they are not looked at", func(c *Config) *int { return &c.Vectors.Dimension }),
		{
			Setting{Name: "vectors.raw", Default: "none", Doc: "patterns of the files of raw 32-bit numbers; environment and flags add to the list"},
			patternsKind(),
			func(c *Config, v any) { c.Vectors.Raw = append(c.Vectors.Raw, v.([]string)...) }, func(c Config) string { return strings.Join(c.Vectors.Raw, ",") },
		},
		{
			Setting{Name: "max-age", Default: "none", Doc: "how old the last good backup may be for `up`, `down` and `restart` with `--backup never`"},
			ageKind(),
			func(c *Config, v any) { c.MaxAge = v.(time.Duration) }, func(c Config) string { return Age(c.MaxAge) },
		},
		{
			Setting{Name: "force", Default: "none", Doc: "guards that refuse nothing, such as `shared`; environment and flags add to the list"},
			wordsKind(),
			func(c *Config, v any) { c.Force = append(c.Force, v.([]string)...) }, func(c Config) string { return strings.Join(c.Force, ",") },
		},
		choiceSetting("time-zone", "of the time in the names of archives", func(c *Config) *string { return &c.TimeZone }, "local", "utc"),
	}
	for i := range all {
		s := &all[i]
		s.Type = s.kind.name
		s.Env = "MEMSYS_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.Name))
		s.Flag = "--" + strings.ReplaceAll(s.Name, ".", "-")
	}
	return all
}

func countSetting(name string, fallback int, doc string, field func(*Config) *int) setting {
	return setting{
		Setting{Name: name, Default: strconv.Itoa(fallback), Doc: doc},
		countKind(),
		func(c *Config, v any) { *field(c) = v.(int) }, func(c Config) string { return strconv.Itoa(*field(&c)) },
	}
}

func durationSetting(name string, fallback time.Duration, doc string, field func(*Config) *time.Duration) setting {
	return setting{
		Setting{Name: name, Default: shortDuration(fallback), Doc: doc},
		durationKind(),
		func(c *Config, v any) { *field(c) = v.(time.Duration) }, func(c Config) string { return shortDuration(*field(&c)) },
	}
}

// choiceSetting is one of several words, the first by default.
func choiceSetting(name, doc string, field func(*Config) *string, words ...string) setting {
	return setting{
		Setting{Name: name, Default: words[0], Doc: doc},
		choiceKind(words),
		func(c *Config, v any) { *field(c) = v.(string) }, func(c Config) string { return *field(&c) },
	}
}

// shortDuration is 1m30s as 90s, which is how people write it.
func shortDuration(d time.Duration) string {
	if d%time.Second == 0 && d < 10*time.Minute {
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	return d.String()
}

func folderKind() kind { return kind{"folder", readPlace, "text"} }

func fileKind() kind { return kind{"file", readPlace, "text"} }

func readPlace(t []string, dir string) (any, error) {
	if t[0] == "" {
		return nil, errors.New("must not be empty")
	}
	if filepath.IsAbs(t[0]) {
		return filepath.Clean(t[0]), nil
	}
	return filepath.Join(dir, t[0]), nil
}

func countKind() kind {
	return kind{"number", func(t []string, _ string) (any, error) {
		n, err := strconv.Atoi(t[0])
		if err != nil {
			return nil, fmt.Errorf("must be a whole number, not %q", t[0])
		}
		if n < 0 {
			return nil, fmt.Errorf("must be 0 or more, not %d", n)
		}
		return n, nil
	}, "number"}
}

func durationKind() kind { return kind{"duration", readDuration, "text"} }

func readDuration(t []string, _ string) (any, error) {
	d, err := time.ParseDuration(t[0])
	if err != nil {
		return nil, fmt.Errorf("must be a number and a unit, such as 90s or 2m, not %q", t[0])
	}
	if d <= 0 {
		return nil, fmt.Errorf("must be more than 0, not %s", t[0])
	}
	return d, nil
}

// ageKind is a duration that may be given in days.
func ageKind() kind {
	return kind{"age", func(t []string, _ string) (any, error) {
		if days, ok := strings.CutSuffix(t[0], "d"); ok {
			if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= maxDays {
				return time.Duration(n) * day, nil
			}
			return nil, fmt.Errorf("must be a number of days such as 7d, or such as 36h, not %q", t[0])
		}
		return readDuration(t, "")
	}, "text"}
}

const (
	day     = 24 * time.Hour
	maxDays = 36_500
)

// Age is a duration as people write ages: whole days as 7d. It is empty for none.
func Age(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	}
	return shortDuration(d)
}

func wordsKind() kind {
	return kind{"names", func(t []string, _ string) (any, error) {
		for _, word := range t {
			if strings.TrimSpace(word) == "" {
				return nil, errors.New("has an empty name")
			}
		}
		return slices.Clone(t), nil
	}, "list of texts"}
}

func patternsKind() kind {
	return kind{"patterns", func(t []string, _ string) (any, error) {
		for _, p := range t {
			if strings.TrimSpace(p) == "" {
				return nil, errors.New("has an empty pattern")
			}
		}
		if _, err := tree.NewRules(tree.RuleOptions{Patterns: t}); err != nil {
			return nil, err
		}
		return slices.Clone(t), nil
	}, "list of texts"}
}

func urlKind() kind {
	return kind{"address", func(t []string, _ string) (any, error) {
		u, err := url.Parse(t[0])
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, fmt.Errorf("must be an address such as http://localhost:3000/health, not %q", t[0])
		}
		return t[0], nil
	}, "text"}
}

func choiceKind(words []string) kind {
	return kind{"one of " + strings.Join(words, ", "), func(t []string, _ string) (any, error) {
		if !slices.Contains(words, t[0]) {
			return nil, fmt.Errorf("must be one of %s, not %q%s", strings.Join(words, ", "), t[0], didYouMean(t[0], words))
		}
		return t[0], nil
	}, "text"}
}
