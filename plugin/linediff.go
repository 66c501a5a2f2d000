package plugin

import (
	"fmt"
	"strings"
)

// diffContext is how many lines that did not change are shown around those that did.
const diffContext = 3

// change is one line of a difference: ' ' in both, '-' in the old text only, '+' in the new one only.
type change struct {
	kind byte
	text string
}

// lineDiff is the difference of two texts in the unified format; empty where there is none.
func lineDiff(name, before, after string) string {
	all := changes(strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n"))
	var b strings.Builder
	oldLine, newLine := 1, 1
	for i := 0; i < len(all); {
		if all[i].kind == ' ' {
			i, oldLine, newLine = i+1, oldLine+1, newLine+1
			continue
		}
		from, to := max(0, i-diffContext), hunkEnd(all, i)
		first := i - from
		hunk(&b, all[from:to], oldLine-first, newLine-first)
		for ; i < to; i++ {
			oldLine, newLine = oldLine+count(all[i], '-'), newLine+count(all[i], '+')
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("--- %s\n+++ %[1]s\n%s", name, b.String())
}

// count is 1 for a line that is in a text: kind is the sign of those that are in it alone.
func count(c change, kind byte) int {
	if c.kind == ' ' || c.kind == kind {
		return 1
	}
	return 0
}

// hunkEnd is where the lines around a change end; changes that are near are of the same hunk.
func hunkEnd(all []change, from int) int {
	last := from
	for i := from; i < len(all) && i <= last+2*diffContext; i++ {
		if all[i].kind != ' ' {
			last = i
		}
	}
	return min(last+diffContext+1, len(all))
}

func hunk(b *strings.Builder, lines []change, oldLine, newLine int) {
	olds, news := 0, 0
	for _, l := range lines {
		olds, news = olds+count(l, '-'), news+count(l, '+')
	}
	fmt.Fprintf(b, "@@ -%d,%d +%d,%d @@\n", oldLine, olds, newLine, news)
	for _, l := range lines {
		text, ended := strings.CutSuffix(l.text, "\n")
		fmt.Fprintf(b, "%c%s\n", l.kind, strings.TrimSuffix(text, "\r"))
		if !ended {
			b.WriteString("\\ No newline at end of file\n")
		}
	}
}

// changes are the lines of both texts in order, by their longest common subsequence.
func changes(before, after []string) (all []change) {
	if len(before) > 0 && before[len(before)-1] == "" {
		before = before[:len(before)-1]
	}
	if len(after) > 0 && after[len(after)-1] == "" {
		after = after[:len(after)-1]
	}
	common := make([][]int32, len(before)+1)
	for i := range common {
		common[i] = make([]int32, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case i < len(before) && j < len(after) && before[i] == after[j]:
			all, i, j = append(all, change{' ', before[i]}), i+1, j+1
		case i < len(before) && (j == len(after) || common[i+1][j] >= common[i][j+1]):
			all, i = append(all, change{'-', before[i]}), i+1
		default:
			all, j = append(all, change{'+', after[j]}), j+1
		}
	}
	return all
}
