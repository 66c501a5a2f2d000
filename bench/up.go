package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/memsys/docker-memsys/bench/contest"
)

// mostMore is how much longer than docker compose up a docker memsys up may take that has nothing to do.
const mostMore = 0.3

var errMissed = errors.New("missed")

// up measures what docker memsys up costs over docker compose up on a project of which nothing has changed.
func up(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	project := flags.String("project", ".", "`folder` of the project")
	pairs := flags.Int("pairs", 20, "`number` of pairs")
	settle := flags.Duration("settle", 15*time.Second, "how long the project is left alone once it is up")
	format := flags.String("format", "text", "text or json")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *pairs < 1 || flags.NArg() > 0 {
		return errUsage
	}
	w, err := contest.MeasureWrapped(ctx, *project, *settle, *pairs)
	if err != nil {
		return err
	}
	more := middle(w.More())
	if *format == "json" {
		err = json.NewEncoder(out).Encode(map[string]any{"memsys": w.Memsys, "compose": w.Compose, "more": more, "wanted": mostMore})
	} else {
		_, err = fmt.Fprintf(out, "docker compose up -d: %.0f ms, docker memsys up -d: %.0f ms, of the pairs memsys took %.0f ms more (%.0f to %.0f, %d pairs); wanted: at most %.0f ms more\n",
			1000*middle(w.Compose), 1000*middle(w.Memsys), 1000*more, 1000*slices.Min(w.More()), 1000*slices.Max(w.More()), *pairs, 1000*mostMore)
	}
	if err == nil && more > mostMore {
		err = errMissed
	}
	return err
}

// middle is the median.
func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
