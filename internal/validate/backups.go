package validate

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/store"
)

// MaxAge is how old the newest good backup may be: a day, and time for the daily one to run.
const MaxAge = 26 * time.Hour

// CheckBackups judges the backups of a directory, newest first as it lists them: whether one is good and young enough, and which are damaged.
func CheckBackups(dir *store.Dir, all []store.Backup, now time.Time, wants func(id string) bool) []inventory.Result {
	var out []inventory.Result
	if wants(newest().ID) {
		out = append(out, checkNewest(dir, all, now))
	}
	if wants(state().ID) {
		out = append(out, checkState(all))
	}
	return out
}

func checkNewest(dir *store.Dir, all []store.Backup, now time.Time) inventory.Result {
	res := inventory.Result{Check: newest(), Status: inventory.OK, Checked: int64(len(all))}
	warn := func(name, text string) {
		res.Status = inventory.Warning
		res.Findings = append(res.Findings, inventory.Finding{Check: res.Check.ID, Status: inventory.Warning, Object: name, Text: text})
	}
	b, ok := dir.NewestGood(all)
	switch age := now.Sub(b.Created); {
	case !ok && len(all) == 0:
		warn(dir.Path, "there is no backup")
	case !ok:
		warn(dir.Path, fmt.Sprintf("none of the %d backups is a verified, complete one of the whole project", len(all)))
	case age < 0:
		warn(b.Name, "it lies in the future: is the clock wrong?")
	case age > MaxAge:
		warn(b.Name, fmt.Sprintf("the newest good backup is %s old, and there should be one each day", ageWords(age)))
	default:
		res.Why = fmt.Sprintf("%s, %s old", b.Name, ageWords(age))
	}
	return res
}

// ageWords is a duration in the middle of a sentence.
func ageWords(d time.Duration) string {
	text := units.HumanDuration(d)
	return strings.ToLower(text[:1]) + text[1:]
}

func checkState(all []store.Backup) inventory.Result {
	res := inventory.Result{Check: state(), Status: inventory.OK, Checked: int64(len(all))}
	for _, b := range all {
		if b.State != store.Damaged {
			continue
		}
		res.Status = inventory.Warning // the data itself may be in order
		res.Findings = append(res.Findings, inventory.Finding{
			Check: res.Check.ID, Status: inventory.Warning, Object: b.Name, Text: "its bytes are damaged: " + cmp.Or(b.Why, "docker memsys verify tells where"),
		})
	}
	return res
}

// NoBackups are the results where the backups directory cannot be read.
func NoBackups(err error, wants func(id string) bool) []inventory.Result {
	var out []inventory.Result
	for _, c := range []inventory.Check{newest(), state()} {
		if wants(c.ID) {
			out = append(out, inventory.Result{
				Check: c, Status: inventory.Unchecked, Why: err.Error(),
				Findings: []inventory.Finding{{Check: c.ID, Status: inventory.Unchecked, Text: err.Error()}},
			})
		}
	}
	return out
}
