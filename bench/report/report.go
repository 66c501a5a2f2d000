// Package report makes tables and verdicts of measurements.
package report

import (
	"cmp"
	"slices"

	"github.com/memsys/docker-memsys/bench/contest"
	"github.com/memsys/docker-memsys/bench/gen"
)

// MaxOther is the share of the machine that others may use during a run that counts.
const MaxOther = 0.12

// Report is everything that one series has measured.
type Report struct {
	Machine Machine `json:"machine"`
	// Versions are the first lines that the tools tell about themselves.
	Versions map[string]string `json:"versions"`
	// Missing are Debian's packages of tools that were not installed.
	Missing []string        `json:"missing"`
	Stores  []Store         `json:"stores"`
	Startup contest.Startup `json:"startup"`
	// Validation is that of many memory files; without pairs where it was not measured.
	Validation contest.Validation `json:"validation"`
}

// Machine describes the machine in general words; names and paths have no place here.
type Machine struct {
	OS         string   `json:"os"`
	Cores      int      `json:"cores"`
	MemoryGiB  int      `json:"memory_gib"`
	Features   []string `json:"features"`
	FileSystem string   `json:"file_system"`
}

// Store is one store and its runs.
type Store struct {
	Size  int64         `json:"size"`
	Parts []gen.Part    `json:"parts"`
	Runs  []contest.Run `json:"runs"`
}

// Read is how many files and bytes of the store are backed up.
func (s Store) Read() (files int, bytes int64) {
	for _, p := range s.Parts {
		if !p.Skipped {
			files += p.Files
			bytes += p.Bytes
		}
	}
	return files, bytes
}

// Spread is the middle of some values and their range.
type Spread struct {
	Median, Min, Max float64
	Count            int
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return Spread{Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1], Count: n}
}

// quiet returns the runs of one kind that nobody disturbed, or all of them if none was left alone.
func (s Store) quiet(tool, action string) []contest.Run {
	var all, quiet []contest.Run
	for _, r := range s.Runs {
		if r.Tool != tool || r.Action != action {
			continue
		}
		all = append(all, r)
		if r.Other <= MaxOther {
			quiet = append(quiet, r)
		}
	}
	if len(quiet) == 0 {
		return all
	}
	return quiet
}

// Disturbed is how many runs are left out because others used the machine.
func (s Store) Disturbed() int {
	n := 0
	for _, r := range s.Runs {
		if r.Other > MaxOther {
			n++
		}
	}
	return n
}

// Ratios is how many times as long as docker memsys another tool took, round by round. A phase compares with that phase of
// docker memsys alone.
func (s Store) Ratios(tool, action, phase string) Spread {
	ours := map[int]float64{}
	for _, r := range s.quiet(contest.Memsys, action) {
		if t := duration(r, phase); t > 0 {
			ours[r.Round] = t
		}
	}
	var out []float64
	for _, r := range s.quiet(tool, action) {
		if t, ok := ours[r.Round]; ok {
			out = append(out, r.Seconds/t)
		}
	}
	return spread(out)
}

// duration is the time of a run or of one of its phases.
func duration(r contest.Run, phase string) float64 {
	if phase == "" {
		return r.Seconds
	}
	return r.Phases[phase]
}

// Peak is the most memory that a tool's processes held in any run of an action.
func (s Store) Peak(tool, action string) int64 {
	var out int64
	for _, r := range s.Runs {
		if r.Tool == tool && r.Action == action {
			out = max(out, r.Peak)
		}
	}
	return out
}

// line is a row of a table: one tool, or one phase of docker memsys.
type line struct {
	name                string
	seconds, cpu, ratio Spread
	bytes, peak         int64
}

// lines returns the rows of an action in the order in which the tools first ran, with the write phase under docker memsys.
func (s Store) lines(action string) []line {
	var names []string
	for _, r := range s.Runs {
		if r.Action == action && !slices.Contains(names, r.Tool) {
			names = append(names, r.Tool)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(index(a == contest.Memsys), index(b == contest.Memsys))
	})
	var out []line
	for _, name := range names {
		out = append(out, s.line(name, action))
		if name == contest.Memsys {
			if l := s.phaseLine(action); l.seconds.Count > 0 {
				out = append(out, l)
			}
		}
	}
	return out
}

func index(first bool) int {
	if first {
		return 0
	}
	return 1
}

func (s Store) line(tool, action string) line {
	var seconds, cpu []float64
	l := line{name: tool, peak: s.Peak(tool, action), ratio: s.Ratios(tool, action, "")}
	for _, r := range s.quiet(tool, action) {
		seconds = append(seconds, r.Seconds)
		cpu = append(cpu, r.CPU)
		l.bytes = r.Bytes
	}
	l.seconds, l.cpu = spread(seconds), spread(cpu)
	return l
}

func (s Store) phaseLine(action string) line {
	var seconds []float64
	for _, r := range s.quiet(contest.Memsys, action) {
		if t, ok := r.Phases[WritePhase]; ok {
			seconds = append(seconds, t)
		}
	}
	return line{name: "… its write phase", seconds: spread(seconds)}
}
