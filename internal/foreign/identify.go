package foreign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/mholt/archiver/v4"
)

// format is a kind of archive that is read: a container, and for tar how it is packed.
type format struct {
	name   string
	packed archiver.Compression // nil for a container as it is
	holds  container
}

// container is what the library's archives have in common.
type container interface {
	archiver.Format
	archiver.Extractor
}

// maxWindow bounds the memory of a zstd decoder; zstd --long packs with windows of this size.
const maxWindow = 128 << 20

// packings are the compressions that a tar file may have. Brotli is none of them: it has no magic number, so anything may be it.
func packings() []archiver.Compression {
	return []archiver.Compression{
		archiver.Gz{},
		archiver.Bz2{},
		archiver.Xz{},
		archiver.Lz4{},
		archiver.Lzip{},
		archiver.Zstd{DecoderOptions: []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow)}},
	}
}

// containers are the archives that are read as they are. Tar comes last: it has the weakest mark.
func containers() []container {
	return []container{archiver.SevenZip{}, archiver.Zip{}, archiver.Tar{}}
}

// identify tells the kind of an archive by its content alone: names lie. The library's own search is not used: it asks formats without
// a magic number too, in an order that changes from run to run.
func identify(ctx context.Context, r io.ReaderAt, size int64) (format, error) {
	start := func() io.Reader { return plainReader{io.NewSectionReader(r, 0, size)} }
	for _, packed := range packings() {
		if match, err := packed.Match(ctx, "", start()); err != nil {
			return format{}, err
		} else if match.ByStream {
			return identifyPacked(ctx, packed, start())
		}
	}
	for _, c := range containers() {
		if match, err := c.Match(ctx, "", start()); err != nil {
			return format{}, err
		} else if match.ByStream {
			return format{name: c.Extension()[1:], holds: c}, nil
		}
	}
	return format{}, ErrUnknown
}

// identifyPacked looks for the tar file in packed bytes.
func identifyPacked(ctx context.Context, packed archiver.Compression, r io.Reader) (format, error) {
	f := format{name: "tar" + packed.Extension(), packed: packed, holds: archiver.Tar{}}
	plain, err := packed.OpenReader(r)
	if err != nil {
		return f, &DamagedError{Err: err}
	}
	defer plain.Close()
	first := make([]byte, tarBlock)
	if n, err := io.ReadFull(plain, first); err != nil && !errors.Is(err, io.EOF) && n < tarBlock {
		return f, &DamagedError{Err: err}
	}
	match, err := f.holds.Match(ctx, "", io.MultiReader(bytes.NewReader(first), plain))
	if err != nil {
		return f, &DamagedError{Err: err}
	}
	if !match.ByStream {
		if _, err := io.Copy(io.Discard, io.LimitReader(plain, enoughToJudge)); err != nil {
			return f, &DamagedError{Err: err} // what it holds cannot be known
		}
		return f, fmt.Errorf("%s-packed, but no tar file inside: %w", packed.Extension()[1:], ErrUnknown)
	}
	return f, nil
}

const tarBlock = 512

// enoughToJudge is how much of packed bytes is read to find out whether they are damaged.
const enoughToJudge = 64 << 20

// plainReader hides that a reader can seek.
type plainReader struct{ r io.Reader }

func (p plainReader) Read(b []byte) (int, error) { return p.r.Read(b) }
