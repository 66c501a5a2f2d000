package plugin

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/docker/cli/cli/command/formatter"
	cliflags "github.com/docker/cli/cli/flags"
	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/tree"
)

// sourcesOptions are the flags of sources.
type sourcesOptions struct {
	format  string
	quiet   bool
	noSize  bool
	noTrunc bool
}

// sourcesTable is the table of sources.
const sourcesTable = "table {{.Name}}\t{{.Kind}}\t{{.Where}}\t{{.Services}}\t{{.Size}}\t{{.InBackup}}"

func (a *app) sourcesCommand() *cobra.Command {
	var opts sourcesOptions
	cmd := &cobra.Command{
		Use:   "sources [OPTIONS]",
		Short: "List the folders and volumes that hold the project's data",
		Long: `List every folder and volume that holds data of the project: what it is, where it
is, which services mount it, its size, and whether it is in the backup and why not.
Works without an engine too, but then knows neither anonymous volumes nor the
places of named ones.`,
		Example:           examples("docker memsys sources", "docker memsys sources --format json", "docker memsys --profile jobs sources"),
		Args:              noArgs,
		GroupID:           groupProject,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.sources(cmd.Context(), opts) },
	}
	cmd.Flags().StringVar(&opts.format, "format", "", cliflags.FormatHelp)
	cmd.Flags().BoolVarP(&opts.quiet, "quiet", "q", false, "Print names alone")
	cmd.Flags().BoolVar(&opts.noSize, "no-size", false, "Do not measure sizes")
	cmd.Flags().BoolVar(&opts.noTrunc, "no-trunc", false, "Print long places and names in full, however narrow the terminal")
	return cmd
}

// sources prints the sources.
func (a *app) sources(ctx context.Context, opts sourcesOptions) error {
	project, err := a.openSession(ctx, compose.Overrides{})
	if err != nil {
		return err
	}
	defer project.leave(ctx)
	a.noticeInterrupted(project.project)
	rows, err := a.sourceRows(ctx, project, opts)
	if err != nil {
		return err
	}
	if opts.quiet {
		opts.format = "{{.Name}}"
	}
	if (opts.format == "" || opts.format == formatter.TableFormatKey) && !opts.noTrunc && a.world.Out.Terminal {
		fitSources(rows, a.world.OutWidth())
	}
	return printRows(a, opts.format, sourcesTable, newSourceRow(), rows)
}

// sourceRows finds the sources and measures those that this process reaches.
func (a *app) sourceRows(ctx context.Context, s *session, opts sourcesOptions) ([]*sourceRow, error) {
	rows, reached := []*sourceRow{}, []*sourceRow{}
	if _, err := s.reach(ctx, reads); err != nil {
		return nil, err
	}
	for _, src := range s.Sources {
		row := &sourceRow{source: src, path: src.Path, size: -1}
		place, err := s.place(ctx, src)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			row.unreachable = err.Error()
		default:
			row.path = place
			reached = append(reached, row)
		}
		rows = append(rows, row)
	}
	return rows, s.measure(ctx, reached, !opts.noSize && !opts.quiet)
}

// measure tells whether there is anything at the places of rows, and how much if sized.
func (s *session) measure(ctx context.Context, rows []*sourceRow, isSized bool) error {
	c := sizesCall{Sized: isSized}
	for _, row := range rows {
		c.Paths = append(c.Paths, row.path)
	}
	f, err := s.reach(ctx, reads)
	if err != nil {
		return err
	}
	var found []sized
	if f != nil {
		err = f.Call(ctx, callSizes, c, &found)
	} else {
		for _, path := range c.Paths {
			found = append(found, sizeOf(ctx, path, isSized))
		}
	}
	for i, one := range found {
		rows[i].size, rows[i].unreachable = one.Size, one.Unreachable
	}
	return err
}

// sizeOf tells what lies at a path.
func sizeOf(ctx context.Context, path string, isSized bool) sized {
	if _, err := backup.Reach(path); err != nil {
		return sized{Size: -1, Unreachable: err.Error()}
	}
	if !isSized {
		return sized{Size: -1}
	}
	return sized{Size: measure(ctx, path)}
}

// measure is the number of bytes of the files below path, each counted once; -1 where it cannot be read.
func measure(ctx context.Context, path string) int64 {
	var total int64
	failed := false
	opts := tree.WalkOptions{OnProblem: func(tree.Problem) { failed = true }}
	err := tree.Walk(ctx, path, opts, func(_ context.Context, e *tree.Entry, _ tree.Opener) error {
		total += e.Size
		return nil
	})
	if err != nil || failed && total == 0 {
		return -1
	}
	return total
}

// sourceRow is a source as templates see it.
type sourceRow struct {
	formatter.HeaderContext
	source compose.Source
	path   string
	size   int64
	// unreachable says why this process cannot read the source; empty where it can.
	unreachable string
	// cutWhere and cutServices are the widths that these columns are cut to; 0 for none.
	cutWhere, cutServices int
}

// why says what keeps the source out of a backup; empty where nothing does.
func (r *sourceRow) why() string { return cmp.Or(r.source.Excluded, r.unreachable) }

// newSourceRow is the row of the headers.
func newSourceRow() *sourceRow {
	row := &sourceRow{}
	row.Header = formatter.SubHeaderContext{
		"Name": "SOURCE", "Kind": "KIND", "Where": "WHERE", "Path": "PATH", "Services": "SERVICES", "Size": "SIZE", "InBackup": "IN BACKUP",
	}
	return row
}

// Name is the source's name: data/NAME in the archive.
func (r *sourceRow) Name() string { return display.Clean(r.source.Name) }

// Kind is bind or volume.
func (r *sourceRow) Kind() string { return string(r.source.Kind) }

// Where is the folder or the volume.
func (r *sourceRow) Where() string { return fitEnd(display.Clean(where(r.source)), r.cutWhere) }

// Path is the place on this machine, empty where it is not known.
func (r *sourceRow) Path() string { return display.Clean(r.path) }

// Services are those that mount the source.
func (r *sourceRow) Services() string {
	return formatter.Ellipsis(display.Clean(strings.Join(services(r.source), ", ")), cmp.Or(r.cutServices, math.MaxInt))
}

// Size is the number of bytes in the source's files.
func (r *sourceRow) Size() string {
	if r.size < 0 {
		return "-"
	}
	return size(r.size)
}

// InBackup is yes, or no and why.
func (r *sourceRow) InBackup() string {
	if why := r.why(); why != "" {
		return "no: " + display.Clean(why)
	}
	return "yes"
}

// MarshalJSON is the source as docs/json-output.md describes it.
func (r *sourceRow) MarshalJSON() ([]byte, error) { return json.Marshal(r.object()) }

// sourceObject is a source in JSON output.
type sourceObject struct {
	Name     string        `json:"name"`
	Kind     string        `json:"kind"`
	Path     string        `json:"path,omitempty"`
	Volume   string        `json:"volume,omitempty"`
	Services []string      `json:"services"`
	Mounts   []mountObject `json:"mounts"`
	Size     *int64        `json:"size,omitempty"`
	InBackup bool          `json:"inBackup"`
	Why      string        `json:"why,omitempty"`
}

// mountObject is one use of a source in JSON output.
type mountObject struct {
	Service  string `json:"service"`
	Target   string `json:"target"`
	Subpath  string `json:"subpath,omitempty"`
	ReadOnly bool   `json:"readOnly"`
}

// object is the row for JSON output.
func (r *sourceRow) object() sourceObject {
	object := sourceObject{
		Name: r.source.Name, Kind: string(r.source.Kind), Path: r.path, Services: services(r.source), Mounts: []mountObject{},
		InBackup: r.why() == "", Why: r.why(),
	}
	if r.source.Volume != nil {
		object.Volume = r.source.Volume.Name
	}
	for _, m := range r.source.Mounts {
		object.Mounts = append(object.Mounts, mountObject(m))
	}
	if r.size >= 0 {
		object.Size = &r.size
	}
	return object
}

// where is the folder of a bind, the name of a volume.
func where(s compose.Source) string {
	if s.Volume != nil {
		return cmp.Or(s.Volume.Name, s.Path, "-")
	}
	return s.Path
}

// services are the services that mount a source, each once.
func services(s compose.Source) []string {
	names := []string{}
	for _, m := range s.Mounts {
		names = append(names, m.Service)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
