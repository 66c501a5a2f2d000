package validate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/inventory"
)

// readable is whether the sources can be looked at at all. What cannot is told whatever was asked for.
func readable() inventory.Check {
	return inventory.Check{ID: "structure.sources", Title: "sources that can be read"}
}

// Bytes is whether the bytes of an archive are those that were written: what verify looks at.
func Bytes() inventory.Check {
	return inventory.Check{ID: "backups.bytes", Title: "bytes of the archive"}
}

func newest() inventory.Check {
	return inventory.Check{ID: "backups.newest", Title: "age of the newest good backup"}
}

func state() inventory.Check {
	return inventory.Check{ID: "backups.state", Title: "damaged backups"}
}

// Checks are all checks that there are, in the order of the output.
func Checks() []inventory.Check {
	return inventory.Ordered(slices.Concat(inventory.Checks(), WorldChecks(), []inventory.Check{readable(), Bytes(), newest(), state(), kept()}))
}

// checksOf are the checks that are made of a backup, or of live data where its name is empty.
func checksOf(backup string) []inventory.Check {
	inside := append(inventory.Checks(), readable())
	if backup != "" {
		return inventory.Ordered(append(inside, Bytes()))
	}
	return slices.DeleteFunc(Checks(), func(c inventory.Check) bool { return c.ID == Bytes().ID })
}

// Some tells whether any check is left that can be made of live data, or of a backup, where some are asked for or left out: a look at nothing would find
// everything in order.
func Some(o inventory.Options, backup bool) bool {
	name := ""
	if backup {
		name = "a backup"
	}
	wants := inventory.Wanted(o.Checks, o.Skip)
	return slices.ContainsFunc(checksOf(name), func(c inventory.Check) bool { return wants(c.ID) })
}

// UnknownError names a check that does not exist.
type UnknownError struct {
	Word string
	Near string // the check or group that is nearest to it; empty where none is near
}

func (e *UnknownError) Error() string {
	text := fmt.Sprintf("no check and no group of checks is named %q", e.Word)
	if e.Near != "" {
		text += fmt.Sprintf(", did you mean %q?", e.Near)
	}
	return text
}

// Known refuses words that are neither a check nor a group, with *UnknownError. near finds the one that was meant.
func Known(words []string, near func(word string, known []string) string) error {
	var known []string
	for _, g := range inventory.Groups() {
		known = append(known, string(g))
	}
	for _, c := range Checks() {
		known = append(known, c.ID)
	}
	for _, word := range words {
		if !slices.Contains(known, strings.TrimSpace(word)) {
			return &UnknownError{Word: word, Near: near(word, known)}
		}
	}
	return nil
}

// BytesResult is the result for the bytes of an archive, of which damage is what is wrong with them in words.
func BytesResult(name string, damage []string) *inventory.Result {
	res := &inventory.Result{Check: Bytes(), Status: inventory.OK, Checked: 1}
	for _, text := range damage {
		res.Status = inventory.Damaged
		res.Findings = append(res.Findings, inventory.Finding{Check: res.Check.ID, Status: inventory.Damaged, Object: name, Text: text})
	}
	return res
}
