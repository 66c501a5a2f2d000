// Package journal keeps, in a local state folder, what must outlive this process: the lock of a project, and the crash journal that says
// what is being done right now.
//
// Each project has a folder there, named after its identity. It holds:
//
//	lock      held with a lock of the kernel by the run at work; its content says who that is (JSON of a Holder)
//	journal   the operation in work: begin, steps, end (see log.go for its bytes)
//
// A step is on the disk before the act that it announces; after a crash, Pending tells the steps, and whoever wrote them resolves them.
package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/memsys/docker-memsys/internal/durable"
)

// DirVariable is the variable of the environment that names the state folder outright.
const DirVariable = "MEMSYS_STATE_DIR"

// StateDir returns the state folder of the user: $MEMSYS_STATE_DIR, or /var/lib/docker-memsys for root, or $XDG_STATE_HOME/docker-memsys,
// or ~/.local/state/docker-memsys. On Windows uid is -1 and home stands for the user's folder.
func StateDir(getenv func(string) string, uid int, home string) (string, error) {
	if dir := getenv(DirVariable); dir != "" {
		return filepath.Abs(dir)
	}
	if uid == 0 {
		return "/var/lib/docker-memsys", nil
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "docker-memsys"), nil
	}
	if home == "" {
		return "", fmt.Errorf("find the state folder: no home folder is known: set %s", DirVariable)
	}
	return filepath.Join(home, ".local", "state", "docker-memsys"), nil
}

// State is the state folder of one project.
type State struct {
	dir      string
	identity string
}

// Open returns the state of the project with this identity under the state folder dir, and makes its folder if it is missing, safe against
// power loss: what the journal will say must not vanish with its folder.
func Open(dir, identity string) (*State, error) {
	s := View(dir, identity)
	if err := makeDir(s.dir); err != nil {
		return nil, fmt.Errorf("make state folder of %s: %w", identity, err)
	}
	return s, nil
}

func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return durable.SyncDir(parent)
}

// View is Open for commands that only read: it makes nothing, and Pending and Holder work on a missing folder.
func View(dir, identity string) *State {
	return &State{dir: filepath.Join(dir, "projects", Key(identity)), identity: identity}
}

// Dir is the project's folder, in which callers may keep further state of it.
func (s *State) Dir() string { return s.dir }

// Key turns an identity into a short name that is safe in file names and labels, readable in its first part and unique by its second.
func Key(identity string) string {
	var b strings.Builder
	for _, r := range identity {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
		if b.Len() == 40 {
			break
		}
	}
	sum := sha256.Sum256([]byte(identity))
	return b.String() + "-" + hex.EncodeToString(sum[:8])
}
