package enginetest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/moby/moby/api/types/container"

	"github.com/memsys/docker-memsys/internal/engine"
)

// execs are the commands that clients have made, in the engine's protocol.
type execs struct {
	engine *Engine
	mu     sync.Mutex
	made   []*command
}

type command struct {
	container string
	what      engine.Command
	reads     bool
	running   bool
	code      int
}

func (x *execs) serve(mux *http.ServeMux) {
	mux.HandleFunc("POST /containers/{id}/exec", x.create)
	mux.HandleFunc("POST /exec/{id}/start", x.start)
	mux.HandleFunc("GET /exec/{id}/json", x.inspect)
}

func (x *execs) create(w http.ResponseWriter, r *http.Request) {
	var in container.ExecCreateRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		answer(w, nil, err)
		return
	}
	c, err := x.engine.Container(r.Context(), r.PathValue("id"))
	if err == nil && c.State != engine.Running {
		err = fmt.Errorf("%w: it is %s", engine.ErrConflict, c.State)
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.made = append(x.made, &command{container: c.ID, reads: in.AttachStdin, what: engine.Command{
		Args: in.Cmd, User: in.User, Dir: in.WorkingDir, Env: in.Env, Privileged: in.Privileged,
	}})
	answer(w, map[string]string{"Id": fmt.Sprint(len(x.made))}, nil)
}

func (x *execs) find(id string) *command {
	x.mu.Lock()
	defer x.mu.Unlock()
	var n int
	if _, err := fmt.Sscan(id, &n); err != nil || n < 1 || n > len(x.made) {
		return nil
	}
	return x.made[n-1]
}

// start runs the command and sends what it prints in frames, until it ends or the client goes away.
func (x *execs) start(w http.ResponseWriter, r *http.Request) {
	e := x.find(r.PathValue("id"))
	if e == nil {
		answer(w, nil, engine.ErrNotFound)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // a client still writes it
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer conn.Close()
	x.set(e, true, 0)
	fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	ctx, gone := context.WithCancel(context.Background())
	defer gone()
	read := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(buffered)
		read <- text
		if !e.reads { // else it has only said all that the command reads
			gone()
		}
	}()
	if e.reads {
		e.what.Stdin = <-read
	}
	code, err := x.engine.ExecAs(ctx, e.container, e.what, frames{conn})
	if err != nil && ctx.Err() == nil {
		code = 126
		fmt.Fprintf(frames{conn}, "%v\r\n", err)
	}
	x.set(e, false, code)
}

func (x *execs) set(e *command, running bool, code int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e.running, e.code = running, code
}

func (x *execs) inspect(w http.ResponseWriter, r *http.Request) {
	e := x.find(r.PathValue("id"))
	if e == nil {
		answer(w, nil, engine.ErrNotFound)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	answer(w, container.ExecInspectResponse{ID: r.PathValue("id"), ContainerID: e.container, Running: e.running, ExitCode: &e.code}, nil)
}

// frames marks everything as standard output of a stream of two.
type frames struct{ to io.Writer }

func (f frames) Write(p []byte) (int, error) {
	head := make([]byte, 8, 8+len(p))
	head[0] = 1
	binary.BigEndian.PutUint32(head[4:], uint32(len(p)))
	if _, err := f.to.Write(append(head, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
