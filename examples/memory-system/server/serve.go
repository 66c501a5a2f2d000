package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/memsys/docker-memsys/examples/memory-system/api"
	"github.com/memsys/docker-memsys/examples/memory-system/memory"
)

const (
	version       = "1.0.0"
	shutdownLimit = 8 * time.Second
	flushEvery    = 5 * time.Second
)

type config struct {
	host, port      string
	dataDir, logDir string
	serviceURL      string
	now             func() time.Time
	stderr          io.Writer
}

// serve answers requests until ctx ends, then lets the running ones finish and writes what is not on disk yet.
func (c config) serve(ctx context.Context) (err error) {
	log, closeLog, err := c.openLog()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	store, err := memory.Open(c.dataDir, memory.Options{Now: c.now})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(c.host, c.port))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	status, err := store.Check()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log.Info("ready", "address", listener.Addr().String(), "version", version, "memories", status.Memories)
	for _, d := range status.Damage {
		log.Error("data is damaged", "file", d.File, "reason", d.Reason)
	}
	flushCtx, stopFlush := context.WithCancel(context.WithoutCancel(ctx))
	flushed := make(chan struct{})
	go func() { defer close(flushed); flushLoop(flushCtx, store, log) }()
	err = c.answer(ctx, listener, store, log)
	stopFlush()
	<-flushed
	err = errors.Join(err, store.Close())
	log.Info("stopped")
	return err
}

func (c config) answer(ctx context.Context, l net.Listener, store *memory.Store, log *slog.Logger) error {
	handler := (&api.Server{Store: store, Log: log, Now: c.now, Started: c.now(), Version: version}).Handler()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping")
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

func flushLoop(ctx context.Context, store *memory.Store, log *slog.Logger) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := store.Flush(); err != nil {
				log.Error("flush index", "error", err)
			}
		}
	}
}

// openLog writes to the log file and to stderr, where `docker logs` finds it.
func (c config) openLog() (*slog.Logger, func() error, error) {
	if err := os.MkdirAll(c.logDir, 0o750); err != nil {
		return nil, nil, fmt.Errorf("make log folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(c.logDir, "server.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	return slog.New(slog.NewTextHandler(io.MultiWriter(f, c.stderr), nil)), f.Close, nil
}
