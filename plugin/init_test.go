package plugin

import (
	"encoding/json"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestLineDiff(t *testing.T) {
	before := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n"
	after := strings.Replace(strings.Replace(before, "2\n", "two\n", 1), "14\n15\n", "14\nnew\n15", 1)
	assert.Equal(t, lineDiff("f", before, after), `--- f
+++ f
@@ -1,5 +1,5 @@
 1
-2
+two
 3
 4
 5
@@ -12,4 +12,5 @@
 12
 13
 14
-15
+new
+15
\ No newline at end of file
`)
	assert.Equal(t, lineDiff("f", before, before), "")
	assert.Equal(t, lineDiff("f", "", "a\n"), "--- f\n+++ f\n@@ -1,0 +1,1 @@\n+a\n")
}

// TestHintsLeaveTheRestOfDockersConfiguration: whatever is in it and however it is written, and taking them out gives the same bytes again.
func TestHintsLeaveTheRestOfDockersConfiguration(t *testing.T) {
	docker := "{\n\t\"auths\": {\n\t\t\"r.example\": {\"auth\": \"aHVudGVyMg==\"}\n\t},\n\t\"unknown\": [1, {\"plugins\": 2}],\n\t\"credsStore\": \"a\\\"b\"\n}\n"
	for _, text := range []string{
		docker, "{}", "{ }\n", `{"features": {"buildkit": "true"}, "plugins": {"scout": {"hooks": "pull"}, "memsys": {"other": "1"}}}`,
		"{\n  \"plugins\": {\n    \"memsys\": {\n      \"other\": \"1\"\n    }\n  }\n}", `{"features": {"hooks": "true"}}`,
	} {
		with, err := withHints([]byte(text))
		assert.NilError(t, err, text)
		assert.Assert(t, json.Valid(with), "%s", with)
		s, err := readDockerSettings(with)
		assert.NilError(t, err)
		on, _ := s.hooksOn()
		assert.Assert(t, on)
		assert.Equal(t, s.plugin("memsys", "hooks"), hintsAfter)
		assert.Equal(t, s.plugin("memsys", "error-hooks"), hintsOnError)
		again, err := withHints(with)
		assert.NilError(t, err)
		assert.Equal(t, string(again), string(with))
		without, err := withoutHints(with)
		assert.NilError(t, err)
		if strings.Contains(text, "scout") { // whose hints need what was set for ours
			text = strings.Replace(text, `"buildkit": "true"`, `"buildkit": "true","hooks": "true"`, 1)
		}
		assert.Equal(t, string(without), strings.Replace(text, "{ }", "{}", 1))
	}
}

func TestHintsThatDockerWouldNotShowAreRefused(t *testing.T) {
	_, err := withHints([]byte(`{"features": {"hooks": "false"}}`))
	assert.ErrorContains(t, err, "features.hooks is off")
	for _, text := range []string{"[]", `{"plugins": 1}`, "{", `{"plugins": {"memsys": "x"}}`} {
		_, err := withHints([]byte(text))
		assert.Assert(t, err != nil, text)
	}
	older, err := withHints([]byte(`{"features": {"hooks": "true"}, "plugins": {"memsys": {"hooks": "compose up"}}}`))
	assert.NilError(t, err)
	assert.Equal(t, string(older), `{"features": {"hooks": "true"}, "plugins": {"memsys": {"hooks": "compose up,compose pull,compose down","error-hooks": "compose up"}}}`)
	same, err := withoutHints([]byte(`{"features": {"hooks": "true"}}`))
	assert.NilError(t, err)
	assert.Equal(t, string(same), `{"features": {"hooks": "true"}}`)
}

func TestUsersAreLookedUpAsTheEngineDoes(t *testing.T) {
	files := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nbroken\nnode:x:1000:1001::/home/node:/bin/sh\n",
		"/etc/group":  "root:x:0:\nstaff:x:50:\n",
	}
	for _, c := range []struct{ name, group, want, why string }{
		{"node", "", "1000:1001", ""},
		{"1000", "", "1000:1001", ""},
		{"1234", "", "1234:0", ""},
		{"node", "staff", "1000:50", ""},
		{"node", "7", "1000:7", ""},
		{"nobody", "", "0:0", "its image does not say which number user nobody has"},
		{"node", "none", "1000:0", "its image does not say which number group none has"},
	} {
		o, why := lookUp(files, c.name, c.group)
		assert.Equal(t, o.String(), c.want, "%v", c)
		assert.Equal(t, why, c.why)
	}
}
