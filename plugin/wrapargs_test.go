package plugin

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"gotest.tools/v3/assert"
)

func TestComposeCommandsAreTakenApart(t *testing.T) {
	for _, c := range []struct {
		verb, line, args, words, own string
		on                           []string
	}{
		{verb: "up", line: "-d app", args: "-d app", words: "app", on: []string{"detach"}},
		{verb: "up", line: "app -dV --scale app=2 --backup never store", args: "app -dV --scale app=2 store", words: "app store", own: "never", on: []string{"detach", "renew-anon-volumes"}},
		{verb: "up", line: "--backup=always -y", args: "-y", own: "always", on: []string{"yes"}},
		{verb: "up", line: "-d=false --wait=true", args: "-d=false --wait=true", on: []string{"wait"}},
		{verb: "up", line: "-t 3 app", args: "-t 3 app", words: "app"},
		{verb: "up", line: "-t3 app", args: "-t3 app", words: "app"},
		{verb: "up", line: "-t many app", args: "-t many app", words: "many app"}, // Compose refuses it
		{verb: "up", line: "--from-tomorrow app", args: "--from-tomorrow app", words: "app"},
		{verb: "up", line: "-d -- --backup", args: "-d -- --backup", words: "--backup", on: []string{"detach"}},
		{verb: "down", line: "-v --rmi local", args: "-v --rmi local", on: []string{"volumes"}},
		{verb: "down", line: "-vt 5", args: "-vt 5", on: []string{"volumes"}},
		{verb: "down", line: "--volume", args: "--volume", on: []string{"volumes"}},
		{verb: "up", line: "--y -d", args: "--y -d", on: []string{"detach", "yes"}},
		{verb: "pull", line: "-q --policy missing app", args: "-q --policy missing app", words: "app", on: []string{"quiet"}},
		{verb: "stop", line: "--dry-run app -", args: "--dry-run app -", words: "app -", on: []string{"dry-run"}},
		{verb: "restart", line: "--no-deps app -t", args: "--no-deps app -t", words: "app", on: []string{"no-deps"}},
	} {
		own := pflag.NewFlagSet("", pflag.ContinueOnError)
		backup := own.String("backup", "", "")
		got, err := parseComposeCommand(c.verb, strings.Fields(c.line), own)
		assert.NilError(t, err, c.line)
		assert.Equal(t, strings.Join(got.args, " "), c.args, c.line)
		assert.Equal(t, strings.Join(got.words, " "), c.words, c.line)
		assert.Equal(t, *backup, c.own, c.line)
		var on []string
		got.flags.VisitAll(func(f *pflag.Flag) {
			if got.on(f.Name) {
				on = append(on, f.Name)
			}
		})
		assert.DeepEqual(t, on, c.on)
	}
}

func TestAnOwnFlagWithoutValueIsRefused(t *testing.T) {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.String("backup", "", "")
	_, err := parseComposeCommand("up", []string{"-d", "--backup"}, own)
	assert.ErrorContains(t, err, "--backup")
}
