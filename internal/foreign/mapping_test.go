package foreign

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
)

func bind(name, path, target string) compose.Source {
	return compose.Source{Name: name, Kind: compose.Bind, Path: path, Mounts: []compose.Mount{{Service: "app", Target: target}}}
}

func volume(name, target string) compose.Source {
	return compose.Source{
		Name: name, Kind: compose.Volume, Volume: &compose.VolumeInfo{Key: name, Name: "notes_" + name},
		Mounts: []compose.Mount{{Service: "db", Target: target}},
	}
}

// guide is the project of the persistence guide, with a volume beside it.
func guide() []compose.Source {
	logs := bind("logs", "/opt/memory-system/logs", "/app/logs")
	logs.Excluded = "logs are left out"
	return []compose.Source{bind("data", "/opt/memory-system/data", "/app/data"), logs, volume("chroma", "/chroma/chroma")}
}

// mapped maps an archive of empty files and says the result in lines.
func mapped(t *testing.T, sources []compose.Source, files, maps []string) (string, error) {
	t.Helper()
	var parts []part
	for _, f := range files {
		parts = append(parts, file(f, "x"))
	}
	data := tarOf(t, parts...)
	c, err := scan(t.Context(), bytes.NewReader(data), int64(len(data)), DefaultLimits(int64(len(data))), nil)
	assert.NilError(t, err)
	target := Target{Sources: sources, Files: []string{"conf/app.env"}}
	for _, m := range maps {
		a, err := ParseAssignment(m)
		if err != nil {
			return "", err
		}
		target.Assigned = append(target.Assigned, a)
	}
	m, err := c.Map(target)
	if err != nil {
		return "", err
	}
	var out []string
	for _, x := range m.Taken {
		out = append(out, fmt.Sprintf("%s=%s %d", x.Folder, x.Source, x.Files))
	}
	for _, p := range m.Project {
		out = append(out, "project "+p)
	}
	for _, l := range m.Left {
		out = append(out, fmt.Sprintf("left %s %t", l.Folder, l.Wanted))
	}
	for _, a := range m.Ambiguous {
		out = append(out, "? "+a.String())
	}
	return strings.Join(out, "; "), nil
}

func TestFoldersBecomeSources(t *testing.T) {
	for _, c := range []struct {
		name        string
		sources     []compose.Source
		files, maps []string
		want        string
	}{
		{
			"the former script's layout", guide(),
			[]string{"memory-system/data/memories/1", "memory-system/logs/x", "memory-system/.env", "memory-system/ssl/k"},
			nil, "memory-system/data=data 1; project memory-system/.env; left memory-system/logs false; left memory-system/ssl true",
		},
		{"the whole path", guide(), []string{"opt/memory-system/data/a", "opt/memory-system/data/b"}, nil, "opt/memory-system/data=data 2"},
		{"from its own folder", guide(), []string{"./data/a", "./docker-compose.yml"}, nil, "data=data 1; project docker-compose.yml"},
		{"as a service sees it", guide(), []string{"chroma/chroma/x", "app/data/y"}, nil, "app/data=data 1; chroma=chroma 1"},
		{"a volume by its name on the engine", guide(), []string{"volumes/notes_chroma/_data/x"}, nil, "volumes/notes_chroma/_data=chroma 1"},
		{"a known file of the project", guide(), []string{"p/conf/app.env", "p/conf/other", "p/data/a"}, nil, "p/data=data 1; project p/conf/app.env; left p/conf/other true"},
		{"the stronger match", guide(), []string{"x/memory-system/data/a", "y/data/b"}, nil, "x/memory-system/data=data 1; left y/data true"},
		{"two that fit alike", guide(), []string{"x/data/a", "y/data/b"}, nil, "? x/data, y/data may be data"},
		{"two that fit alike, decided", guide(), []string{"x/data/a", "y/data/b"}, []string{"y/data="}, "x/data=data 1; left y/data false"},
		{
			"sources that fit alike",
			[]compose.Source{bind("a-store", "/srv/a/store", "/x"), bind("b-store", "/srv/b/store", "/y")},
			[]string{"store/a"},
			nil, "? store may be a-store or b-store",
		},
		{"all of it", guide(), []string{"memories/1", "indexes/2"}, []string{".=data"}, ".=data 2"},
		{"all of it but one", guide(), []string{"memories/1", "cache/2"}, []string{".=data", "cache="}, ".=data 1; left cache false"},
		{"nothing fits", guide(), []string{"a/b/c", "d/e"}, nil, "left a true; left d true"},
		{
			"a mount inside a mount", append(guide(), bind("cache", "/opt/memory-system/data/cache", "/app/data/cache")),
			[]string{"memory-system/data/a", "memory-system/data/cache/b"},
			nil, "memory-system/data=data 1; memory-system/data/cache=cache 1",
		},
		{
			"a mount inside a mount that backups leave out", append(guide(), compose.Source{Name: "tmp", Kind: compose.Bind, Path: "/opt/memory-system/data/tmp", Excluded: "why"}),
			[]string{"memory-system/data/a", "memory-system/data/tmp/b"},
			nil, "memory-system/data=data 1; left memory-system/data/tmp false",
		},
		{"set aside by a restore", guide(), []string{"data/a", "data/.memsys-x/old/b"}, nil, "data=data 1; left data/.memsys-x false"},
		{
			"ours, packed again", guide(),
			[]string{"out/memsys.json", "out/data/data/a", "out/data/gone/b", "out/project/conf/app.env"},
			nil, "out/data/data=data 1; project out/project/conf/app.env; left out/data/gone true; left out/memsys.json false",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := mapped(t, c.sources, c.files, c.maps)
			assert.NilError(t, err)
			assert.Equal(t, got, c.want)
		})
	}
}

func TestAssignmentsWithoutSenseAreRefused(t *testing.T) {
	for _, maps := range [][]string{
		{"nope=data"}, {"data=nope"}, {"data"}, {"=data"}, {"../data=data"}, {"data=data", "data="}, {"data=data", "other=data"},
	} {
		_, err := mapped(t, guide(), []string{"data/a", "other/b"}, maps)
		assert.Assert(t, errors.As(err, new(*MapError)), "%v: %v", maps, err)
	}
}
