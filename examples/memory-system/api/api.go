// Package api is the HTTP interface of the memory system.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/memsys/docker-memsys/examples/memory-system/memory"
)

const (
	maxBody      = 1 << 20
	defaultLimit = 20
	maxLimit     = 1000
)

// Server answers requests from a store.
type Server struct {
	Store *memory.Store
	Log   *slog.Logger
	// Now is the clock; Started is when the service began.
	Now     func() time.Time
	Started time.Time
	Version string
}

// Handler returns the routes.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("POST /api/memories", s.add)
	mux.HandleFunc("GET /api/memories", s.list)
	mux.HandleFunc("GET /api/memories/{id}", s.get)
	mux.HandleFunc("PUT /api/memories/{id}", s.update)
	mux.HandleFunc("DELETE /api/memories/{id}", s.remove)
	mux.HandleFunc("GET /api/search", s.search)
	return s.logged(mux)
}

type page struct {
	Total    int             `json:"total"`
	Offset   int             `json:"offset"`
	Memories []memory.Memory `json:"memories"`
}

type results struct {
	Query   string          `json:"query"`
	Mode    string          `json:"mode"`
	Results []memory.Result `json:"results"`
}

func (s *Server) add(w http.ResponseWriter, r *http.Request) {
	c, err := content(w, r)
	if err != nil {
		s.fail(w, err)
		return
	}
	m, err := s.Store.Add(c)
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Location", "/api/memories/"+m.ID)
	s.reply(w, http.StatusCreated, m)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	offset, err := number(r, "offset", 0)
	if err != nil {
		s.fail(w, err)
		return
	}
	limit, err := number(r, "limit", defaultLimit)
	if err != nil {
		s.fail(w, err)
		return
	}
	memories, total, err := s.Store.List(offset, min(limit, maxLimit))
	if err != nil {
		s.fail(w, err)
		return
	}
	s.reply(w, http.StatusOK, page{total, offset, memories})
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	m, err := s.Store.Get(r.PathValue("id"))
	if err != nil {
		s.fail(w, err)
		return
	}
	s.reply(w, http.StatusOK, m)
}

func (s *Server) update(w http.ResponseWriter, r *http.Request) {
	c, err := content(w, r)
	if err != nil {
		s.fail(w, err)
		return
	}
	m, err := s.Store.Update(r.PathValue("id"), c)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.reply(w, http.StatusOK, m)
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	if err := s.Store.Delete(r.PathValue("id")); err != nil {
		s.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	mode := q.Get("mode")
	if mode == "" {
		mode = memory.ModeHybrid
	}
	limit, err := number(r, "limit", defaultLimit)
	if err == nil && q.Get("q") == "" {
		err = fmt.Errorf("%w: q is empty", memory.ErrInvalid)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	found, err := s.Store.Search(q.Get("q"), mode, min(limit, maxLimit))
	if err != nil {
		s.fail(w, err)
		return
	}
	s.reply(w, http.StatusOK, results{q.Get("q"), mode, found})
}

func content(w http.ResponseWriter, r *http.Request) (memory.Content, error) {
	var c memory.Content
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("%w: %w", memory.ErrInvalid, err)
	}
	return c, nil
}

func number(r *http.Request, name string, otherwise int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %s=%q is not a number from 0 up", memory.ErrInvalid, name, text)
	}
	return n, nil
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, memory.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, memory.ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, memory.ErrDamaged):
		status = http.StatusServiceUnavailable
	}
	if status >= http.StatusInternalServerError {
		s.Log.Error("request failed", "error", err)
	}
	s.reply(w, status, map[string]string{"error": err.Error()})
}

func (s *Server) reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.Log.Warn("client went away", "error", err)
	}
}
