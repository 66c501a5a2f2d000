package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/durable"
)

// The modes of the folders that init makes: the project's, and the backups directory.
const (
	folderMode  os.FileMode = 0o750
	backupsMode os.FileMode = 0o700
)

// folder is one that init makes, or gives to the user that needs it.
type folder struct {
	path    string
	mode    os.FileMode
	owner   *owner // nil: whoever makes it
	service string // that runs as the owner
	exists  bool
}

// String is the folder as a line of the plan.
func (f folder) String() string {
	text := fmt.Sprintf("make %s, mode %04o", f.path, f.mode)
	if f.exists {
		text = "give " + f.path
	}
	if f.owner == nil {
		return text
	}
	if !f.exists {
		text += ", for"
	} else {
		text += " to"
	}
	return fmt.Sprintf("%s %s, whom service %s runs as", text, f.owner, f.service)
}

// layingOut gathers the folders that a project needs.
type layingOut struct {
	s       *session
	owners  map[string]*owner // of services, nil where it does not matter or is not known
	folders []folder
	remarks []string
}

// planFolders are the folders to make, those above first, and what is left to a person.
func (s *session) planFolders(ctx context.Context) ([]folder, []string, error) {
	if s.Elsewhere != "" || s.reachable() && !s.Info.Local && !s.Info.SharesFiles {
		return nil, []string{"the engine runs elsewhere: its folders are not laid out from here"}, nil
	}
	l := &layingOut{s: s, owners: map[string]*owner{}}
	if err := l.findOwners(ctx); err != nil {
		return nil, nil, err
	}
	for _, src := range s.Sources {
		if src.Kind == compose.Bind && src.Path != "" && !src.System() && src.Path != s.Store.Path {
			l.source(src)
		}
	}
	l.want(folder{path: s.Store.Path, mode: backupsMode})
	slices.SortStableFunc(l.folders, func(a, b folder) int { return strings.Compare(a.path, b.path) })
	return l.folders, l.remarks, l.refuse()
}

// findOwners finds out whom the services run as that mount folders.
func (l *layingOut) findOwners(ctx context.Context) error {
	s := l.s
	switch {
	case !s.reachable():
		l.remark("no engine answers: whom services run as is not known, so owners are left alone")
		return nil
	case !s.Info.Local || s.Info.RemapsUsers:
		l.remark("users of containers have other numbers on this machine: owners are left alone")
		return nil
	}
	for _, svc := range s.Project.Services() {
		if svc.Job || svc.Provider != nil || !l.mounts(svc.Name) {
			continue
		}
		o, why, err := s.userOf(ctx, svc)
		if err != nil {
			return err
		}
		if why != "" {
			l.remark("whom service " + svc.Name + " runs as is not known: " + why)
		}
		if why == "" && o.uid != 0 {
			l.owners[svc.Name] = &o
		}
	}
	return nil
}

func (l *layingOut) mounts(service string) bool {
	return slices.ContainsFunc(l.s.Sources, func(src compose.Source) bool {
		return src.Kind == compose.Bind && slices.ContainsFunc(src.Mounts, func(m compose.Mount) bool { return m.Service == service })
	})
}

func (l *layingOut) remark(text string) {
	if !slices.Contains(l.remarks, text) {
		l.remarks = append(l.remarks, text)
	}
}

// source wants the folder of a source; of one named data, the usual folders in it and beside it too.
func (l *layingOut) source(src compose.Source) {
	info, err := os.Stat(src.Path)
	if err == nil && !info.IsDir() {
		return
	}
	if err != nil && looksLikeFile(src) {
		l.remark(src.Path + " is missing and is to be a file: it is not made")
		return
	}
	f := folder{path: src.Path, mode: folderMode}
	f.owner, f.service = l.ownerOf(src)
	l.want(f)
	if filepath.Base(src.Path) != "data" {
		return
	}
	for _, name := range []string{"memories", "embeddings", "indexes", "../logs", "../ssl"} {
		below := f
		below.path = filepath.Join(src.Path, name)
		l.want(below)
	}
}

// ownerOf is whom the services run as that write to a source; the first of several.
func (l *layingOut) ownerOf(src compose.Source) (*owner, string) {
	var first *owner
	var name string
	for _, m := range src.Mounts {
		o := l.owners[m.Service]
		switch {
		case o == nil || m.ReadOnly:
		case first == nil:
			first, name = o, m.Service
		case *o != *first:
			l.remark(fmt.Sprintf("%s: services %s and %s run as %s and %s: it is for the first", src.Path, name, m.Service, first, o))
		}
	}
	return first, name
}

// looksLikeFile tells mounts whose target has the name of a file: docker compose itself would make a folder of it.
func looksLikeFile(src compose.Source) bool {
	return slices.ContainsFunc(src.Mounts, func(m compose.Mount) bool { return strings.Contains(filepath.Base(m.Target), ".") })
}

// want adds a folder that is missing, with missing ones above it, or one that is empty and somebody else's. One with data in it is never given
// to another.
func (l *layingOut) want(f folder) {
	if i := slices.IndexFunc(l.folders, func(have folder) bool { return have.path == f.path }); i >= 0 {
		if l.folders[i].owner == nil && f.owner != nil { // it was above another one only
			l.folders[i] = f
		}
		return
	}
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if up := filepath.Dir(f.path); up != f.path {
			l.want(folder{path: up, mode: folderMode})
		}
		l.folders = append(l.folders, f)
		return
	case err != nil:
		l.remark(err.Error())
		return
	}
	has, known := ownerOfFile(info)
	if f.owner == nil || !known || has.uid == f.owner.uid || info.Mode()&0o002 != 0 || has.gid == f.owner.gid && info.Mode()&0o020 != 0 {
		return
	}
	entries, err := os.ReadDir(f.path)
	if err != nil || len(entries) > 0 || isLink(f.path) {
		l.remark(fmt.Sprintf("%s belongs to %s, and service %s runs as %s: if it cannot write there, chown -R %[4]s %[1]s", f.path, has, f.service, f.owner))
		return
	}
	f.exists = true
	l.folders = append(l.folders, f)
}

// isLink tells a link from what it leads to: whose that may be, only the person knows who has put it there.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// refuse refuses what only root may do, before anything is done.
func (l *layingOut) refuse() error {
	uid := l.s.app.world.UID
	for _, f := range l.folders {
		if uid > 0 && f.owner != nil && (f.owner.uid != uid || f.exists) {
			return &outcome{
				code: exitFailed, message: fmt.Sprintf("%s must belong to %s, whom service %s runs as; nothing was changed", f.path, f.owner, f.service),
				hint: "sudo docker memsys init",
			}
		}
	}
	return nil
}

// make makes the folder, or gives it to its owner. Its name is looked up in the folder above alone: a link that somebody else has put there
// meanwhile leads nowhere.
func (f folder) make() (err error) {
	above, err := os.OpenRoot(filepath.Dir(f.path))
	if err != nil {
		return f.failed(err)
	}
	defer func() { err = errors.Join(err, above.Close()) }()
	name := filepath.Base(f.path)
	if !f.exists {
		err := above.Mkdir(name, f.mode)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s has been made meanwhile and is left as it is: run docker memsys init again", f.path)
		}
		if err != nil {
			return f.failed(err)
		}
	}
	dir, err := above.Open(name)
	if err != nil {
		return f.failed(err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if f.exists {
		if _, err := dir.Readdirnames(1); !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s is not empty any more and is left as it is: run docker memsys init again", f.path)
		}
	} else if err := dir.Chmod(f.mode); err != nil { // whatever the umask says
		return f.failed(err)
	}
	if err := f.give(dir); err != nil {
		return err
	}
	if err := durable.SyncDir(filepath.Dir(f.path)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return f.failed(err)
	}
	return nil
}

// give gives the folder to its owner.
func (f folder) give(dir *os.File) error {
	if f.owner == nil {
		return nil
	}
	err := dir.Chown(f.owner.uid, f.owner.gid)
	if info, failed := dir.Stat(); err != nil && failed == nil {
		if has, known := ownerOfFile(info); known && has.uid == f.owner.uid {
			return nil // whoever made it is that user, though not in the group
		}
	}
	if err != nil {
		return f.failed(err)
	}
	return nil
}

// failed says which folder it is: the error has but its last name.
func (f folder) failed(err error) error {
	if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("make %s: %w", f.path, err)
}
