//go:build e2e

package journal

import (
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine/enginetest"
)

func TestOnARealEngineTwentyRunsAtOnceNeverHoldTheLockTogether(t *testing.T) {
	e := enginetest.Real(t)
	assert.Equal(t, contend(t, e, 20, 0), 1)
	assert.Equal(t, contend(t, e, 20, 5*time.Minute), 20)
}

func TestOnARealEngineALockIsRenewed(t *testing.T) {
	e := enginetest.Real(t)
	ctx, l, err := lockIn(t, t.TempDir(), "p", remote(e))
	assert.NilError(t, err)
	before := claims(t, e)
	assert.Equal(t, len(before), 1)
	assert.Assert(t, time.Since(before[0].CreatedAt).Abs() < 5*time.Second)
	c := l.parts[len(l.parts)-1].(*claim)
	c.stop()
	<-c.stopped
	assert.NilError(t, c.renew(t.Context()))
	after := claims(t, e)
	assert.Equal(t, len(after), 1)
	assert.Assert(t, after[0].Name != before[0].Name)
	assert.NilError(t, e.RemoveVolume(t.Context(), after[0].Name))
	assert.ErrorIs(t, c.renew(t.Context()), ErrLockLost)
	assert.NilError(t, ctx.Err())
	assert.NilError(t, l.Release(t.Context()))
	assert.Equal(t, len(claims(t, e)), 0)
}
