package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/bench/contest"
	"github.com/memsys/docker-memsys/bench/gen"
	"github.com/memsys/docker-memsys/bench/measure"
	"github.com/memsys/docker-memsys/bench/report"
)

type runOptions struct {
	plugin, compose, work, size, scales, rounds, only, format, save string
	seed                                                            uint64
	startups, files, pairs                                          int
}

func runFlags(args []string, stderr io.Writer) (runOptions, error) {
	var o runOptions
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.plugin, "plugin", "", "the docker-memsys `program`")
	flags.StringVar(&o.compose, "compose", "", "Docker's compose plugin, a `program`; found where Docker looks")
	flags.StringVar(&o.work, "work", "", "`folder` for stores and archives, removed at the end; a new temporary one")
	flags.StringVar(&o.size, "size", "600MB", "`size` of the store")
	flags.StringVar(&o.scales, "scales", "1,4", "`factors`: one store for each, so many times the size")
	flags.StringVar(&o.rounds, "rounds", "5,2", "`numbers` of rounds on the stores")
	flags.StringVar(&o.only, "only", "", "`names` of the tools to run, with commas; all")
	flags.StringVar(&o.format, "format", "text", "text, markdown or json")
	flags.StringVar(&o.save, "save", "", "`file` that keeps all measurements as JSON")
	flags.Uint64Var(&o.seed, "seed", 1, "start `value` of the stores")
	flags.IntVar(&o.startups, "startups", 30, "`number` of pairs of starts")
	flags.IntVar(&o.files, "files", 200_000, "`number` of memory files to validate, of 10 records each")
	flags.IntVar(&o.pairs, "pairs", 5, "`number` of pairs of cat and validate; 0 leaves them out")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := runFlags(args, stderr)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(o.work, "memsys-bench-")
	if err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if o.plugin, err = absolute(o.plugin); err != nil {
		return err
	}
	r, err := measureAll(ctx, o, work, stderr)
	if err != nil {
		return err
	}
	if o.save != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fmt.Errorf("save report: %w", err)
		}
		if err := os.WriteFile(o.save, append(data, '\n'), 0o644); err != nil {
			return fmt.Errorf("save report: %w", err)
		}
	}
	return write(r, o.format, stdout)
}

func measureAll(ctx context.Context, o runOptions, work string, stderr io.Writer) (report.Report, error) {
	r := report.Report{Machine: report.ThisMachine(work), Missing: []string{}}
	scales, err := numbers(o.scales)
	if err != nil {
		return r, err
	}
	rounds, err := numbers(o.rounds)
	if err != nil {
		return r, err
	}
	if len(rounds) != len(scales) {
		return r, fmt.Errorf("%d scales but %d numbers of rounds", len(scales), len(rounds))
	}
	for i, scale := range scales {
		c := contest.Contest{Rounds: int(rounds[i]), Report: func(run contest.Run) { tell(stderr, scale, run) }}
		if o.only != "" {
			c.Only = strings.Split(o.only, ",")
		}
		c.Place = contest.Place{Store: filepath.Join(work, fmt.Sprintf("store-%g", scale)), Work: work, Plugin: o.plugin}
		s, err := measureStore(ctx, o, scale, c, stderr)
		if err != nil {
			return r, err
		}
		r.Stores = append(r.Stores, s)
		for _, t := range c.Missing() {
			if t.Package != "" && !slices.Contains(r.Missing, t.Package) {
				r.Missing = append(r.Missing, t.Package)
			}
		}
	}
	r.Versions = versions(ctx, o.plugin, work)
	if r.Startup, err = startup(ctx, o, work, stderr); err != nil {
		return r, err
	}
	r.Validation, err = validation(ctx, o, work, stderr)
	return r, err
}

// measureStore makes the store in a process of its own: the memory of this one counts for every program it starts.
func measureStore(ctx context.Context, o runOptions, scale float64, c contest.Contest, stderr io.Writer) (s report.Store, err error) {
	size, err := parseSize(o.size)
	if err != nil {
		return s, err
	}
	s.Size = int64(float64(size) * scale)
	self, err := os.Executable()
	if err != nil {
		return s, fmt.Errorf("find this program: %w", err)
	}
	fmt.Fprintf(stderr, "make a store of %d MB\n", s.Size/1_000_000)
	made, err := measure.Run(ctx, measure.Step{Pipeline: [][]string{{
		self, "gen", "-out", c.Place.Store, "-size", strconv.FormatInt(s.Size, 10), "-seed", strconv.FormatUint(o.seed, 10),
	}}})
	if err != nil {
		return s, err
	}
	var parts []gen.Part
	if err := json.Unmarshal(made.Output, &parts); err != nil {
		return s, fmt.Errorf("read what gen made: %w", err)
	}
	s.Parts = parts
	_, c.Expected = s.Read()
	// The compose file has its own place in an archive of docker memsys.
	c.Expected -= composeSize(parts)
	s.Runs, err = c.Run(ctx)
	return s, err
}

// validation makes memory files, in a process of its own, and measures what it costs to look at them.
func validation(ctx context.Context, o runOptions, work string, stderr io.Writer) (contest.Validation, error) {
	var v contest.Validation
	if o.pairs == 0 || o.plugin == "" {
		return v, nil
	}
	self, err := os.Executable()
	if err != nil {
		return v, fmt.Errorf("find this program: %w", err)
	}
	const each = 10
	fmt.Fprintf(stderr, "make %d memory files\n", o.files)
	p := contest.Place{Store: filepath.Join(work, "memories"), Work: work, Plugin: o.plugin}
	made, err := measure.Run(ctx, measure.Step{Pipeline: [][]string{{
		self, "records", "-out", p.Store, "-files", strconv.Itoa(o.files), "-each", strconv.Itoa(each), "-seed", strconv.FormatUint(o.seed, 10),
	}}})
	if err != nil {
		return v, err
	}
	var part gen.Part
	if err := json.Unmarshal(made.Output, &part); err != nil {
		return v, fmt.Errorf("read what records made: %w", err)
	}
	v = contest.Validation{Files: part.Files, Records: int64(part.Files) * each, Bytes: part.Bytes}
	v, err = contest.MeasureValidation(ctx, p, v, o.pairs)
	fmt.Fprintf(stderr, "validate: %.2f s, cat: %.2f s, peak %d MiB\n", v.Validate, v.Read, v.Peak>>20)
	return v, err
}

func composeSize(parts []gen.Part) int64 {
	for _, p := range parts {
		if p.Name == gen.ComposePart {
			return p.Bytes
		}
	}
	return 0
}

func startup(ctx context.Context, o runOptions, work string, stderr io.Writer) (contest.Startup, error) {
	plugin := o.compose
	if plugin == "" {
		if home, err := os.UserHomeDir(); err == nil {
			plugin = contest.FindCompose(home)
		}
	}
	if plugin == "" || o.startups == 0 || o.plugin == "" {
		fmt.Fprintln(stderr, "start-up is not measured: it needs docker-memsys and Docker's compose plugin (-compose)")
		return contest.Startup{}, nil
	}
	return contest.MeasureStartup(ctx, work, o.plugin, plugin, o.startups)
}

// versions asks the programs who they are; one that is missing has no version.
func versions(ctx context.Context, plugin, work string) map[string]string {
	out := map[string]string{}
	for name, args := range map[string][]string{
		"docker-memsys": {plugin, "version"}, "tar": {"tar", "--version"}, "gzip": {"gzip", "--version"}, "pigz": {"pigz", "--version"},
		"zstd": {"zstd", "--version"}, "restic": {"restic", "version"}, "borg": {"borg", "--version"},
	} {
		cost, err := measure.Run(ctx, measure.Step{Pipeline: [][]string{args}, Dir: work})
		if err == nil {
			line, _, _ := strings.Cut(string(cost.Output), "\n")
			out[name] = strings.Trim(line, "* ")
		}
	}
	return out
}

func tell(w io.Writer, scale float64, r contest.Run) {
	fmt.Fprintf(w, "scale %g round %d: %-14s %-7s %7.2f s  CPU %6.1f s  peak %4d MiB  others %2.0f %%  %v\n",
		scale, r.Round, r.Tool, r.Action, r.Seconds, r.CPU, r.Peak>>20, 100*r.Other, r.Phases)
}

func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	out, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	return out, nil
}

func numbers(list string) ([]float64, error) {
	var out []float64
	for _, text := range strings.Split(list, ",") {
		n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("%q is not a list of numbers", list)
		}
		out = append(out, n)
	}
	return out, nil
}
