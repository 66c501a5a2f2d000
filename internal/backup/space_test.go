package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func TestHolesNeedNoRoom(t *testing.T) {
	b := newBed(t)
	path := filepath.Join(b.data, "sparse.bin")
	assert.NilError(t, os.WriteFile(path, nil, 0o600))
	assert.NilError(t, os.Truncate(path, 1<<42))
	plan, err := Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
	assert.Assert(t, plan.Bytes >= 1<<42)
	assert.Assert(t, plan.Expected < 1<<20, "%d", plan.Expected)
}

func TestTooLittleRoomIsRefusedBeforeAnythingIsMade(t *testing.T) {
	p := &Plan{Dir: newBed(t).dir, Bytes: 1 << 60, allocated: 1 << 60}
	err := p.weigh()
	var none *NoSpaceError
	assert.Assert(t, errors.As(err, &none), "%v", err)
	assert.ErrorContains(t, err, "no space in ")
}

func TestTooLittleRoomWhereTheArchiveIsWrittenFirstIsRefused(t *testing.T) {
	b, room := newBed(t), int64(1)
	b.req.Side = roomy{room: &room}
	_, err := Prepare(t.Context(), b.dir, b.req)
	var none *NoSpaceError
	assert.Assert(t, errors.As(err, &none), "%v", err)
	assert.Equal(t, none.Free, room)
	room = 1 << 40
	_, err = Prepare(t.Context(), b.dir, b.req)
	assert.NilError(t, err)
}

// roomy is a side that writes the archive elsewhere first.
type roomy struct {
	Local
	room *int64
}

func (r roomy) Look(ctx context.Context, req LookRequest) (*Looked, error) {
	looked, err := r.Local.Look(ctx, req)
	if err == nil {
		looked.Room = r.room
	}
	return looked, err
}
