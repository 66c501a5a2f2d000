package tree

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A source that is a single file keeps its inode: it can be a mount point, or have other names. So its content is rewritten,
// after a complete copy of the old content has its name ("old") in the staging. While "old" is missing the file was not touched;
// once it is there, both states can be written at any time.

func (r *swapRun) replaceFile(ctx context.Context) ([]Problem, error) {
	staging := string(r.swap.Staging)
	dir, err := openFolder(staging)
	if err != nil {
		return nil, pathError("open", staging, err)
	}
	defer dir.Close()
	if _, err := dir.lstat("old"); errors.Is(err, fs.ErrNotExist) {
		if err := r.setAside(ctx, dir); err != nil {
			return nil, err
		}
	}
	if err := r.reached(); err != nil {
		return nil, err
	}
	return r.rewrite(ctx, filepath.Join(staging, "new"))
}

func (r *swapRun) revertFile(ctx context.Context) ([]Problem, error) {
	old := filepath.Join(string(r.swap.Staging), "old")
	if _, err := Lstat(old); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r.rewrite(ctx, old)
}

func (r *swapRun) reached() error {
	r.step++
	return r.done(r.step)
}

// setAside copies the file; the copy gets its name when it is complete and on the disk.
func (r *swapRun) setAside(ctx context.Context, dir *folder) error {
	const partial = "old.partial"
	if err := dir.remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pathError("remove", partial, err)
	}
	e, in, err := openContent(newSingle(string(r.swap.Root)), ".")
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := dir.createFile(partial)
	if err != nil {
		return pathError("create", partial, err)
	}
	err = copyRanges(ctx, out, in, e)
	if err == nil {
		for _, problem := range applyTo(out, e, WriteOptions{}) {
			err = errors.Join(err, problem)
		}
	}
	if err = errors.Join(err, out.sync(), out.Close()); err != nil {
		return pathError("copy", string(r.swap.Root), err)
	}
	if err := r.reached(); err != nil {
		return err
	}
	return pathError("copy", string(r.swap.Root), errors.Join(dir.rename(partial, dir, "old"), dir.sync()))
}

// rewrite gives the file the content and the attributes of a staged one.
func (r *swapRun) rewrite(ctx context.Context, from string) ([]Problem, error) {
	root := string(r.swap.Root)
	e, in, err := openContent(newSingle(from), ".")
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := openForRewrite(root)
	if err != nil {
		return nil, pathError("open", root, err)
	}
	err = errors.Join(out.truncate(0), r.reached())
	if err == nil {
		err = copyRanges(ctx, out, in, e)
	}
	if err == nil {
		err = r.reached()
	}
	if err != nil {
		return nil, pathError("write", root, errors.Join(err, out.Close()))
	}
	var problems []Problem
	now, err := readEntry(out, ".")
	if err == nil {
		for _, p := range replaceAttributes(out, now, e) {
			problems = append(problems, Problem{Path: ".", Err: p})
		}
	}
	err = errors.Join(err, out.sync(), out.Close())
	return problems, pathError("write", root, err)
}

// openForRewrite makes a read-only file writable for its owner first; its mode is set anew at the end.
func openForRewrite(root string) (*file, error) {
	ref, name, err := newSingle(root).at(".")
	if err != nil {
		return nil, err
	}
	defer ref.owner.close()
	defer ref.release()
	f, err := ref.openWrite(name)
	if !errors.Is(err, fs.ErrPermission) {
		return f, err
	}
	if e := ref.node(name, File).chmod(0o600); e != nil {
		return nil, errors.Join(err, e)
	}
	return ref.openWrite(name)
}

// copyRanges copies what is no hole.
func copyRanges(ctx context.Context, out *file, in io.ReaderAt, e *Entry) error {
	if err := out.truncate(e.Size); err != nil {
		return err
	}
	buf := make([]byte, 256<<10)
	for _, part := range without(Extent{0, e.Size}, e.Holes) {
		pos := part.Offset
		var failed error
		err := eachPart(ctx, in, part, buf, func(p []byte) bool {
			_, failed = out.WriteAt(p, pos)
			pos += int64(len(p))
			return failed == nil
		})
		if err := errors.Join(failed, err); err != nil {
			return err
		}
	}
	return nil
}

// Rewritten tells whether the single file of a swap has the content and the attributes of the staged one. Where nothing is staged any more
// there is nothing to tell it from.
func Rewritten(ctx context.Context, s *Swap) (bool, error) {
	staged := filepath.Join(string(s.Staging), "new")
	want, err := Lstat(staged)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	got, err := Lstat(string(s.Root))
	if err != nil {
		return false, err
	}
	if got.Size != want.Size || got.Mode != want.Mode || got.UID != want.UID || got.GID != want.GID || !got.ModTime.Equal(want.ModTime) {
		return false, nil
	}
	return sameContent(ctx, string(s.Root), staged)
}

// sameContent compares two files byte by byte.
func sameContent(ctx context.Context, a, b string) (bool, error) {
	one, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer one.Close()
	two, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer two.Close()
	bufA, bufB := make([]byte, 256<<10), make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, errA := io.ReadFull(one, bufA)
		m, errB := io.ReadFull(two, bufB)
		if n != m || !bytes.Equal(bufA[:n], bufB[:m]) {
			return false, nil
		}
		ended := func(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
		if ended(errA) && ended(errB) {
			return true, nil
		}
		if err := errors.Join(errA, errB); err != nil {
			return false, err
		}
	}
}
