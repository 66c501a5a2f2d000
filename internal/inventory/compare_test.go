package inventory

import (
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func holding(records int64, ids, content string) Inventory {
	return Inventory{Collections: []Collection{{Kind: KindJSON, Name: "memories", Records: records, IDs: ids, Content: content}}}
}

func TestCompareTellsWhatOfTheCollectionsIsNotThereAnyMore(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after Inventory
		want          []Delta
	}{
		{"the same", holding(3, "a", "x"), holding(3, "a", "x"), nil},
		{"fewer", holding(3, "a", "x"), holding(2, "b", "y"), []Delta{{Kind: KindJSON, Name: "memories", Before: 3, After: 2, Lost: 1, New: 1}}},
		{"more", holding(3, "a", "x"), holding(4, "b", "y"), []Delta{{Kind: KindJSON, Name: "memories", Before: 3, After: 4, Lost: 1, New: 1}}},
		{"others", holding(3, "a", "x"), holding(3, "b", "x"), []Delta{{Kind: KindJSON, Name: "memories", Before: 3, After: 3, Lost: 1, New: 1}}},
		{"other contents", holding(3, "a", "x"), holding(3, "a", "y"), []Delta{{Kind: KindJSON, Name: "memories", Before: 3, After: 3, Changed: true}}},
		{"without ids", holding(3, "", ""), holding(5, "", ""), []Delta{{Kind: KindJSON, Name: "memories", Before: 3, After: 5, New: 2}}},
		{"gone", holding(3, "", ""), Inventory{}, []Delta{{Kind: KindJSON, Name: "memories", Before: 3, Lost: 3}}},
		{"not listed", Inventory{More: 2, MoreRecords: 9}, Inventory{More: 2, MoreRecords: 7}, []Delta{{Before: 9, After: 7, Lost: 2}}},
	} {
		t.Run(c.name, func(t *testing.T) { assert.DeepEqual(t, Compare(c.before, c.after), c.want) })
	}
}

func TestCollectionsBeyondTheLimitAreCounted(t *testing.T) {
	v := Inventory{Files: 4, Collections: []Collection{{Name: "a", Records: 1}, {Name: "b", Records: 2}, {Name: "c", Records: 3}}}
	assert.DeepEqual(t, Shorten(v, 1), Inventory{Files: 4, Collections: v.Collections[:1], More: 2, MoreRecords: 5})
	assert.DeepEqual(t, Shorten(v, 3), v)
	assert.Equal(t, len(Shorten(v, -1).Collections), 0)
}

func TestAValidationNamesTheWorstFindingsFirst(t *testing.T) {
	res := Result{Check: Check{ID: "memories.json"}, Status: Damaged, More: 7}
	for range Listed {
		res.Findings = append(res.Findings, Finding{Check: "memories.json", Status: Warning, Text: "odd"})
	}
	res.Findings = append(res.Findings, Finding{Check: "memories.json", Status: Damaged, Text: strings.Repeat("é", longestText)})
	v := Conclude(Options{Depth: Quick}, []Result{res, {Check: Check{ID: "databases.pages"}, Status: OK}})
	assert.Equal(t, v.Status, Damaged)
	assert.DeepEqual(t, v.Counts, map[Status]int64{Damaged: 1, OK: 1})
	assert.Equal(t, len(v.Findings), Listed)
	assert.Equal(t, v.Findings[0].Status, Damaged)
	assert.Assert(t, len(v.Findings[0].Text) <= longestText+len("…"))
	assert.Equal(t, v.More, int64(8))
}

// TestAValidationNamesEachPlaceBeforeItSaysMoreOfOne: a file with many damaged lines must not hide another.
func TestAValidationNamesEachPlaceBeforeItSaysMoreOfOne(t *testing.T) {
	res := Result{Check: Check{ID: "memories.json"}, Status: Damaged}
	for line := range 3 * Listed {
		res.Findings = append(res.Findings, Finding{Check: "memories.json", Status: Damaged, Source: "data", Path: "log.jsonl", Line: line + 1})
	}
	other := Finding{Check: "databases.pages", Status: Damaged, Source: "data", Path: "memory.sqlite3"}
	v := Conclude(Options{Depth: Quick}, []Result{res, {Check: Check{ID: "databases.pages"}, Status: Damaged, Findings: []Finding{other}}})
	assert.Equal(t, len(v.Findings), Listed)
	assert.Equal(t, v.Findings[0].Line, 1)
	assert.DeepEqual(t, v.Findings[1], other)
	assert.Equal(t, v.Findings[2].Line, 2)
	assert.Equal(t, v.More, int64(2*Listed+1))
}

func TestDamageStaysKnownUntilALookThatCouldHaveFoundItDoesNot(t *testing.T) {
	of := func(status Status, path string) Finding {
		return Finding{Check: "memories.json", Status: status, Source: "data", Path: path, Text: "x"}
	}
	look := func(depth Depth, checks []string, status Status, findings ...Finding) Validation {
		return Validation{Depth: depth, Checks: checks, Status: status, Findings: findings}
	}
	memories := []string{"memories"}
	a, b, dark := of(Damaged, "a"), of(Damaged, "b"), of(Unchecked, "dark")
	many := look(Full, nil, Damaged)
	for i := range Listed {
		many.Findings = append(many.Findings, of(Damaged, strings.Repeat("x", i)))
	}
	both := many
	both.Findings, both.More = append([]Finding{a}, many.Findings[:Listed-1]...), 1
	for _, c := range []struct {
		name               string
		former, look, want Validation
	}{
		{"none before", look(Full, nil, OK), look(Quick, nil, OK), look(Quick, nil, OK)},
		{"as close", look(Quick, nil, Damaged, a), look(Quick, nil, OK), look(Quick, nil, OK)},
		{"as close, with other damage", look(Quick, nil, Damaged, a), look(Quick, nil, Damaged, b), look(Quick, nil, Damaged, b)},
		{"from farther away", look(Full, nil, Damaged, a), look(Quick, nil, OK), look(Full, nil, Damaged, a)},
		{"some checks, with other damage", look(Full, nil, Damaged, a), look(Full, memories, Damaged, b), look(Full, nil, Damaged, a, b)},
		{"unreadable now", look(Quick, nil, Damaged, a), look(Full, nil, Unchecked, of(Unchecked, "a")), look(Quick, nil, Damaged, a)},
		{"unreadable now, with other damage", look(Quick, nil, Damaged, a), look(Full, nil, Damaged, b, dark), look(Full, nil, Damaged, a, b, dark)},
		{"unreadable before too", look(Quick, nil, Damaged, a, dark), look(Quick, nil, Unchecked, dark), look(Quick, nil, Unchecked, dark)},
		{"more than is listed", look(Full, []string{"vectors"}, Damaged, a), many, many},
		{"more than is listed, and some before", look(Full, nil, Damaged, a), Validation{Depth: Quick, Status: Damaged, Findings: many.Findings}, both},
	} {
		t.Run(c.name, func(t *testing.T) { assert.DeepEqual(t, Renew(c.former, c.look), c.want) })
	}
}
