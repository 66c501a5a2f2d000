package guard

import "github.com/memsys/docker-memsys/internal/progress"

// Disk is a file system.
type Disk struct {
	// Path is a place on it, Use what lies there.
	Path, Use string
	// Free and Total are bytes that this user may use; Pulled tells that images come to it.
	Free, Total int64
	Pulled      bool
}

// What must be free, or a twentieth of the file system where that is less: who replaces a file that does not fit any more has lost the former one.
const (
	roomToWork = 100 << 20
	roomToPull = 500 << 20
)

// space finds file systems that are nearly full.
func space(f Facts) []Finding {
	var all []Finding
	for _, d := range f.Disks {
		need := int64(roomToWork)
		if d.Pulled {
			need = roomToPull
		}
		need = min(need, d.Total/20)
		if d.Total == 0 || d.Free >= need {
			continue
		}
		all = append(all, loses("free some room", "%s are free at %s, where %s lies, and at least %s should be: what is written on a full disk is cut off",
			progress.Size(d.Free), d.Path, d.Use, progress.Size(need)))
	}
	return all
}
