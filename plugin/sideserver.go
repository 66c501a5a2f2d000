package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/restore"
)

// helperMain is the main of a helper container: it does the file work of the commands that it is called by.
func helperMain() int {
	return helper.Serve(os.Stdin, os.Stdout, buildVersion().Version, func(l *helper.Line) map[string]helper.Handler {
		return newFileServer(l, time.Now).handlers()
	}, codecs()...)
}

// fileServer is the end of the line that has the files.
type fileServer struct {
	line caller
	now  func() time.Time
	sink *lineSink

	mu       sync.Mutex
	last     int
	readings map[int]backup.Reading
	plans    map[int]*openPlan
}

func newFileServer(l caller, now func() time.Time) *fileServer {
	return &fileServer{
		line: l, now: now, sink: &lineSink{line: l, now: now}, readings: map[int]backup.Reading{}, plans: map[int]*openPlan{},
	}
}

func (f *fileServer) handlers() map[string]helper.Handler {
	return map[string]helper.Handler{
		callLook:     on(backup.Local{}.Look),
		callRestless: on(f.restless),
		callRead:     on(f.read),
		callProve:    on(f.prove),
		callComplete: on(f.complete),
		callAbort:    acts(f.abort),
		callSizes:    on(f.sizes),
		callRemove:   acts(f.remove),
		callShare:    on(f.share),
		callPrepare:  on(f.prepare),
		callRun:      on(f.run),
		callRecover:  acts(f.recover),

		callFindAside:   on(restore.FindAside),
		callRemoveAside: acts(restore.RemoveAside),

		callSurvey:  on(survey),
		callInspect: on(f.inspect),
		callCompare: on(f.compare),
	}
}

// restless looks with the clock of the machine that has the files.
func (f *fileServer) restless(ctx context.Context, req backup.RestlessRequest) ([]archive.Problem, error) {
	req.Now = f.now()
	return backup.Local{}.Restless(ctx, req)
}

// read opens an archive and reads the sources into it.
func (f *fileServer) read(ctx context.Context, c readCall) (readReply, error) {
	if c.Make {
		made, err := os.OpenFile(c.Archive, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return readReply{}, fmt.Errorf("create archive: %w", err)
		}
		if err := made.Close(); err != nil {
			return readReply{}, fmt.Errorf("create archive: %w", err)
		}
	}
	reading, err := backup.Local{}.Read(ctx, c.ReadRequest, f.sink)
	if err != nil {
		return readReply{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.readings[f.last] = reading
	return readReply{ID: f.last, Copied: reading.Copied()}, nil
}

// reading takes a reading out: it is ended once.
func (f *fileServer) reading(id int) (backup.Reading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.readings[id]
	if r == nil {
		return nil, errors.New("no such archive is open")
	}
	delete(f.readings, id)
	return r, nil
}

// prove looks at what was copied into an archive that stays open.
func (f *fileServer) prove(ctx context.Context, c proveCall) ([]inventory.Report, error) {
	f.mu.Lock()
	r := f.readings[c.ID]
	f.mu.Unlock()
	if r == nil {
		return nil, errors.New("no such archive is open")
	}
	return r.Inspect(ctx, c.Options)
}

func (f *fileServer) complete(ctx context.Context, c completeCall) (completeReply, error) {
	r, err := f.reading(c.ID)
	if err != nil {
		return completeReply{}, err
	}
	m, err := r.Complete(ctx, c.Completion)
	return completeReply{m}, err
}

func (f *fileServer) abort(_ context.Context, c idCall) error {
	r, err := f.reading(c.ID)
	if err != nil {
		return err
	}
	return r.Abort()
}

// remove removes a file of the scratch volume, which is not needed any more.
func (f *fileServer) remove(_ context.Context, c pathCall) error {
	if filepath.Dir(c.Path) != helper.Scratch {
		return fmt.Errorf("%s is not in the scratch volume", c.Path)
	}
	return os.Remove(c.Path)
}

// sizes tells what lies at paths.
func (f *fileServer) sizes(ctx context.Context, c sizesCall) ([]sized, error) {
	var out []sized
	for _, path := range c.Paths {
		out = append(out, sizeOf(ctx, path, c.Sized))
	}
	return out, ctx.Err()
}
