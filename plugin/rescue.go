package plugin

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/validate"
)

// rescueOptions are the flags of rescue.
type rescueOptions struct {
	lockOptions
	to     string
	dryRun bool
	yes    bool
	format string
}

// What data is rescued from.
const (
	fromLayer  = "layer"
	fromVolume = "volume"
)

// finding is data that lies where docker compose leaves it behind, and the source that it belongs into; the fields are those of JSON output.
type finding struct {
	Container string `json:"container"`
	Service   string `json:"service"`
	Folder    string `json:"folder"`
	From      string `json:"from"`
	Size      string `json:"size"`
	// Source is where it goes, Path the folder in it, empty for its root; Why says why there is none.
	Source string `json:"source,omitempty"`
	Path   string `json:"path,omitempty"`
	Why    string `json:"why,omitempty"`
	// There tells that the source has all of it already.
	There bool `json:"there,omitempty"`

	container engine.Container
	files     []string // of a layer; all for a volume
}

func (f finding) name() string {
	if f.container.OneOff {
		return f.Container + ":" + f.Folder
	}
	return f.Service + ":" + f.Folder
}

// called tells that a name is the finding's: by its service, or by its container, since a service may have several.
func (f finding) called(name string) bool {
	return name == f.name() || name == f.Container+":"+f.Folder
}

// rescueResult is what was found and done, in JSON output.
type rescueResult struct {
	Found []finding `json:"found"`
	// Stopped are the services that stand still until up makes them anew; empty in a plan.
	Stopped []string `json:"stopped,omitempty"`
	Files   int64    `json:"files"`
	Bytes   int64    `json:"bytes"`
	// Lacking is what of it is not in the source as it was in the container.
	Lacking []string `json:"lacking,omitempty"`
}

func (a *app) rescueCommand() *cobra.Command {
	var opts rescueOptions
	cmd := &cobra.Command{
		Use:   "rescue [OPTIONS] [SERVICE:FOLDER...]",
		Short: "Copy data out of containers into the source that it belongs into",
		Long: `Find data that docker compose leaves behind: in a container's own writable layer, and
in volumes without a name. Copy it into the folder or volume that the compose file has
for its place, or into the source of --to. So mount a volume or folder there in the
compose file first, then rescue, then docker memsys up. SERVICE:FOLDER names what to
copy; CONTAINER:FOLDER does where a service has several containers, and for a single
run of one.

Nothing that exists is replaced: the place in the source must be empty. The services
are stopped before, and stay so until docker memsys up makes them anew with the mount:
what they would write meanwhile would be left behind again. If anything fails they are
started again, and the source is as it was.`,
		Example: examples("docker memsys rescue --dry-run", "docker memsys rescue chroma:/data", "docker memsys rescue --to chroma-data chroma:/data"),
		GroupID: groupData,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.rescue(cmd.Context(), args, opts) },

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.to, "to", "", "Copy into this source, or a folder of it: SOURCE or SOURCE/FOLDER")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "Show the plan and change nothing")
	flags.BoolVarP(&opts.yes, "yes", "y", false, "Do not ask")
	flags.StringVar(&opts.format, "format", "", formatHelp)
	lockFlags(cmd, &opts.lockOptions)
	_ = cmd.RegisterFlagCompletionFunc("to", a.completeSources)
	return cmd
}

func (a *app) rescue(ctx context.Context, args []string, opts rescueOptions) error {
	if err := checkFormat(opts.format, rescueResult{}); err != nil {
		return err
	}
	if opts.to != "" && len(args) != 1 {
		return usagef("--to takes one SERVICE:FOLDER or CONTAINER:FOLDER, which says what goes there")
	}
	s, err := a.openSession(ctx, compose.Overrides{})
	if err != nil {
		return err
	}
	if !s.reachable() {
		return &outcome{code: exitFailed, message: "no engine answers, and the data lies in its containers; nothing was changed", hint: "docker version"}
	}
	if opts.dryRun {
		defer s.leave(ctx)
		a.noticeInterrupted(s.project)
		found, err := s.misplacedData(ctx, args, opts.to)
		if err != nil {
			return err
		}
		return a.printRescue(rescueResult{Found: found}, opts.format)
	}
	if ctx, err = s.begin(ctx, "rescue", opts.lockOptions, map[string]any{"what": args, "to": opts.to}); err != nil {
		return err
	}
	res, err := s.rescueLocked(ctx, args, opts)
	if err = errors.Join(err, s.end(ctx, err)); err != nil {
		return err
	}
	return a.printRescue(res, opts.format)
}

// misplacedData is the data that docker compose leaves behind, all or what is named, each with the source that it belongs into.
func (s *session) misplacedData(ctx context.Context, named []string, to string) ([]finding, error) {
	g := &guardFacts{guarded: &guarded{session: s}, world: sync.OnceValue(s.surroundings)}
	var all []finding
	for _, c := range s.Containers {
		if c.Project != s.Name || c.OneOff && !slices.ContainsFunc(named, func(name string) bool { return strings.HasPrefix(name, c.Name+":") }) {
			continue // a single run is rescued from where it is named
		}
		found, err := g.dataOf(ctx, c)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	all, err := chosen(all, named)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if to != "" {
			err = g.assign(&all[i], to)
		} else {
			g.place(ctx, &all[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// dataOf is the data of one container that goes, or stays behind, with it.
func (g *guardFacts) dataOf(ctx context.Context, c engine.Container) ([]finding, error) {
	var all []finding
	heaps, err := g.world().LayerData(ctx, c)
	if errors.Is(err, engine.ErrTooMany) {
		g.warn("rescue", "the layer of "+c.Name+" has more files than are looked at: docker diff "+c.Name)
		err = nil
	}
	if err != nil {
		return nil, err
	}
	for _, h := range heaps {
		all = append(all, finding{Container: c.Name, Service: c.Service, Folder: h.Folder, From: fromLayer, Size: h.Size, container: c, files: h.Files})
	}
	for _, m := range c.Mounts {
		if m.Type != "volume" || !compose.IsAnonymous(m.Name) || validate.Regenerable(m.Destination) {
			continue
		}
		if in := g.written(ctx, c, m); !in.Known || in.Files > 0 {
			all = append(all, finding{Container: c.Name, Service: c.Service, Folder: path.Clean(m.Destination), From: fromVolume, Size: in.String(), container: c})
		}
	}
	return all, nil
}

// chosen are the findings with these names; without names all.
func chosen(all []finding, names []string) ([]finding, error) {
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, f := range all {
		known = append(known, f.name())
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(f finding) bool { return f.called(name) }) {
			return nil, &usageError{message: fmt.Sprintf("nothing to rescue at %s; there is: %s", name, orNothing(strings.Join(known, ", "))), hint: "docker memsys rescue --dry-run"}
		}
	}
	return slices.DeleteFunc(all, func(f finding) bool { return !slices.ContainsFunc(names, f.called) }), nil
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// assign gives data to the source of --to.
func (g *guardFacts) assign(f *finding, to string) error {
	if f.Folder == "/" {
		return usagef("%s lies among the files of the image: docker cp takes it out", f.name())
	}
	name, folder, _ := strings.Cut(to, "/")
	i := slices.IndexFunc(g.Sources, func(s compose.Source) bool { return s.Name == name })
	if i < 0 {
		return &usageError{message: fmt.Sprintf("--to: the project has no source %q", name), hint: "docker memsys sources"}
	}
	f.Source, f.Path = name, strings.Trim(path.Clean("/"+folder), "/")
	return nil
}

// place finds the source that the compose file has for the place of the data.
func (g *guardFacts) place(ctx context.Context, f *finding) {
	if f.Folder == "/" {
		f.Why = "it lies among the files of the image: docker cp"
		return
	}
	p := g.plannedAt(f.Service, f.Folder)
	if p == nil || placeWords(*p) == "" {
		f.Why = "the compose file mounts nothing at " + f.Folder + " of service " + f.Service + ": mount a volume or folder there, or name a source with --to"
		return
	}
	source, place, ok := g.sourceAt(*p, f.Folder)
	if !ok {
		f.Why = placeWords(*p) + " is no source of the project"
		return
	}
	f.Source, f.Path = source, place
	f.There = g.rescued(f.container, f.Folder, *p, func() (all, known bool) {
		if f.From == fromLayer {
			return g.holdsLayer(ctx, f.container, validate.LayerData{Folder: f.Folder, Files: f.files}, *p)
		}
		i := slices.IndexFunc(f.container.Mounts, func(m engine.Mount) bool { return path.Clean(m.Destination) == f.Folder })
		return g.holdsVolume(ctx, f.container.Mounts[i], *p)
	})
}

// printRescue prints what was found and done.
func (a *app) printRescue(r rescueResult, format string) error {
	if r.Found == nil {
		r.Found = []finding{}
	}
	show := func() error { return writeClean(a.out, r.text()) }
	if format != "" {
		show = func() error { return a.printFormatted(format, r) }
	}
	if err := show(); err != nil || len(r.Lacking) == 0 {
		return err
	}
	return &outcome{
		code: exitIncomplete, message: "the rescue is incomplete: " + strings.Join(r.Lacking, "; "), hint: "docker cp takes the rest out; the containers still have it",
	}
}

// text is the plan, or the result, for a person.
func (r rescueResult) text() string {
	var b strings.Builder
	if len(r.Found) == 0 {
		b.WriteString("all data lies in mounts that stay\n")
	}
	for _, f := range r.Found {
		where := "the container's own layer"
		if f.From == fromVolume {
			where = "a volume without a name"
		}
		into := f.Source
		if f.Path != "" {
			into += "/" + f.Path
		}
		switch {
		case f.Why != "":
			fmt.Fprintf(&b, "leave %s: %s in %s; %s\n", f.name(), f.Size, where, f.Why)
		case f.There:
			fmt.Fprintf(&b, "%s: source %s has all of it\n", f.name(), into)
		default:
			fmt.Fprintf(&b, "copy %s: %s in %s, into source %s\n", f.name(), f.Size, where, into)
		}
	}
	if len(r.Stopped) > 0 {
		fmt.Fprintf(&b, "copied %s, %s; stopped until docker memsys up: %s\n", plural(r.Files, "file", "files"), size(r.Bytes), strings.Join(r.Stopped, ", "))
	}
	return b.String()
}
