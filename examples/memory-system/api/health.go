package api

import (
	"net/http"

	"github.com/memsys/docker-memsys/examples/memory-system/memory"
)

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
	// Uptime is in seconds.
	Uptime int           `json:"uptime"`
	Error  string        `json:"error,omitempty"`
	Data   memory.Status `json:"data"`
}

// health answers 200 if every file of the data is sound, else 503 with the damaged files. Files that did not change since
// they were read last are not read again, unless the query says deep=1.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	check := s.Store.Check
	if r.URL.Query().Get("deep") == "1" {
		check = s.Store.Recheck
	}
	status, err := check()
	h := health{Status: "ok", Version: s.Version, Uptime: int(s.Now().Sub(s.Started).Seconds()), Data: status}
	code := http.StatusOK
	if err != nil {
		h.Error = err.Error()
	}
	if err != nil || len(status.Damage) > 0 {
		h.Status, code = "damaged", http.StatusServiceUnavailable
		s.Log.Error("data is damaged", "error", h.Error, "files", status.Damage)
	}
	s.reply(w, code, h)
}

type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status for the log.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		rec := &recorder{w, http.StatusOK}
		next.ServeHTTP(rec, r)
		s.Log.Info("request", "method", r.Method, "path", r.URL.Path, "status", rec.status,
			"ms", s.Now().Sub(start).Milliseconds())
	})
}
