package enginetest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"

	"github.com/memsys/docker-memsys/internal/engine"
)

// serveProcesses answers the requests about processes of our own and their images.
func (e *Engine) serveProcesses(mux *http.ServeMux) {
	mux.HandleFunc("POST /images/create", e.serveImport)
	mux.HandleFunc("GET /images/json", e.serveImages)
	mux.HandleFunc("DELETE /images/{ref...}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, []struct{}{}, e.RemoveImage(r.Context(), r.PathValue("ref")))
	})
	mux.HandleFunc("POST /images/{image}/tag", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		repo := strings.TrimPrefix(strings.TrimPrefix(q.Get("repo"), "docker.io/"), "library/") // the engine shows names without them
		answer(w, nil, e.TagImage(r.Context(), r.PathValue("image"), repo+":"+q.Get("tag")))
	})
	mux.HandleFunc("POST /containers/create", e.serveCreate)
	mux.HandleFunc("POST /containers/{id}/attach", e.serveAttach)
	mux.HandleFunc("POST /containers/{id}/wait", e.serveWait)
	mux.HandleFunc("DELETE /containers/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, e.RemoveContainer(r.Context(), r.PathValue("id")))
	})
	mux.HandleFunc("GET /containers/{id}/archive", e.serveCopyFrom)
	mux.HandleFunc("PUT /containers/{id}/archive", func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, e.CopyTo(r.Context(), r.PathValue("id"), r.URL.Query().Get("path"), r.Body))
	})
}

func (e *Engine) serveImport(w http.ResponseWriter, r *http.Request) {
	labels := map[string]string{}
	for _, change := range r.URL.Query()["changes"] {
		key, quoted, _ := strings.Cut(strings.TrimPrefix(change, "LABEL "), "=")
		var value string
		if _, err := fmt.Sscanf(quoted, "%q", &value); err != nil {
			answer(w, nil, err)
			return
		}
		labels[key] = value
	}
	err := e.ImportImage(r.Context(), r.URL.Query().Get("repo"), labels, r.Body)
	answer(w, map[string]string{"status": "sha256:done"}, err)
}

func (e *Engine) serveImages(w http.ResponseWriter, r *http.Request) {
	out := []image.Summary{}
	var err error
	for _, label := range labelFilters(r) {
		var list []engine.Image
		list, err = e.Images(r.Context(), label)
		for _, i := range list {
			out = append(out, image.Summary{ID: i.ID, RepoTags: i.RepoTags, RepoDigests: i.RepoDigests, Labels: i.Labels})
		}
	}
	answer(w, out, err)
}

func (e *Engine) serveCreate(w http.ResponseWriter, r *http.Request) {
	var in container.CreateRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		answer(w, nil, err)
		return
	}
	p := engine.Process{
		Name: r.URL.Query().Get("name"), Image: in.Image, Command: in.Cmd, Labels: in.Labels,
		Capabilities: in.HostConfig.CapAdd, HostUsers: in.HostConfig.UsernsMode.IsHost(),
	}
	for _, m := range in.HostConfig.Mounts {
		to := engine.Mount{Type: string(m.Type), Source: m.Source, Destination: m.Target, ReadOnly: m.ReadOnly}
		if to.Type == "volume" {
			to.Name, to.Source = m.Source, ""
		}
		p.Mounts = append(p.Mounts, to)
	}
	id, err := e.CreateContainer(r.Context(), p)
	answer(w, container.CreateResponse{ID: id}, err)
}

// serveAttach joins the client's connection to the process.
func (e *Engine) serveAttach(w http.ResponseWriter, r *http.Request) {
	process, err := e.Attach(r.Context(), r.PathValue("id"), io.Discard)
	if err != nil {
		answer(w, nil, err)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	go func() {
		_, _ = io.Copy(process, bufio.NewReader(buffered))
		_ = process.Close()
	}()
	_, _ = io.Copy(frames{conn}, process)
}

func (e *Engine) serveWait(w http.ResponseWriter, r *http.Request) {
	ended := e.Ended(r.Context(), r.PathValue("id"))
	if _, err := e.Container(r.Context(), r.PathValue("id")); err != nil {
		answer(w, nil, err)
		return
	}
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	code, err := ended()
	if err == nil {
		_ = json.NewEncoder(w).Encode(container.WaitResponse{StatusCode: int64(code)})
	}
}

func (e *Engine) serveCopyFrom(w http.ResponseWriter, r *http.Request) {
	stream, err := e.CopyFrom(r.Context(), r.PathValue("id"), r.URL.Query().Get("path"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer stream.Close()
	w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString([]byte("{}")))
	_, _ = io.Copy(w, stream)
}
