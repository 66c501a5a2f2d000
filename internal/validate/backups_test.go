package validate

import (
	"errors"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
)

type discard struct{}

func (discard) Report(progress.Event) {}

func TestBackups(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	all := func(string) bool { return true }
	good := func(age time.Duration) store.Backup {
		return store.Backup{Name: "b", State: store.Verified, Created: now.Add(-age)}
	}
	damaged := store.Backup{Name: "d", State: store.Damaged, Why: "flipped"}
	for name, c := range map[string]struct {
		backups []store.Backup
		want    string
	}{
		"none":          {nil, "there is no backup"},
		"none is good":  {[]store.Backup{damaged}, "none of the 1 backups is a verified, complete one of the whole project"},
		"too old":       {[]store.Backup{good(27 * time.Hour)}, "the newest good backup is 27 hours old, and there should be one each day"},
		"in the future": {[]store.Backup{good(-time.Hour)}, "it lies in the future: is the clock wrong?"},
		"young":         {[]store.Backup{good(25 * time.Hour)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			res := CheckBackups(store.Open("/b"), c.backups, now, all)[0]
			if c.want == "" {
				assert.Equal(t, res.Status, inventory.OK)
				return
			}
			assert.Equal(t, res.Status, inventory.Warning)
			assert.Equal(t, res.Findings[0].Text, c.want)
		})
	}
	res := CheckBackups(store.Open("/b"), []store.Backup{good(0), damaged}, now, all)[1]
	assert.Equal(t, res.Status, inventory.Warning)
	assert.Equal(t, res.Findings[0].Object, "d")
	assert.Equal(t, len(CheckBackups(store.Open("/b"), nil, now, func(string) bool { return false })), 0)
	assert.Equal(t, NoBackups(errors.New("no"), all)[1].Status, inventory.Unchecked)
}

func TestTheBytesOfAnArchive(t *testing.T) {
	assert.Equal(t, BytesResult("b", nil).Status, inventory.OK)
	assert.Equal(t, BytesResult("b", []string{"x"}).Findings[0].Text, "x")
}
