package helper

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/memsys/docker-memsys/internal/engine"
)

// program is the executable's name in the image, which holds nothing else.
const program = "docker-memsys"

// imageName is the image's name up to the digest of the executable.
const imageName = "docker-memsys-helper"

// image sees to it that the engine has the image of the executable at path, and returns its name. The digest in the name is the
// executable's: whoever finds the image has the right one. Of two clients that make it at once the second takes the name over;
// the image of the first goes with those that have no use any more. An error with a name may pass: an engine refuses one of several
// clients that make the image at once, and for a moment, in which one's gives way to another's, nothing has the name.
func image(ctx context.Context, e Engine, path, version string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the helper's executable: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("read the helper's executable %s: %w", path, err)
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	ref := imageName + ":" + digest[:12]
	found, err := e.Image(ctx, ref)
	if err == nil && found.Labels[digestLabel] == digest {
		removeImages(ctx, e, func(i engine.Image) bool { return i.ID != found.ID && nameless(i) })
		return ref, nil
	}
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return "", err
	}
	labels := map[string]string{versionLabel: version, digestLabel: digest}
	failed := e.ImportImage(ctx, ref, labels, packed(f))
	if found, err = e.Image(ctx, ref); err != nil || found.Labels[digestLabel] != digest {
		return ref, failed // one that another client removed meanwhile is missed when it is used
	}
	removeImages(ctx, e, func(i engine.Image) bool { return i.ID != found.ID })
	return ref, nil // even if it failed: engines refuse the second of two that are made at once
}

// packed is a compressed tar stream with the executable alone.
func packed(f *os.File) io.Reader {
	r, w := io.Pipe()
	go func() { w.CloseWithError(pack(w, f)) }()
	return r
}

func pack(w io.Writer, f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zw, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(zw)
	if err := tw.WriteHeader(&tar.Header{Name: program, Typeflag: tar.TypeReg, Mode: 0o755, Size: info.Size()}); err != nil {
		return err
	}
	if _, err := io.Copy(tw, f); err != nil {
		return err
	}
	return errors.Join(tw.Close(), zw.Close())
}

// removeImages removes helper images that no container uses. What the engine does not let go of now goes another time.
func removeImages(ctx context.Context, e Engine, which func(engine.Image) bool) {
	all, err := e.Images(ctx, digestLabel)
	if err != nil {
		return
	}
	for _, i := range all {
		if which(i) {
			_ = e.RemoveImage(ctx, i.ID)
		}
	}
}

// nameless tells whether an image has lost its name to another that was made at the same time.
func nameless(i engine.Image) bool {
	return !slices.ContainsFunc(i.RepoTags, func(tag string) bool { return tag != "<none>:<none>" })
}
