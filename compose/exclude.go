package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/audit"
)

// exclusions decide which sources are not in the backup, and say why.
type exclusions struct {
	backups     string // identity of the backups directory
	includeLogs bool
}

func (p *Project) exclusions(config Config) exclusions {
	e := exclusions{includeLogs: config.IncludeLogs}
	if config.Backups != "" {
		e.backups = identity(config.Backups)
	}
	return e
}

func (e exclusions) reason(s Source) string {
	if s.Path != "" {
		if why := systemPath(s.Path); why != "" {
			return why
		}
		if identity(s.Path) == e.backups {
			return "the backups directory"
		}
		if s.Kind == Bind && holdsBackups(s.Path) {
			return "holds backups"
		}
	}
	if !e.includeLogs && isLogs(s) {
		return "logs (--include-logs brings them in)"
	}
	return ""
}

// isLogs tells a source whose folder is named logs, or that every service mounts as a folder of that name.
func isLogs(s Source) bool {
	if s.Path != "" && filepath.Base(s.Path) == "logs" {
		return true
	}
	if s.Volume != nil && s.Volume.Key == "logs" {
		return true
	}
	return len(s.Mounts) > 0 && !slices.ContainsFunc(s.Mounts, func(m Mount) bool { return base(m.Target) != "logs" })
}

// systemPath says why a host path belongs to the machine and not to the project's data; empty if it does not.
func systemPath(path string) string {
	for _, p := range []string{clean(path), identity(path)} {
		p = filepath.ToSlash(p)
		if strings.HasSuffix(p, "docker.sock") || strings.HasSuffix(p, "podman.sock") || strings.HasSuffix(p, "containerd.sock") {
			return "socket of the engine"
		}
		if slices.Contains(systemFiles(), p) || slices.ContainsFunc(systemTrees(), func(dir string) bool { return below(p, dir) && !below(p, "/run/media") }) {
			return "belongs to the system, not to the project"
		}
	}
	if fi, err := os.Stat(path); err == nil && fi.Mode()&(os.ModeSocket|os.ModeNamedPipe|os.ModeDevice) != 0 {
		return "socket, pipe or device: holds no data"
	}
	return ""
}

// systemFiles are excluded themselves, not what lies below.
func systemFiles() []string {
	return []string{
		"/", "/etc", "/var", "/usr", "/lib", "/boot", "/var/lib/docker",
		"/etc/localtime", "/etc/timezone", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/machine-id",
		"/etc/passwd", "/etc/group", "/etc/os-release", "/etc/ssl/certs", "/etc/ssl/certs/ca-certificates.crt",
	}
}

// systemTrees are excluded with all that lies below; /run/media, where removable disks are mounted, is not.
func systemTrees() []string {
	return []string{"/proc", "/sys", "/dev", "/run", "/var/run", "/lib/modules", "/usr/share/zoneinfo", "/usr/lib", "/usr/src", "/tmp/.X11-unix"}
}

// holdsBackups is the rule for the default backups directory: a host folder named backups that is empty (or not made yet) or holds archives.
func holdsBackups(path string) bool {
	if filepath.Base(path) != "backups" {
		return false
	}
	empty, archives := archivesIn(path)
	return empty || archives
}

// archivesIn tells whether a folder is empty or missing, and whether archives lie in it.
func archivesIn(dir string) (empty, archives bool) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return true, false
	}
	if err != nil {
		return false, false
	}
	empty = true
	for _, e := range entries {
		if ok, _ := filepath.Match("memory_backup_*.tar.gz", e.Name()); ok && !e.IsDir() {
			archives = true
		}
		empty = empty && bookkeeping(e.Name())
	}
	return empty, archives
}

// bookkeeping tells whether a name in a backups directory is of the file system or of a run that made no archive: it
// makes the folder nobody's.
func bookkeeping(name string) bool {
	return name == "lost+found" || name == ".memsys.lock" || strings.HasPrefix(name, ".memory_backup_") || audit.IsFile(name)
}

// defaultBackups is the backups directory of a project that names none: a bind mount for backups, else ./backups.
// Among several the first that holds archives counts, then the first by path.
func (p *Project) defaultBackups() string {
	var empty, used []string
	for _, u := range p.uses() {
		if u.mount.Type != "bind" || !holdsBackups(u.mount.Source) {
			continue
		}
		if _, archives := archivesIn(u.mount.Source); archives {
			used = append(used, clean(u.mount.Source))
		} else {
			empty = append(empty, clean(u.mount.Source))
		}
	}
	slices.Sort(used)
	slices.Sort(empty)
	for _, dir := range slices.Concat(used, empty) {
		return dir
	}
	return filepath.Join(p.WorkingDir, "backups")
}
