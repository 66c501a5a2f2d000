package inventory

import (
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
)

// Listed is how many findings a Validation lists; further ones are counted.
const Listed = 100

// longestText bounds the text and the object of a finding in a Validation.
const longestText = 500

// Validation is what the results of an inspection of a backup come to, as its manifest and its record hold it.
type Validation = archive.Validation

// Conclude sums up the results of all sources of a backup.
func Conclude(o Options, results []Result) Validation {
	v := Validation{Depth: o.Depth, Checks: o.Checks, Skip: o.Skip, Status: Worst(results), Counts: map[Status]int64{}}
	total := int64(0)
	for _, r := range results {
		v.Counts[r.Status]++
		total += int64(len(r.Findings)) + r.More
	}
	for _, status := range []Status{Damaged, Warning, Unchecked} {
		for _, r := range results {
			for _, f := range r.Findings {
				if f.Status == status && len(v.Findings) < Listed {
					f.Text, f.Object = clip(f.Text), clip(f.Object)
					v.Findings = append(v.Findings, f)
				}
			}
		}
	}
	v.More = total - int64(len(v.Findings))
	return v
}

func clip(text string) string {
	if len(text) <= longestText {
		return text
	}
	return strings.ToValidUTF8(text[:longestText], "") + "…"
}

// Covers tells whether a validation looked at no less than another.
func Covers(v, other Validation) bool {
	if v.Depth != Full && other.Depth == Full {
		return false
	}
	// Which checks a group holds is not known here: a part covers only itself.
	all := len(v.Checks) == 0 && len(v.Skip) == 0
	return all || slices.Equal(v.Checks, other.Checks) && slices.Equal(v.Skip, other.Skip)
}
