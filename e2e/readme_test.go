//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// The README's first backup is what a person sees who types its commands: same lines, but for times and sizes.
func TestTheFirstBackupOfTheReadmeIsWhatHappens(t *testing.T) {
	NeedRoot(t)
	p := Sample(t, 200)
	home := p.Path("home")
	steps := console(t, "## A first backup")
	assert.Assert(t, len(steps) >= 5, "%d commands", len(steps))
	for _, s := range steps {
		r := p.Run("sh", "-c", strings.ReplaceAll(s.command, "/opt/memory-system", home))
		r.Assert(t, icmd.Success)
		assert.Equal(t, plain(strings.ReplaceAll(r.Stdout(), home, "/opt/memory-system")), plain(s.output), s.command)
	}
}

type step struct{ command, output string }

// console reads the commands of the README's first terminal text below a heading, each with what it prints.
func console(t *testing.T, heading string) []step {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "README.md"))
	assert.NilError(t, err)
	_, rest, found := strings.Cut(string(data), heading)
	assert.Assert(t, found, "no %q in the README", heading)
	_, rest, found = strings.Cut(rest, "```console\n")
	assert.Assert(t, found, "no terminal text below %q", heading)
	text, _, _ := strings.Cut(rest, "```")
	var steps []step
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{command: strings.TrimSpace(command)})
			continue
		}
		steps[len(steps)-1].output += line
	}
	return steps
}

// plain puts words in the place of what differs from run to run.
func plain(text string) string {
	for _, r := range []struct{ pattern, word string }{
		{`memory_backup_\d{8}_\d{6}(_\d+)?`, "NAME"},
		{`\d+(\.\d+)? s\b`, "SECONDS"},
		{`Less than a second ago|About a minute ago|\d+ \w+ ago`, "AGE"},
		{`\d+(\.\d+)?[kMG]?B`, "SIZE"},
		{`ratio \d+\.\d+`, "RATIO"},
		{` +`, " "},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.word)
	}
	return strings.TrimSpace(text)
}
