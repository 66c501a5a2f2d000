package restore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Difference is one thing in which the backup's project and the present one are not the same.
type Difference struct {
	// What differs: project name, working directory, engine, host, operating system, architecture, service, image, image build, owner, volume driver, volume
	// options, embedding dimension.
	What string `json:"what"`
	// Object is the service or the source that it is about; empty for the project.
	Object string `json:"object,omitempty"`
	Backup string `json:"backup"`
	Here   string `json:"here"`
	// Identity tells that the backup is of another project: it is restored only with consent.
	Identity bool `json:"identity,omitempty"`
	// Hint is the flag that removes the difference.
	Hint string `json:"hint,omitempty"`
}

// String says the difference in a few words.
func (d Difference) String() string {
	if d.Object == "" {
		return fmt.Sprintf("%s: the backup is of %q, here it is %q", d.What, d.Backup, d.Here)
	}
	text := fmt.Sprintf("%s of %s: in the backup %s, here %s", d.What, d.Object, d.Backup, d.Here)
	if d.Hint != "" {
		text += " (" + d.Hint + ")"
	}
	return text
}

// survey is what is known of a target for the comparison of two machines.
type survey struct {
	present compose.Source
	// owners counts the entries of the archive by owner, as they are restored.
	owners map[string]int64
	// moved counts the entries that are there and have another owner: the backup's and theirs.
	moved map[[2]string]int64
	dims  map[int]bool // of the vectors in the archive
	heads int          // files that were read for dims
}

// identity compares two identities; what a side does not know is no difference.
func identity(backup, here archive.Project) []Difference {
	var out []Difference
	add := func(what, b, h string, identity bool) {
		if b != "" && h != "" && b != h {
			out = append(out, Difference{What: what, Backup: b, Here: h, Identity: identity})
		}
	}
	add("project name", backup.Name, here.Name, true)
	add("working directory", backup.WorkingDir, here.WorkingDir, true)
	add("engine", backup.EngineID, here.EngineID, true)
	add("host", backup.Host, here.Host, false)
	add("operating system", backup.OS, here.OS, false)
	add("architecture", backup.Architecture, here.Architecture, false)
	return out
}

// elsewhere tells whether the backup is of another identity.
func (p *Plan) elsewhere() bool {
	return slices.ContainsFunc(p.Differences, func(d Difference) bool { return d.Identity })
}

// images compares the services that the backup knows with the present ones.
func images(backup, here []archive.Service) []Difference {
	if len(backup) == 0 || len(here) == 0 {
		return nil
	}
	var out []Difference
	for _, was := range backup {
		i := slices.IndexFunc(here, func(s archive.Service) bool { return s.Name == was.Name })
		if i < 0 {
			out = append(out, Difference{What: "service", Object: was.Name, Backup: word(was.Image), Here: "there is none"})
			continue
		}
		out = append(out, image(was, here[i])...)
	}
	for _, now := range here {
		if !slices.ContainsFunc(backup, func(s archive.Service) bool { return s.Name == now.Name }) {
			out = append(out, Difference{What: "service", Object: now.Name, Backup: "there is none", Here: word(now.Image)})
		}
	}
	return out
}

// image compares the image of one service: by reference, else by digest, else by id. One engine can name an image by another id than the
// next, so an id says nothing where both have digests.
func image(was, now archive.Service) []Difference {
	differ := func(what, b, h string) []Difference {
		return []Difference{{What: what, Object: was.Name, Backup: b, Here: h}}
	}
	switch {
	case was.Image != "" && now.Image != "" && was.Image != now.Image:
		return differ("image", was.Image, now.Image)
	case was.ImageID == "" || now.ImageID == "" || was.ImageID == now.ImageID:
		return nil
	case len(was.RepoDigests) == 0 || len(now.RepoDigests) == 0:
		return differ("image build", short(was.ImageID), short(now.ImageID))
	case slices.ContainsFunc(was.RepoDigests, func(d string) bool { return slices.Contains(now.RepoDigests, d) }):
		return nil
	}
	return differ("image build", was.RepoDigests[0], now.RepoDigests[0])
}

func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(len(id), 12)]
}

func word(text string) string {
	if text == "" {
		return "one without image"
	}
	return text
}

// differ compares the targets with what is here, once the archive and the live data were looked at. An undo comes back to what was here.
func (p *Plan) differ(ctx context.Context) error {
	if p.req.Undo != nil {
		return nil
	}
	p.Differences = append(p.Differences, images(p.manifest.Services, p.req.Present)...)
	if err := p.surveyArchive(ctx); err != nil {
		return err
	}
	for _, t := range p.Targets {
		s := p.surveys[t]
		if s == nil {
			continue
		}
		t.Owners = s.owners
		p.Differences = append(p.Differences, s.ownership(t.Name)...)
		volume, err := p.volumeDifferences(ctx, t, s.present)
		if err != nil {
			return err
		}
		p.Differences = append(p.Differences, volume...)
		dims, err := p.dimensions(ctx, t, s)
		if err != nil {
			return err
		}
		p.Differences = append(p.Differences, dims...)
	}
	return nil
}

// surveyArchive counts owners and reads dimensions, in one pass over the archive's entries.
func (p *Plan) surveyArchive(ctx context.Context) error {
	if p.reader == nil || len(p.Targets) == 0 {
		return nil
	}
	for e, err := range p.reader.Entries(ctx) {
		if err != nil {
			return p.unreadable(ctx, err)
		}
		for _, t := range p.Targets {
			s := p.surveys[t]
			if s == nil {
				continue
			}
			placed, ok := t.view.place(p.owners.entry(&e.Entry))
			if !ok || !t.view.archived[placed.Path] {
				continue
			}
			if e.Kind != tree.Hardlink {
				s.owners[fmt.Sprintf("%d:%d", placed.UID, placed.GID)]++
			}
			if hasDimension(&e.Entry) && s.heads < mostHeads {
				s.heads++
				s.addDimension(archivedDimension(ctx, p.reader, e))
			}
			break
		}
	}
	return nil
}

// noteOwners counts the entries that are there with another owner than the restore gives them.
func (p *Plan) noteOwners(t *Target, found []tree.Difference) {
	s := p.surveys[t]
	if s == nil {
		return
	}
	for _, d := range found {
		if d.Field == "owner" && !t.view.parents[d.Path] {
			s.moved[[2]string{d.Want, d.Got}]++
		}
	}
}

// ownership says which owners of the backup differ from those of the same entries here, the source's root above all.
func (s *survey) ownership(source string) []Difference {
	var out []Difference
	for _, pair := range slices.SortedFunc(maps.Keys(s.moved), func(a, b [2]string) int { return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1]) }) {
		out = append(out, Difference{
			What: "owner", Object: source, Backup: fmt.Sprintf("%s (%d entries)", pair[0], s.owners[pair[0]]), Here: pair[1], Hint: ownerHint(pair[0], pair[1]),
		})
	}
	return out
}

// ownerHint is how the entries of one owner get another.
func ownerHint(from, to string) string {
	fromUser, fromGroup, _ := strings.Cut(from, ":")
	toUser, toGroup, _ := strings.Cut(to, ":")
	var flags []string
	if fromUser != toUser {
		flags = append(flags, "--map-owner u:"+fromUser+":"+toUser)
	}
	if fromGroup != toGroup {
		flags = append(flags, "--map-owner g:"+fromGroup+":"+toGroup)
	}
	if len(flags) == 2 && fromUser == fromGroup && toUser == toGroup {
		flags = []string{"--map-owner " + fromUser + ":" + toUser}
	}
	return "to change them: " + strings.Join(flags, " ")
}

// volumeDifferences compares how a volume was made with how the one here is, or would be, made.
func (p *Plan) volumeDifferences(ctx context.Context, t *Target, present compose.Source) ([]Difference, error) {
	was, now := t.source.Volume, present.Volume
	if was == nil || now == nil {
		return nil, nil
	}
	driver, options := now.Driver, now.Options
	if p.req.Volumes != nil && !t.Missing {
		live, err := p.volume(ctx, now.Name)
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return nil, fmt.Errorf("look at volume %s: %w", now.Name, err)
		}
		if err == nil { // else compose makes it around the folder that is there
			driver, options = live.Driver, live.Options
		}
	}
	var out []Difference
	add := func(what, b, h string) {
		if b != h {
			out = append(out, Difference{What: what, Object: t.Name, Backup: b, Here: h})
		}
	}
	add("volume driver", driverName(was.Driver), driverName(driver))
	add("volume options", optionText(was.Options), optionText(options))
	return out, nil
}

func driverName(name string) string {
	if name == "" {
		return "local"
	}
	return name
}

// optionText names options without the values of those that may be secrets.
func optionText(options map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(options)) {
		value := options[key]
		if key == "o" && strings.Contains(value, "pass") {
			value = "…"
		}
		out = append(out, key+"="+value)
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ",")
}
