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
		first, further := byPlace(results, status)
		v.Findings = append(append(v.Findings, first...), further...)
	}
	v.Findings = v.Findings[:min(len(v.Findings), Listed)]
	for i := range v.Findings {
		f := &v.Findings[i]
		f.Text, f.Object = clip(f.Text), clip(f.Object)
	}
	v.More = total - int64(len(v.Findings))
	return v
}

// byPlace are the findings of a status: the first of each place, and what else was found there.
func byPlace(results []Result, s Status) (first, further []Finding) {
	seen := map[archive.Place]bool{}
	for _, r := range results {
		for _, f := range r.Findings {
			switch at := f.Place(); {
			case f.Status != s:
			case seen[at]:
				further = append(further, f)
			default:
				seen[at] = true
				first = append(first, f)
			}
		}
	}
	return first, further
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

// Renew is what is known of data that never changes once it was looked at again. Damage that was found stays until a look that could have found it
// does not: one that looked at no less, and could look at all that the former one could.
func Renew(former, v Validation) Validation {
	switch {
	case former.Status != Damaged || Covers(v, former) && !blinder(v, former):
		return v
	case v.Status != Damaged:
		return former
	}
	known, all := places(v.Findings, Damaged), v.Findings
	for _, f := range former.Findings {
		if f.Status == Damaged && !known[f.Place()] {
			all = append([]Finding{f}, all...)
		}
	}
	v.More = max(v.More, former.More) + int64(max(0, len(all)-Listed))
	v.Findings = all[:min(len(all), Listed)]
	if !Covers(v, former) {
		v.Depth, v.Checks, v.Skip = former.Depth, former.Checks, former.Skip
	}
	return v
}

// blinder tells whether a look could not look at something that the former one could, as far as is listed.
func blinder(v, former Validation) bool {
	before := places(former.Findings, Unchecked)
	for at := range places(v.Findings, Unchecked) {
		if !before[at] {
			return true
		}
	}
	return v.More > 0 && v.Status != Damaged
}

// places are where the findings of a status are.
func places(findings []Finding, s Status) map[archive.Place]bool {
	out := map[archive.Place]bool{}
	for _, f := range findings {
		if f.Status == s {
			out[f.Place()] = true
		}
	}
	return out
}
