package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/bench/gen"
	"github.com/memsys/docker-memsys/bench/report"
)

func generate(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	dir := flags.String("out", "", "`folder` to make")
	size := flags.String("size", "600MB", "`size` of all files together")
	scale := flags.Float64("scale", 1, "make `times` as much")
	seed := flags.Uint64("seed", 1, "start `value`; the same makes the same bytes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	bytes, err := parseSize(*size)
	if err != nil {
		return err
	}
	if *dir == "" || flags.NArg() > 0 {
		return errUsage
	}
	parts, err := gen.Make(ctx, gen.Options{Dir: *dir, Size: int64(float64(bytes) * *scale), Seed: *seed, Workers: runtime.NumCPU()})
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(parts)
}

func records(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("records", flag.ContinueOnError)
	o := gen.RecordsOptions{Workers: runtime.NumCPU()}
	flags.StringVar(&o.Dir, "out", "", "`folder` to make")
	flags.IntVar(&o.Files, "files", 200_000, "`number` of files")
	flags.IntVar(&o.Each, "each", 10, "`number` of records in each")
	flags.Uint64Var(&o.Seed, "seed", 1, "start `value`; the same makes the same bytes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.Dir == "" || flags.NArg() > 0 {
		return errUsage
	}
	part, err := gen.MakeRecords(ctx, o)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(part)
}

func show(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	in := flags.String("in", "", "`file` that run -save wrote")
	format := flags.String("format", "text", "text or markdown")
	if err := flags.Parse(args); err != nil {
		return err
	}
	data, err := os.ReadFile(*in)
	if err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	var r report.Report
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	return write(r, *format, out)
}

func write(r report.Report, format string, out io.Writer) error {
	switch format {
	case "text":
		return r.Text(out)
	case "markdown":
		return r.Markdown(out)
	case "json":
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return fmt.Errorf("unknown format %q: text, markdown or json", format)
}

// parseSize reads a size as people write it: 600MB, 2.4GB, 1000000.
func parseSize(text string) (int64, error) {
	number, unit := strings.TrimSpace(text), 1.0
	for suffix, n := range map[string]float64{"KB": 1e3, "MB": 1e6, "GB": 1e9} {
		if rest, ok := strings.CutSuffix(strings.ToUpper(number), suffix); ok {
			number, unit = rest, n
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not a size: write it as 600MB or 2.4GB", text)
	}
	return int64(n * unit), nil
}
