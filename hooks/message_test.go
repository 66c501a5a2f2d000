package hooks

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/memsys/docker-memsys/compose"
)

// TestTheDocumentIsTheCode holds docs/hooks.md to the points, variables and fields of the code.
func TestTheDocumentIsTheCode(t *testing.T) {
	b, err := os.ReadFile("../docs/hooks.md")
	assert.NilError(t, err)
	words := append(compose.ProjectHookPoints(), Variables()...)
	for _, it := range []any{Message{}, Result{}, Backed{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(it)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			words = append(words, name)
		}
	}
	for _, word := range words {
		assert.Check(t, cmp.Contains(string(b), "`"+word+"`"))
	}
}
