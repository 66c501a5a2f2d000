package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/memsys/docker-memsys/internal/audit"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/journal"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/store"
)

// audited is what the audit log is to say of the operation at work.
type audited struct {
	operation  string
	began      time.Time
	archives   []audit.Archive
	incomplete bool
	// recovered tells that the recovery is in the log already.
	recovered bool
}

// auditMade notes that the operation made a backup.
func (s *session) auditMade(r *backup.Result) {
	s.audited.archives = append(s.audited.archives, audit.Archive{Change: audit.Made, Name: r.Name, SHA256: r.SHA256})
	s.audited.incomplete = s.audited.incomplete || s.audited.operation == "backup" && !r.Complete
}

// auditRestored notes that the operation restored a backup.
func (s *session) auditRestored(r *restore.Result) {
	s.audited.archives = append(s.audited.archives, audit.Archive{Change: audit.Restored, Name: r.Backup.Name, SHA256: r.Backup.SHA256})
	s.audited.incomplete = s.audited.incomplete || !r.Complete
}

// auditLog is the log of a backups directory.
func (a *app) auditLog(dir *store.Dir) *audit.Log {
	log := &audit.Log{Dir: dir.Path, NewID: newID}
	if state, err := a.stateDir(); err == nil { // without one no head is known here
		log.State = state
	}
	return log
}

// writeAudit puts the operation at work into the audit log. A log that cannot be written is said, and changes nothing else.
func (s *session) writeAudit(ctx context.Context, result error) {
	if s.audited.operation == "recover" && s.audited.recovered {
		return
	}
	if errors.Is(result, errDeclined) { // nothing was begun
		return
	}
	if op := s.audited.operation; op == operationValidate || op == operationDiff { // they change nothing: they begin no log, as a look at archives
		if exists, err := s.app.auditLog(s.Store).Exists(); err != nil || !exists {
			return
		}
	}
	s.appendAudit(ctx, s.auditEntry(s.audited.operation, s.audited.began, result))
}

// auditRecovery puts the recovery from an interrupted operation into the audit log: that one has no record of its own.
func (s *session) auditRecovery(ctx context.Context, p *journal.Interrupted, began time.Time, result error) {
	e := s.auditEntry("recover", began, result)
	e.Archives = nil
	e.Interrupted = &audit.Operation{Name: p.Op, Began: p.Began}
	if len(p.Steps) > 0 {
		e.Interrupted.Step = p.Steps[len(p.Steps)-1].Name
	}
	s.audited.recovered = true
	s.appendAudit(ctx, e)
}

// auditEntry describes an operation that ends now.
func (s *session) auditEntry(operation string, began time.Time, result error) audit.Entry {
	a := s.app
	v := judge(result, a.interruption.happened(), false)
	e := audit.Entry{
		Operation: operation, Arguments: a.invoked, Began: began.UTC(), Ended: a.world.Now().UTC(), ExitCode: v.Code, Archives: s.audited.archives,
		Message: shorten(display.Clean(v.Message)), Who: a.auditWho(s.Engine.Context),
		Project: audit.Project{Name: s.Name, WorkingDir: s.WorkingDir, EngineID: s.Info.ID},
	}
	if v.Code == exitDone && s.audited.incomplete {
		e.ExitCode = exitIncomplete
	}
	e.Result = auditResult(e.ExitCode)
	return e
}

// auditWho is who runs this process, where.
func (a *app) auditWho(dockerContext string) audit.Who {
	self := journal.Self("", a.world.Now())
	if dockerContext == "default" {
		dockerContext = ""
	}
	return audit.Who{User: self.User, UID: a.world.UID, Host: self.Host, Context: dockerContext}
}

func auditResult(code int) string {
	switch code {
	case exitDone:
		return audit.Done
	case exitIncomplete:
		return audit.Incomplete
	case exitInterrupted:
		return audit.Interrupted
	}
	return audit.Failed
}

// shorten cuts a message that would fill the log.
func shorten(text string) string {
	const most = 1000
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// appendAudit appends to the log, and notes its head beside the archives that the operation made.
func (s *session) appendAudit(ctx context.Context, e audit.Entry) {
	log := s.app.auditLog(s.Store)
	if write, err := s.auditFolder(log, e.Result); err != nil || !write {
		s.app.missAudit(err)
		return
	}
	out, err := log.Append(ctx, e)
	for _, warning := range out.Warnings {
		s.app.sink().Report(progress.Event{Step: "audit", Status: progress.Warning, Text: warning})
	}
	if err != nil {
		s.app.missAudit(err)
		return
	}
	if out.Lost {
		s.app.miss(errors.New("the audit log is not as this machine knows it"))
	}
	for _, made := range e.Archives {
		if made.Change != audit.Made {
			continue
		}
		if err := s.Store.NoteAudit(made.Name, store.AuditHead(out.Head())); err != nil {
			s.app.missAudit(err)
		}
	}
}

// auditVerify puts a verification into the log of the directory.
func (a *app) auditVerify(ctx context.Context, dir *store.Dir, began time.Time, results []verification, result error) {
	look := lookAt{operation: "verify", began: began, result: result}
	for _, r := range results {
		change := audit.Verified
		if !r.Sound {
			change = audit.Damaged
		}
		look.archives = append(look.archives, lookedAt{r.Path, audit.Archive{Change: change, Name: r.Name, SHA256: r.SHA256}})
	}
	a.auditLook(ctx, dir, look)
}

// lookAt is an operation that only looked at archives.
type lookAt struct {
	operation string
	began     time.Time
	archives  []lookedAt
	result    error
}

type lookedAt struct {
	path string
	audit.Archive
}

// auditLook puts a look at archives into the log that the directory has; it makes none, for the archives of others are looked at too. As with the
// records beside the archives, a directory that cannot be written is none the worse for it.
func (a *app) auditLook(ctx context.Context, dir *store.Dir, l lookAt) {
	log := a.auditLog(dir)
	here := slices.DeleteFunc(slices.Clone(l.archives), func(v lookedAt) bool { return filepath.Dir(v.path) != dir.Path })
	if exists, err := log.Exists(); err != nil || !exists || len(here) == 0 {
		return
	}
	v := judge(l.result, a.interruption.happened(), false)
	e := audit.Entry{
		Operation: l.operation, Arguments: a.invoked, Began: l.began.UTC(), Ended: a.world.Now().UTC(), ExitCode: v.Code, Result: auditResult(v.Code),
		Message: shorten(display.Clean(v.Message)), Who: a.auditWho(""), Project: audit.Project{Name: dir.Owner.Name, WorkingDir: dir.Owner.WorkingDir},
	}
	for _, r := range here {
		e.Archives = append(e.Archives, r.Archive)
	}
	out, err := log.Append(context.WithoutCancel(ctx), e)
	if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		a.missAudit(err)
	}
	for _, warning := range out.Warnings {
		a.sink().Report(progress.Event{Step: "audit", Status: progress.Warning, Text: warning})
	}
}

// auditFolder readies the backups directory for its log. One that had a log and is gone is not mounted: it is not made anew. Where there
// never was one, an operation that failed needs none.
func (s *session) auditFolder(log *audit.Log, result string) (write bool, err error) {
	if _, err := os.Stat(s.Store.Path); !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	if log.Known() {
		return false, fmt.Errorf("write the audit log: the backups directory %s is not there", s.Store.Path)
	}
	if result == audit.Failed || result == audit.Interrupted {
		return false, nil
	}
	return true, s.Store.Ensure()
}

// missAudit remembers why an operation is not in the audit log: the run says so at its end.
func (a *app) missAudit(err error) {
	if err == nil {
		return
	}
	a.sink().Report(progress.Event{Step: "audit", Status: progress.Warning, Text: "the operation is not in the audit log: " + err.Error()})
	a.miss(fmt.Errorf("it is not in the audit log: %w", err))
}

// miss remembers what a run that did its work could not do: it ends with 3.
func (a *app) miss(err error) {
	if a.missed == nil {
		a.missed = err
	} else {
		a.missed = fmt.Errorf("%w; %w", a.missed, err)
	}
}

// quietFlags say how a command speaks, not what it does.
func quietFlags() []string { return []string{"format", "progress", "help", "quiet", "no-trunc"} }

// invocation is what a command was asked to do: its arguments and the flags that were given. No flag carries a secret; an address that
// holds one is cut.
func invocation(cmd *cobra.Command, args []string) map[string]any {
	out := map[string]any{}
	if len(args) > 0 {
		out["arguments"] = args
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(quietFlags(), f.Name) {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			out[f.Name] = list.GetSlice()
			return
		}
		out[f.Name] = withoutPassword(f.Value.String())
	})
	if len(out) == 0 {
		return nil
	}
	return out
}

func withoutPassword(value string) string {
	if u, err := url.Parse(value); err == nil && u.User != nil {
		return u.Redacted()
	}
	return value
}
