package report

import (
	"fmt"

	"github.com/memsys/docker-memsys/bench/contest"
)

// WritePhase is the phase of docker memsys that writes the archive or the restored files.
const WritePhase = "write"

const mib = 1 << 20

// Goal is something that docker memsys is held to.
type Goal struct {
	Name   string
	Wanted string
	Got    string
	// Known tells whether it was measured, Met whether it is reached.
	Known, Met bool
}

// Goals compares the report with what is wanted. Speed is judged on the first store, memory on all.
func (r Report) Goals() []Goal {
	if len(r.Stores) == 0 {
		return nil
	}
	s := r.Stores[0]
	goals := []Goal{
		atLeast("whole backup, against tar czf", 6, s.Ratios(contest.TarGzip, contest.Backup, "")),
		atLeast("write phase of the backup, against tar czf", 10, s.Ratios(contest.TarGzip, contest.Backup, WritePhase)),
		atLeast("write phase of the restore, against tar xzf", 2.5, s.Ratios(contest.TarGzip, contest.Restore, WritePhase)),
	}
	for _, s := range r.Stores {
		for _, action := range []string{contest.Backup, contest.Restore} {
			goals = append(goals, memory(s, action))
		}
	}
	return append(goals, r.startup(), r.validation(), r.validationMemory())
}

func atLeast(name string, factor float64, got Spread) Goal {
	return Goal{
		Name: name, Wanted: fmt.Sprintf("at least %g times as fast", factor), Got: times(got),
		Known: got.Count > 0, Met: got.Count > 0 && got.Median >= factor,
	}
}

func memory(s Store, action string) Goal {
	const limit = 256
	peak := s.Peak(contest.Memsys, action)
	return Goal{
		Name: fmt.Sprintf("peak memory of the %s of %s", action, megabytes(s.Size)), Wanted: fmt.Sprintf("under %d MiB", limit),
		Got: fmt.Sprintf("%d MiB", peak/mib), Known: peak > 0, Met: peak > 0 && peak < limit*mib,
	}
}

func (r Report) startup() Goal {
	const limit = 1.3
	var ratios []float64
	for i := range min(len(r.Startup.Memsys), len(r.Startup.Compose)) {
		ratios = append(ratios, r.Startup.Memsys[i]/r.Startup.Compose[i])
	}
	got := spread(ratios)
	return Goal{
		Name: "start-up: version, against docker compose", Wanted: fmt.Sprintf("at most %g times", limit), Got: times(got),
		Known: got.Count > 0, Met: got.Count > 0 && got.Median <= limit,
	}
}

func (r Report) validation() Goal {
	const limit = 2
	v := r.Validation
	var ratios []float64
	for i := range min(len(v.Read), len(v.Validate)) {
		ratios = append(ratios, v.Validate[i]/v.Read[i])
	}
	got := spread(ratios)
	return Goal{
		Name:   "validate of " + validated(v) + ", against cat of all",
		Wanted: fmt.Sprintf("at most %d times", limit), Got: times(got), Known: got.Count > 0, Met: got.Count > 0 && got.Median <= limit,
	}
}

func (r Report) validationMemory() Goal {
	const limit = 256
	peak := r.Validation.Peak
	return Goal{
		Name: "peak memory of the validate of " + validated(r.Validation), Wanted: fmt.Sprintf("under %d MiB", limit),
		Got: fmt.Sprintf("%d MiB", peak/mib), Known: peak > 0, Met: peak > 0 && peak < limit*mib,
	}
}

// validated says what was looked at.
func validated(v contest.Validation) string {
	return fmt.Sprintf("%d memories in %d files", v.Records, v.Files)
}

// Verdict says in a word how a goal stands.
func (g Goal) Verdict() string {
	switch {
	case !g.Known:
		return "not measured"
	case g.Met:
		return "reached"
	default:
		return "missed"
	}
}

func times(s Spread) string {
	if s.Count == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f, %d pairs)", s.Median, s.Min, s.Max, s.Count)
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", (n+500_000)/1_000_000) }
