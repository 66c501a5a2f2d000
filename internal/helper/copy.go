package helper

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
)

// Fetch copies a finished file of the scratch volume to w. onBytes, if not nil, is told how many bytes were copied so far.
func (p *Process) Fetch(ctx context.Context, file string, w io.Writer, onBytes func(int64)) error {
	stream, err := p.engine.CopyFrom(ctx, p.id, file)
	if err != nil {
		return p.copyFailed(err)
	}
	defer stream.Close()
	tr := tar.NewReader(stream)
	header, err := tr.Next()
	if err != nil {
		return fmt.Errorf("fetch %s from the engine: %w", file, err)
	}
	if header.Typeflag != tar.TypeReg || path.Base(header.Name) != path.Base(file) {
		return fmt.Errorf("fetch %s from the engine: it sent %s instead", file, header.Name)
	}
	n, err := io.Copy(io.MultiWriter(w, &meter{on: onBytes}), tr)
	if err == nil && n != header.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("fetch %s from the engine: %w", file, err)
	}
	return nil
}

// Send copies size bytes of r into a new file of the scratch volume.
func (p *Process) Send(ctx context.Context, file string, r io.Reader, size int64, onBytes func(int64)) error {
	stream, w := io.Pipe()
	defer stream.Close()
	go func() {
		tw := tar.NewWriter(w)
		err := tw.WriteHeader(&tar.Header{Name: path.Base(file), Typeflag: tar.TypeReg, Mode: 0o600, Size: size})
		if err == nil {
			_, err = io.CopyN(io.MultiWriter(tw, &meter{on: onBytes}), r, size)
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err == nil {
			err = tw.Close()
		}
		w.CloseWithError(err)
	}()
	return p.copyFailed(p.engine.CopyTo(ctx, p.id, path.Dir(file), stream))
}

// copyFailed explains an error of a copy by the end of the helper, if that is what happened.
func (p *Process) copyFailed(err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-p.line.Done():
		return p.explain(fmt.Errorf("%w: %w", ErrGone, err))
	default:
		return err
	}
}

// meter counts what is written to it.
type meter struct {
	n  int64
	on func(int64)
}

func (m *meter) Write(p []byte) (int, error) {
	m.n += int64(len(p))
	if m.on != nil {
		m.on(m.n)
	}
	return len(p), nil
}
