package report_test

import (
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/golden"

	"github.com/memsys/docker-memsys/bench/contest"
	"github.com/memsys/docker-memsys/bench/gen"
	"github.com/memsys/docker-memsys/bench/measure"
	"github.com/memsys/docker-memsys/bench/report"
)

func TestReportIsShownWhole(t *testing.T) {
	for format, show := range map[string]func(report.Report, *strings.Builder) error{
		"text":     func(r report.Report, b *strings.Builder) error { return r.Text(b) },
		"markdown": func(r report.Report, b *strings.Builder) error { return r.Markdown(b) },
	} {
		t.Run(format, func(t *testing.T) {
			var b strings.Builder
			assert.NilError(t, show(series(), &b))
			golden.Assert(t, b.String(), "report."+format)
		})
	}
}

func TestRatiosCompareRunsOfTheSameRoundThatWereLeftAlone(t *testing.T) {
	s := series().Stores[0]
	got := s.Ratios(contest.TarGzip, contest.Backup, "")
	// Round 3 was disturbed.
	assert.Equal(t, got, report.Spread{Median: 7.5, Min: 7, Max: 8, Count: 2})
	assert.Equal(t, s.Ratios(contest.TarGzip, contest.Backup, report.WritePhase).Median, 15.0)
	assert.Equal(t, s.Disturbed(), 1)
}

func TestGoalsAreMissedWhenAnyRunNeedsTooMuchMemory(t *testing.T) {
	r := series()
	for _, g := range r.Goals() {
		assert.Assert(t, g.Met || g.Verdict() == "not measured", g.Name)
	}
	r.Stores[0].Runs[1].Peak = 256 << 20
	missed := 0
	for _, g := range r.Goals() {
		if g.Verdict() == "missed" {
			missed++
			assert.Equal(t, g.Name, "peak memory of the backup of 600 MB")
		}
	}
	assert.Equal(t, missed, 1)
}

func TestNothingMeasuredIsNotReached(t *testing.T) {
	r := report.Report{Stores: []report.Store{{Size: 1}}}
	for _, g := range r.Goals() {
		assert.Equal(t, g.Verdict(), "not measured", g.Name)
	}
}

func series() report.Report {
	run := func(tool, action string, round int, seconds, other float64, phases map[string]float64) contest.Run {
		return contest.Run{
			Tool: tool, Action: action, Round: round, Bytes: 420_000_000, Phases: phases,
			Cost: measure.Cost{Seconds: seconds, CPU: 2 * seconds, Peak: 100 << 20, Other: other},
		}
	}
	return report.Report{
		Machine:    report.Machine{OS: "linux/amd64", Cores: 2, MemoryGiB: 24, Features: []string{"AVX2", "SHA extensions"}, FileSystem: "ext4"},
		Versions:   map[string]string{"tar": "tar (GNU tar) 1.34"},
		Missing:    []string{"borgbackup"},
		Startup:    contest.Startup{Memsys: []float64{0.06, 0.05}, Compose: []float64{0.05, 0.05}},
		Validation: contest.Validation{Files: 200, Records: 2000, Read: []float64{2, 2}, Validate: []float64{3, 3.5}, Peak: 120 << 20},
		Stores: []report.Store{{
			Size:  600_000_000,
			Parts: []gen.Part{{Name: "memories", Files: 20_000, Bytes: 40_000_000}, {Name: "logs", Files: 1, Bytes: 30_000_000, Skipped: true}},
			Runs: []contest.Run{
				run(contest.TarGzip, contest.Backup, 1, 28, 0.01, nil),
				run(contest.Memsys, contest.Backup, 1, 4, 0.02, map[string]float64{"write": 2, "verify": 1}),
				run(contest.Memsys, contest.Backup, 2, 4, 0.02, map[string]float64{"write": 2, "verify": 1}),
				run(contest.TarGzip, contest.Backup, 2, 32, 0.01, nil),
				run(contest.Memsys, contest.Backup, 3, 40, 0.5, map[string]float64{"write": 20, "verify": 1}),
				run(contest.TarGzip, contest.Backup, 3, 30, 0.01, nil),
				run(contest.Memsys, contest.Restore, 1, 4, -1, map[string]float64{"write": 2}),
				run(contest.TarGzip, contest.Restore, 1, 6, -1, nil),
			},
		}},
	}
}
