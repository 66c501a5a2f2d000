package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/bench/contest"
)

// Markdown writes the report as the page docs/performance.md.
func (r Report) Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Performance\n\nThis page is made by `make bench`; do not edit it.\n\n")
	r.goalTable(&b)
	r.conditions(&b)
	for _, s := range r.Stores {
		s.tables(&b)
	}
	r.versions(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) goalTable(b *strings.Builder) {
	b.WriteString("## Goals\n\n")
	table(b, []string{"goal", "wanted", "measured: median (range)", "verdict"})
	for _, g := range r.Goals() {
		row(b, []string{g.Name, g.Wanted, g.Got, g.Verdict()})
	}
}

func (r Report) conditions(b *strings.Builder) {
	m := r.Machine
	fmt.Fprintf(b, `
## How it was measured

Machine: %d cores (%s), %d GiB of memory, %s, %s.

The stores are made by `+"`bench gen`"+` from a seed: JSON memory files, float32 embeddings that nothing compresses, a real SQLite
database, an HNSW index, an inverted index, and logs and temporary files. All tools back up the same files: what docker memsys leaves out by
default, the others are told to leave out. The files are in the cache. In every round each tool backs up and restores once; each round
starts with another tool. Restored files are removed only at the end, since a file system is slow to use freed inodes again. Before each run everything is on the disk, and each run ends only when its files are on the disk too
(docker memsys sees to that itself, after the others and after every restore comes `+"`sync -f`"+`).

`+"`docker-memsys`"+` is the whole command as a user runs it: it writes the archive, reads it back, compares it, and makes its sums. Its write
phase is what it tells in `+"`--format json`"+`. Ratios are made round by round, from runs of the same round. Peak memory is the largest process of a
command, the most of all rounds. A run during which other processes used more than %.0f %% of the machine is left out where others remain.

Repeat it with `+"`make bench`"+` on a quiet machine; `+"`scripts/bench.sh --help`"+` tells the options.
`, m.Cores, strings.Join(m.Features, ", "), m.MemoryGiB, m.OS, m.FileSystem, MaxOther*100)
}

func (s Store) tables(b *strings.Builder) {
	fmt.Fprintf(b, "\n## A store of %s\n\n", megabytes(s.Size))
	table(b, []string{"part", "files", "MB", "backed up"})
	for _, p := range s.Parts {
		row(b, []string{p.Name, fmt.Sprint(p.Files), fmt.Sprint((p.Bytes + 500_000) / 1_000_000), map[bool]string{false: "yes", true: "no"}[p.Skipped]})
	}
	for _, action := range []string{contest.Backup, contest.Restore} {
		fmt.Fprintf(b, "\n### %s%s\n\n", strings.ToUpper(action[:1]), action[1:])
		table(b, header())
		for _, l := range s.lines(action) {
			row(b, l.cells())
		}
	}
	if n := s.Disturbed(); n > 0 {
		fmt.Fprintf(b, "\n%d of %d runs were disturbed by other processes.\n", n, len(s.Runs))
	}
}

func (r Report) versions(b *strings.Builder) {
	b.WriteString("\n## Versions\n\n")
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(b, "- %s: %s\n", name, r.Versions[name])
	}
	if len(r.Missing) > 0 {
		fmt.Fprintf(b, "\nNot installed, so not measured: %s.\n", strings.Join(r.Missing, ", "))
	}
}

func table(b *strings.Builder, names []string) {
	row(b, names)
	b.WriteString("|" + strings.Repeat("---|", len(names)) + "\n")
}

func row(b *strings.Builder, cells []string) {
	for _, c := range cells {
		b.WriteString("| " + strings.ReplaceAll(c, "|", `\|`) + " ")
	}
	b.WriteString("|\n")
}
