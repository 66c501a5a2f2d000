// Package layout lays a backup out as plain folders that every program reads: data/SOURCE, project, memsys.json and SHA256SUMS.
package layout

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// Sums is the file with the sums of all files, in the form that sha256sum -c reads.
const Sums = "SHA256SUMS"

// Request is what is laid out where.
type Request struct {
	Archive *archive.Reader // verified
	Dir     string          // new or empty
	ID      string          // unique, of letters and digits
	Devices bool            // device nodes are made
	// SkipOwners leaves everything to this user, who may not give files away.
	SkipOwners bool
	Free       func(path string) (int64, error)
	Progress   progress.Sink
}

// Result is what was laid out.
type Result struct {
	Dir     string `json:"dir"`
	Entries int64  `json:"entries"`
	Files   int64  `json:"files"`
	Bytes   int64  `json:"bytes"`
	// Problems are attributes that could not be set.
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is an entry of which an attribute could not be set.
type Problem struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// NotEmptyError says that the folder holds something already.
type NotEmptyError struct{ Dir string }

func (e *NotEmptyError) Error() string { return e.Dir + " is not empty" }

// NoSpaceError says that there is no room for the files.
type NoSpaceError struct {
	Dir        string
	Need, Free int64
}

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("no space in %s: the files need about %s, %s is free", e.Dir, progress.Size(e.Need), progress.Size(e.Free))
}

// DevicesError says that the backup holds device nodes.
type DevicesError struct{ First string }

func (e *DevicesError) Error() string {
	return fmt.Sprintf("the backup holds device nodes, %q first", e.First)
}

// Lay lays the backup out. The files come into the folder as a whole, when all of them are there and on the disk; on an error the folder
// is as it was. Every chunk is checked before its bytes are written.
func Lay(ctx context.Context, r Request) (res *Result, err error) {
	if err := CheckEmpty(r.Dir); err != nil {
		return nil, err
	}
	res = &Result{Dir: r.Dir}
	if err := r.look(ctx, res); err != nil {
		return nil, err
	}
	staging := filepath.Join(r.Dir, stagingName(r.ID))
	var made []string
	defer func() {
		if err == nil {
			return
		}
		err = errors.Join(err, os.RemoveAll(staging))
		for _, dir := range slices.Backward(made) {
			_ = os.Remove(dir) // what others put into it meanwhile keeps it
		}
	}()
	if made, err = makeDir(r.Dir); err != nil {
		return nil, err
	}
	if err := r.unpack(ctx, staging, res); err != nil {
		return nil, err
	}
	if err := r.sum(ctx, staging); err != nil {
		return nil, err
	}
	return res, publish(staging, r.Dir, durable.SyncDir)
}

// stagingName is the folder's name in which an export is made ready. It is none that a restore uses: what that keeps may be the last copy.
func stagingName(id string) string { return tree.StagingName("export-" + id) }

// CheckEmpty refuses a folder that holds something, but for what a killed export left there.
func CheckEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("export to %s: %w", dir, err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), stagingName("")) {
			return &NotEmptyError{Dir: dir}
		}
	}
	return nil
}

// look counts the entries and checks that they may and can be laid out.
func (r Request) look(ctx context.Context, res *Result) error {
	for e, err := range r.Archive.Entries(ctx) {
		if err != nil {
			return fmt.Errorf("read contents: %w", err)
		}
		res.Entries++
		if e.Kind == tree.File {
			res.Files++
			res.Bytes += e.Size
		}
		if (e.Kind == tree.CharDevice || e.Kind == tree.BlockDevice) && !r.Devices {
			return &DevicesError{First: e.Path}
		}
	}
	free, err := r.Free(r.Dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", r.Dir, err)
	}
	if need := res.Bytes + 4096*res.Entries; need > free {
		return &NoSpaceError{Dir: r.Dir, Need: need, Free: free}
	}
	return nil
}

// makeDir makes the folder and returns what it made or tried to, parents first. What a killed export left in it is removed.
func makeDir(dir string) (made []string, err error) {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	slices.Reverse(made)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return made, fmt.Errorf("export to %s: %w", dir, err)
	}
	for _, d := range made {
		// A parent that cannot be opened is somebody else's: there is nothing that we can do for its names.
		if err := durable.SyncDir(filepath.Dir(d)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return made, err
		}
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagingName("")) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return made, err
}

// unpack writes all entries under the names that they have in the archive.
func (r Request) unpack(ctx context.Context, staging string, res *Result) error {
	if err := os.Mkdir(staging, 0o700); err != nil {
		return err
	}
	w, err := tree.NewWriter(staging, tree.WriteOptions{Devices: r.Devices, SkipOwners: r.SkipOwners, Sync: true})
	if err != nil {
		return err
	}
	done := progress.Counter(r.Progress, progress.Event{Step: "write", Total: res.Bytes})
	whole := func(e *archive.Entry) *tree.Entry { return &e.Entry }
	if err := r.Archive.Extract(ctx, whole, w, archive.ExtractOptions{OnBytes: done}); err != nil {
		_, finished := w.Finish(context.WithoutCancel(ctx))
		return errors.Join(fmt.Errorf("unpack: %w", err), finished)
	}
	problems, err := w.Finish(ctx)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	for _, p := range problems {
		res.Problems = append(res.Problems, Problem{Path: p.Path, Text: p.Err.Error()})
	}
	r.Progress.Report(progress.Event{Step: "write", Status: progress.Done, Done: res.Bytes, Unit: progress.Bytes})
	return nil
}

// sum writes the sums of all files as they are on the disk, in the order of a walk.
func (r Request) sum(ctx context.Context, staging string) error {
	var lines strings.Builder
	sums := map[string]string{} // of files, for those that come again under second names
	err := tree.Walk(ctx, staging, tree.WalkOptions{}, func(ctx context.Context, e *tree.Entry, open tree.Opener) (err error) {
		var sum string
		switch e.Kind {
		case tree.File:
			if sum, err = sumOf(ctx, open); err != nil {
				return fmt.Errorf("sum %s: %w", e.Path, err)
			}
			if e.Links > 1 {
				sums[e.Path] = sum
			}
		case tree.Hardlink:
			sum = sums[e.Link] // none of one that is no file
		}
		if sum != "" {
			lines.WriteString(sumLine(sum, e.Path))
		}
		return nil
	})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(staging, Sums), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	_, err = w.WriteString(lines.String())
	return errors.Join(err, w.Flush(), f.Sync(), f.Close())
}

// sumOf hashes a file.
func sumOf(ctx context.Context, open tree.Opener) (string, error) {
	_, in, err := open(ctx)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sumLine is a line as sha256sum writes it: names with a backslash or a new line are escaped, and a backslash stands before the sum.
func sumLine(sum, path string) string {
	escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(path)
	mark := ""
	if escaped != path {
		mark = `\`
	}
	return mark + sum + "  " + escaped + "\n"
}

// publish moves what is complete from the staging folder to its place, the sums last: where they are, everything is, after a power loss too.
func publish(staging, dir string, sync func(string) error) (err error) {
	entries, err := os.ReadDir(staging)
	if err != nil {
		return err
	}
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(last(a.Name()), last(b.Name())) })
	var moved []string
	defer func() {
		if err == nil {
			return
		}
		for _, name := range slices.Backward(moved) {
			err = errors.Join(err, os.Rename(filepath.Join(dir, name), filepath.Join(staging, name)))
		}
	}()
	for _, e := range entries {
		if e.Name() == Sums {
			if err := sync(dir); err != nil {
				return err
			}
		}
		if err := os.Rename(filepath.Join(staging, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			return err
		}
		moved = append(moved, e.Name())
	}
	if err := sync(dir); err != nil {
		return err
	}
	return os.Remove(staging)
}

func last(name string) int {
	if name == Sums {
		return 1
	}
	return 0
}
