package plugin

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/store"
)

// maxFindings is how many findings of one archive are printed; JSON has them all.
const maxFindings = 20

// verifyOptions are the flags of verify.
type verifyOptions struct {
	backups string
	all     bool
	format  string
}

func (a *app) verifyCommand() *cobra.Command {
	var opts verifyOptions
	cmd := &cobra.Command{
		Use:   "verify [OPTIONS] [BACKUP...]",
		Short: "Read every byte of backups and check it",
		Long: `Read every byte of the backups, check each against the digests in the archive and
the archive against its .sha256, and keep the result beside it. Without an argument
the latest backup is verified. BACKUP is a name, a path, an id, latest, or
latest_backup.txt. Asks no engine. Ends with 4 where an archive is damaged, and names
the damaged files.`,
		Example: examples("docker memsys verify", "docker memsys verify --all", "docker memsys verify /mnt/usb/memory_backup_20260102_030405.tar.gz",
			"docker memsys verify --all --format json"),
		Args:              cobra.ArbitraryArgs,
		GroupID:           groupData,
		ValidArgsFunction: a.completeBackups(0),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.verify(cmd.Context(), args, opts) },
	}
	backupsFlag(cmd, &opts.backups)
	cmd.Flags().BoolVar(&opts.all, "all", false, "Verify every backup")
	cmd.Flags().StringVar(&opts.format, "format", "", formatHelp)
	return cmd
}

// verify proves the wanted backups one after the other; each is read on all cores.
func (a *app) verify(ctx context.Context, args []string, opts verifyOptions) error {
	if opts.all && len(args) > 0 {
		return usagef("--all and %q cannot be given together", args[0])
	}
	if err := checkFormat(opts.format, verification{}); err != nil {
		return err
	}
	dir, err := a.openArchives(ctx, opts.backups, args)
	if err != nil {
		return err
	}
	wanted, err := a.wanted(ctx, dir.Dir, args, opts.all)
	if err != nil {
		return err
	}
	began := a.world.Now()
	results := []verification{}
	for _, b := range wanted {
		result, oneErr := a.verifyOne(ctx, storeOf(dir.Dir, b), b, opts.format)
		if oneErr != nil {
			err = oneErr
			break
		}
		results = append(results, result)
	}
	if err == nil {
		err = verifyOutcome(results)
	}
	a.auditVerify(ctx, dir.Dir, began, results, err)
	return err
}

// verifyOutcome is nil where all archives are sound.
func verifyOutcome(results []verification) error {
	damaged := []string{}
	for _, r := range results {
		if !r.Sound {
			damaged = append(damaged, r.Name)
		}
	}
	if len(damaged) == 0 {
		return nil
	}
	return &outcome{
		code: exitDamaged, message: damagedMessage(damaged, len(results)),
		hint: "docker memsys list, and restore from one that is verified",
	}
}

// damagedMessage names the damaged of so many archives, the first few if they are many.
func damagedMessage(damaged []string, all int) string {
	const most = 3
	names := damaged
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("%d more", len(damaged)-most))
	}
	return display.Clean(fmt.Sprintf("%d of %s damaged: %s", len(damaged), plural(int64(all), "archive is", "archives are"), strings.Join(names, ", ")))
}

// wanted are the backups to verify.
func (a *app) wanted(ctx context.Context, dir *store.Dir, args []string, all bool) ([]store.Backup, error) {
	if all {
		found, err := dir.List(ctx)
		if err == nil && len(found) == 0 {
			return nil, &store.NotFoundError{Dir: dir.Path, Empty: true}
		}
		return found, err
	}
	if len(args) == 0 {
		args = []string{store.Latest}
	}
	found := []store.Backup{}
	for _, arg := range args {
		b, err := dir.Find(ctx, arg)
		if err != nil {
			return nil, err
		}
		found = append(found, b)
	}
	return found, nil
}

// storeOf is the folder of a backup as a store: a path may lead out of dir.
func storeOf(dir *store.Dir, b store.Backup) *store.Dir {
	folder := filepath.Dir(b.Path)
	if folder == dir.Path {
		return dir
	}
	return &store.Dir{Path: folder, Location: dir.Location}
}

// verification is the result for one archive in JSON output.
type verification struct {
	Name    string   `json:"name"`
	Path    string   `json:"path"`
	Sound   bool     `json:"sound"`
	Summed  bool     `json:"summed"`
	SHA256  string   `json:"sha256"`
	Size    int64    `json:"size"`
	Entries int64    `json:"entries"`
	Bytes   int64    `json:"bytes"`
	Seconds float64  `json:"seconds"`
	Former  bool     `json:"former"`
	Damage  []string `json:"damage"`
}

// verifyOne proves one backup, prints the result and returns it.
func (a *app) verifyOne(ctx context.Context, dir *store.Dir, b store.Backup, format string) (verification, error) {
	begun := a.world.Now()
	event := progress.Event{Step: "verify", Object: b.Name, Status: progress.Working, Total: b.Size, Unit: progress.Bytes}
	a.sink().Report(event)
	proven, err := dir.ProveAndRecord(ctx, b, begun, archive.VerifyOptions{OnBytes: progress.Counter(a.sink(), event)})
	if err != nil {
		return verification{}, err
	}
	event.Status, event.Done = progress.Done, b.Size
	if !proven.Sound() {
		event.Status, event.Text = progress.Failed, "damaged"
	}
	a.sink().Report(event)
	result := verification{
		Name: b.Name, Path: b.Path, Sound: proven.Sound(), Summed: proven.Summed, SHA256: proven.Report.SHA256, Size: proven.Report.Size,
		Entries: proven.Report.Entries, Bytes: proven.Report.Bytes, Seconds: a.world.Now().Sub(begun).Seconds(),
		Former: proven.Backup.Former, Damage: append([]string{}, proven.Damage...),
	}
	if format != "" {
		return result, a.printFormatted(format, result)
	}
	return result, a.printVerification(result)
}

// printVerification prints a result for a person.
func (a *app) printVerification(v verification) error {
	if v.Sound {
		return a.printf("%s: sound (%s, %d entries, %s%s)\n", display.Clean(v.Name), size(v.Size), v.Entries,
			time.Duration(v.Seconds*float64(time.Second)).Round(time.Millisecond), proofWords(v))
	}
	if err := a.printf("%s: damaged\n", display.Clean(v.Name)); err != nil {
		return err
	}
	for i, finding := range v.Damage {
		if i == maxFindings {
			return a.printf("  and %d more\n", len(v.Damage)-i)
		}
		if err := a.printf("  %s\n", display.Clean(finding)); err != nil {
			return err
		}
	}
	return nil
}

// proofWords says how much a sound archive proves.
func proofWords(v verification) string {
	switch {
	case v.Former:
		return "; made by the former script: gzip's checksums are all it has"
	case !v.Summed:
		return "; there was no .sha256 beside it"
	}
	return "; .sha256 matches"
}
