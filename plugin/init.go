package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/progress"
)

// initOptions are the flags of init.
type initOptions struct {
	provider bool
	hints    bool
	remove   bool
	dryRun   bool
	yes      bool
}

func (a *app) initCommand() *cobra.Command {
	var opts initOptions
	cmd := &cobra.Command{
		Use:   "init [OPTIONS]",
		Short: "Lay out the project's folders and write its settings",
		Long: `Make the folders that the project mounts and that are missing, with the owners that
its services run as, before docker compose makes them as root: of a folder named data
also memories, embeddings and indexes in it, logs and ssl beside it, and the backups
directory. Write backups and retention into x-memsys of the Compose file, if they are
not there yet; everything else in the file stays as it is, byte for byte.

Shows first what it would do, always, and asks. Done again it does nothing. A folder
that has data in it is never given to another user.

With --provider plain docker compose up and down are guarded too: a service that this
plugin provides is added, on which all others depend. With --hints nothing but Docker's
own configuration is changed, so that docker compose ends with a hint where there is one.`,
		Example: examples("docker memsys init --dry-run", "docker memsys init", "docker memsys init --provider --yes",
			"docker memsys init --hints", "docker memsys init --hints --remove"),
		Args:              noArgs,
		GroupID:           groupProject,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.init(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.provider, "provider", false, "Have plain docker compose call this plugin, through a service of the Compose file")
	flags.BoolVar(&opts.hints, "hints", false, "Register hints after docker compose up, pull and down in Docker's configuration")
	flags.BoolVar(&opts.remove, "remove", false, "With --hints: take them out again")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "Show the difference and change nothing")
	flags.BoolVarP(&opts.yes, "yes", "y", false, "Do not ask")
	return cmd
}

func (a *app) init(ctx context.Context, opts initOptions) error {
	switch {
	case opts.remove && !opts.hints:
		return usagef("--remove goes with --hints")
	case opts.hints && opts.provider:
		return usagef("--hints changes Docker's configuration alone: give --provider by itself")
	case opts.hints:
		change, err := planHints(opts.remove)
		if err != nil {
			return err
		}
		return a.carryOut(ctx, &initPlan{change: change}, opts)
	}
	s, err := a.openSession(ctx, compose.Overrides{})
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	a.noticeInterrupted(s.project)
	plan, err := s.planInit(ctx, opts.provider)
	if err != nil {
		return err
	}
	return a.carryOut(ctx, plan, opts)
}

// initPlan is what init does.
type initPlan struct {
	folders []folder
	change  *rewrite
	remarks []string
}

func (s *session) planInit(ctx context.Context, provider bool) (*initPlan, error) {
	edit, err := s.Edit(ctx, provider)
	if err != nil {
		return nil, err
	}
	p := &initPlan{change: &rewrite{path: edit.Path, before: edit.Old, after: edit.New}}
	if p.folders, p.remarks, err = s.planFolders(ctx); err != nil {
		return nil, err
	}
	p.remarks = append(p.remarks, edit.Remarks...)
	return p, nil
}

// carryOut shows a plan, asks, and does it.
func (a *app) carryOut(ctx context.Context, p *initPlan, opts initOptions) error {
	for _, remark := range p.remarks {
		a.sink().Report(progress.Event{Step: "init", Status: progress.Warning, Text: remark})
	}
	if len(p.folders) == 0 && !p.change.is() {
		return a.printf("everything is in place\n")
	}
	if err := a.showInit(p); err != nil || opts.dryRun {
		return err
	}
	if err := a.confirm(ctx, "Do this?", opts.yes); err != nil {
		return err
	}
	for _, f := range p.folders {
		if err := f.make(); err != nil {
			return notWritten(err)
		}
	}
	if err := p.change.write(); err != nil {
		return notWritten(err)
	}
	return a.printf("done\n")
}

// notWritten is the error of a write; where the place is read-only it can be no other one.
func notWritten(err error) error {
	if errors.Is(err, syscall.EROFS) {
		return &outcome{code: exitFailed, message: err.Error(), hint: "mount it writable, then docker memsys init again", err: err}
	}
	return err
}

func (a *app) showInit(p *initPlan) error {
	var b strings.Builder
	for _, f := range p.folders {
		b.WriteString(f.String() + "\n")
	}
	b.WriteString(p.change.String())
	for line := range strings.Lines(b.String()) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t") // docker indents its configuration with tabs
		for i := range fields {
			fields[i] = display.Clean(fields[i])
		}
		if err := a.printf("%s\n", strings.Join(fields, "\t")); err != nil {
			return err
		}
	}
	return nil
}

// rewrite is a file before and after.
type rewrite struct {
	path          string
	before, after []byte
	missing       bool
	mode          os.FileMode // of a file that is missing
}

func (c *rewrite) is() bool { return !bytes.Equal(c.before, c.after) }

// String is the difference.
func (c *rewrite) String() string { return lineDiff(c.path, string(c.before), string(c.after)) }

// write replaces the file as a whole, its mode and owner kept; a link stays a link. A file that somebody has changed since it was read is left.
func (c *rewrite) write() error {
	if !c.is() {
		return nil
	}
	if c.missing {
		if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
			return fmt.Errorf("write %s: %w", c.path, err)
		}
		return durable.WriteFile(c.path, c.after, c.mode)
	}
	path, err := filepath.EvalSymlinks(c.path)
	if err != nil {
		return fmt.Errorf("write %s: %w", c.path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", c.path, err)
	}
	now, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", c.path, err)
	}
	if !bytes.Equal(now, c.before) {
		return fmt.Errorf("%s has changed meanwhile and is left as it is: run it again", c.path)
	}
	if err := durable.WriteFile(path, c.after, info.Mode().Perm()); err != nil {
		return fmt.Errorf("write %s: %w", c.path, err)
	}
	o, known := ownerOfFile(info)
	if !known {
		return nil
	}
	if err := os.Chown(path, o.uid, o.gid); err != nil && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("give %s back to its owner: %w", c.path, err)
	}
	return nil
}
