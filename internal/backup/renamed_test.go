package backup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/store"
)

// TestARenamedProjectIsTold: its named volumes are new and empty.
func TestARenamedProjectIsTold(t *testing.T) {
	b := newBed(t)
	b.dir.Owner = store.Owner{Name: "notes", WorkingDir: b.req.Project.WorkingDir}
	res, err := b.backup(t)
	assert.NilError(t, err)
	told := func() bool {
		b.now = b.now.Add(time.Hour)
		p, err := Prepare(t.Context(), b.dir, b.req)
		assert.NilError(t, err)
		return slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "the project was named notes when "+res.Name) })
	}
	assert.Assert(t, !told())
	b.dir.Owner.Name, b.req.Project.Name = "other", "other"
	assert.Assert(t, told())
	_, err = b.backup(t)
	assert.NilError(t, err)
	assert.Assert(t, !told(), "once")
	b.dir.Owner = store.Owner{Name: "third", WorkingDir: "/elsewhere"}
	assert.Assert(t, !told(), "a project of another folder shares the backups directory")
}
