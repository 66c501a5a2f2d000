package enginetest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"github.com/memsys/docker-memsys/internal/engine"
)

// layerFile is a file in a container's own writable layer.
type layerFile struct {
	engine.Change
	size int64
	at   time.Time
}

// AddToLayer puts a file into a container's own layer, and the folders above it.
func (e *Engine) AddToLayer(id, file string, size int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.layers == nil {
		e.layers = map[string]map[string]layerFile{}
	}
	if e.layers[id] == nil {
		e.layers[id] = map[string]layerFile{}
	}
	for dir := path.Dir(file); dir != "/"; dir = path.Dir(dir) {
		e.layers[id][dir] = layerFile{Change: engine.Change{Path: dir, Added: true}, size: -1}
	}
	e.layers[id][file] = layerFile{Change: engine.Change{Path: file, Added: true}, size: size}
}

// ChangeInLayer changes a file of the image in a container's own layer.
func (e *Engine) ChangeInLayer(id, file string, size int64, at time.Time) {
	e.AddToLayer(id, file, size)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.layers[id][file] = layerFile{Change: engine.Change{Path: file}, size: size, at: at}
}

// Changes returns what AddToLayer put there, sorted.
func (e *Engine) Changes(ctx context.Context, id string, limit int) (out []engine.Change, err error) {
	err = e.do(ctx, Call{"Changes", id}, func() error {
		if _, ok := e.containers[e.idOf(id)]; !ok {
			return engine.ErrNotFound
		}
		for _, f := range e.layers[e.idOf(id)] {
			out = append(out, f.Change)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b engine.Change) int { return strings.Compare(a.Path, b.Path) })
	if err == nil && len(out) > limit {
		return out[:limit], engine.ErrTooMany
	}
	return out, err
}

// Stat tells of what AddToLayer put there, and of files in mounts whose source is a folder of this machine.
func (e *Engine) Stat(ctx context.Context, id, name string) (info engine.PathInfo, err error) {
	err = e.do(ctx, Call{"Stat", id}, func() error {
		id := e.idOf(id)
		if _, ok := e.containers[id]; !ok {
			return engine.ErrNotFound
		}
		if file, err := e.place(id, name); err == nil {
			found, err := os.Lstat(file)
			if err != nil {
				return engine.ErrNotFound
			}
			info = engine.PathInfo{Name: found.Name(), Size: found.Size(), Mode: found.Mode(), ModTime: found.ModTime()}
			return nil
		}
		f, ok := e.layers[id][name]
		if !ok {
			return engine.ErrNotFound
		}
		info = engine.PathInfo{Name: path.Base(name), Size: f.size, Mode: 0o644, ModTime: f.at}
		if f.size < 0 {
			info.Size, info.Mode = 0, fs.ModeDir|0o755
		}
		return nil
	})
	return info, err
}

func (e *Engine) serveLayers(mux *http.ServeMux) {
	mux.HandleFunc("GET /containers/{id}/changes", func(w http.ResponseWriter, r *http.Request) {
		changes, err := e.Changes(r.Context(), r.PathValue("id"), 1<<30)
		out := []container.FilesystemChange{}
		for _, c := range changes {
			kind := container.ChangeModify
			if c.Added {
				kind = container.ChangeAdd
			}
			out = append(out, container.FilesystemChange{Kind: kind, Path: c.Path})
		}
		answer(w, out, err)
	})
	mux.HandleFunc("HEAD /containers/{id}/archive", func(w http.ResponseWriter, r *http.Request) {
		info, err := e.Stat(r.Context(), r.PathValue("id"), r.URL.Query().Get("path"))
		if err == nil {
			stat := container.PathStat{Name: info.Name, Size: info.Size, Mode: info.Mode, Mtime: info.ModTime.Round(time.Second), LinkTarget: info.Link}
			text, _ := json.Marshal(stat)
			w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(text))
		}
		answer(w, nil, err)
	})
}

// networkSettings are a container's addresses and ports as the protocol has them.
func networkSettings(c engine.Container) *container.NetworkSettings {
	out := &container.NetworkSettings{Ports: network.PortMap{}, Networks: map[string]*network.EndpointSettings{}}
	for i, a := range c.Addresses {
		address := netip.MustParseAddr(a)
		settings := &network.EndpointSettings{IPAddress: address}
		if address.Is6() {
			settings = &network.EndpointSettings{GlobalIPv6Address: address}
		}
		out.Networks[fmt.Sprintf("net%d", i)] = settings
	}
	for _, p := range c.Ports {
		port := network.MustParsePort(fmt.Sprintf("%d/tcp", p.Inside))
		binding := network.PortBinding{HostPort: p.HostPort}
		if p.HostIP != "" {
			binding.HostIP = netip.MustParseAddr(p.HostIP)
		}
		out.Ports[port] = append(out.Ports[port], binding)
	}
	return out
}
