package plugin

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
)

func TestAProblemIsToldOnce(t *testing.T) {
	for want, p := range map[string]archive.Problem{
		"data: unreadable (permission denied)":                                                   {Source: "data", Path: ".", Kind: "unreadable", Error: "read .: permission denied"},
		"data/a: unreadable (permission denied)":                                                 {Source: "data", Path: "a", Kind: "unreadable", Error: "open a: permission denied"},
		"data: shrunk (it has 1.5MB, in b.tar.gz it has 9 MB (if it is meant: --accept-shrink))": {Source: "data", Path: ".", Kind: "shrunk", Error: "it has 1.5MB, in b.tar.gz it has 9 MB (if it is meant: --accept-shrink)"},
		"data/a: between (a restore was interrupted: docker memsys recover)":                     {Source: "data", Path: "a", Kind: "between", Error: "a restore was interrupted: docker memsys recover"},
		"data/a: unreadable (gone)":                                                              {Source: "data", Path: "a", Kind: "unreadable", Error: "gone"},
		"service app was stopped: it may have written":                                           {Kind: "hold", Error: "service app was stopped: it may have written"},
		"data/a: changed": {Source: "data", Path: "a", Kind: "changed"},
	} {
		assert.Equal(t, problemText(p), want)
	}
}

func TestAReadOnlyFolderHasANextStep(t *testing.T) {
	err := fmt.Errorf("make backups directory: %w", &os.PathError{Op: "mkdir", Path: "/ro", Err: syscall.EROFS})
	assert.Assert(t, hintFor(err) != "")
}
