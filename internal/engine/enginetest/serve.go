package enginetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"

	"github.com/memsys/docker-memsys/internal/engine"
)

// Serve answers the engine's protocol for the fake on a socket, until the test ends, and returns the socket's address. It knows the
// requests that package engine makes.
func Serve(t testing.TB, e *Engine) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: e.handler(), ReadHeaderTimeout: time.Minute}
	t.Cleanup(func() { srv.Close() })
	go srv.Serve(l)
	return "unix://" + path
}

// ServeTLS is Serve on a TCP port with TLS; it returns the endpoint with all that a client needs. Clients must show their certificate.
func ServeTLS(t testing.TB, e *Engine) engine.Endpoint {
	t.Helper()
	srv := httptest.NewUnstartedServer(e.handler())
	cert, key := selfSigned(t)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	srv.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return engine.Endpoint{Host: "tcp://" + srv.Listener.Addr().String(), CA: cert, Cert: cert, Key: key}
}

// selfSigned makes a certificate for this machine that vouches for itself, for servers and clients.
func selfSigned(t testing.TB) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<33, 0), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

func (e *Engine) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", e.info.APIVersion) })
	mux.HandleFunc("GET /info", e.serveInfo)
	mux.HandleFunc("GET /containers/json", e.serveList)
	mux.HandleFunc("GET /containers/{id}/json", e.serveContainer)
	mux.HandleFunc("POST /containers/{id}/{act}", e.serveAct)
	(&execs{engine: e}).serve(mux)
	mux.HandleFunc("GET /volumes", e.serveVolumes)
	mux.HandleFunc("POST /volumes/create", e.serveCreateVolume)
	mux.HandleFunc("GET /volumes/{name}", e.serveVolume)
	mux.HandleFunc("DELETE /volumes/{name}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, e.RemoveVolume(r.Context(), r.PathValue("name")))
	})
	mux.HandleFunc("GET /images/{ref...}", e.serveImage)
	e.serveProcesses(mux)
	e.serveLayers(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/v1."); ok { // the version is the first part of the path
			_, r.URL.Path, _ = strings.Cut(rest, "/")
			r.URL.Path = "/" + r.URL.Path
		}
		mux.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, body any, err error) {
	status := http.StatusOK
	switch {
	case errors.Is(err, engine.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, engine.ErrConflict):
		status = http.StatusConflict
	case err != nil:
		status = http.StatusInternalServerError
	}
	if err != nil {
		body = map[string]string{"message": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (e *Engine) serveInfo(w http.ResponseWriter, r *http.Request) {
	in, err := e.Info(r.Context())
	out := system.Info{
		ID: in.ID, Name: in.Name, ServerVersion: in.Version, DockerRootDir: in.RootDir, SystemTime: in.Time.Format(time.RFC3339Nano), OSType: in.OS,
		Architecture: in.Architecture,
	}
	if in.SharesFiles {
		out.OperatingSystem = "Docker Desktop"
	}
	if in.Rootless {
		out.SecurityOptions = append(out.SecurityOptions, "name=rootless")
	}
	if in.RemapsUsers {
		out.SecurityOptions = append(out.SecurityOptions, "name=userns")
	}
	answer(w, out, err)
}

// labelFilters are the label filters of a request.
func labelFilters(r *http.Request) []string {
	var filters map[string]map[string]bool
	_ = json.Unmarshal([]byte(r.URL.Query().Get("filters")), &filters)
	return slices.Sorted(maps.Keys(filters["label"]))
}

// labels reads the label filters of a request as a map.
func labels(r *http.Request) map[string]string {
	out := map[string]string{}
	for _, l := range labelFilters(r) {
		k, v, _ := strings.Cut(l, "=")
		out[k] = v
	}
	return out
}

func (e *Engine) serveList(w http.ResponseWriter, r *http.Request) {
	l := labels(r)
	f := engine.Filter{Project: l[engine.ProjectLabel], Service: l[engine.ServiceLabel]}
	for _, label := range labelFilters(r) {
		if !strings.HasPrefix(label, engine.ProjectLabel+"=") && !strings.HasPrefix(label, engine.ServiceLabel+"=") {
			f.Label = label
		}
	}
	list, err := e.Containers(r.Context(), f)
	out := []container.Summary{}
	for _, c := range list {
		out = append(out, container.Summary{ID: c.ID, Names: []string{"/" + c.Name}})
	}
	answer(w, out, err)
}

func (e *Engine) serveContainer(w http.ResponseWriter, r *http.Request) {
	c, err := e.Container(r.Context(), r.PathValue("id"))
	out := container.InspectResponse{
		ID: c.ID, Name: "/" + c.Name, Image: c.ImageID, Created: c.Created.Format(time.RFC3339Nano),
		State: &container.State{
			Status: container.ContainerState(c.State), ExitCode: c.ExitCode, OOMKilled: c.OutOfMemory,
			StartedAt: c.Started.Format(time.RFC3339Nano), FinishedAt: c.Ended.Format(time.RFC3339Nano),
		},
		Config: &container.Config{Image: c.Image, Labels: c.Labels}, RestartCount: c.Restarts,
	}
	out.HostConfig = &container.HostConfig{
		NetworkMode: container.NetworkMode(c.Network), RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyMode(c.Policy)},
	}
	for _, m := range c.Mounts {
		out.Mounts = append(out.Mounts, container.MountPoint{
			Type: mount.Type(m.Type), Name: m.Name, Source: m.Source, Destination: m.Destination, Driver: m.Driver, RW: !m.ReadOnly,
		})
		if m.Subpath != "" {
			out.HostConfig.Mounts = append(out.HostConfig.Mounts, mount.Mount{Target: m.Destination, VolumeOptions: &mount.VolumeOptions{Subpath: m.Subpath}})
		}
	}
	if c.Health != "" {
		out.State.Health = &container.Health{Status: container.HealthStatus(c.Health)}
	}
	out.NetworkSettings = networkSettings(c)
	answer(w, out, err)
}

func (e *Engine) serveAct(w http.ResponseWriter, r *http.Request) {
	id, ctx := r.PathValue("id"), r.Context()
	var err error
	switch r.PathValue("act") {
	case "pause":
		err = e.Pause(ctx, id)
	case "unpause":
		err = e.Unpause(ctx, id)
	case "stop":
		err = e.Stop(ctx, id, 0)
	case "start":
		err = e.Start(ctx, id)
	default:
		err = engine.ErrNotFound
	}
	answer(w, nil, err)
}

func toVolume(v engine.Volume) volume.Volume {
	return volume.Volume{
		Name: v.Name, Driver: v.Driver, Mountpoint: v.Mountpoint, Options: v.Options, Labels: v.Labels,
		CreatedAt: v.CreatedAt.Format(time.RFC3339),
	}
}

func (e *Engine) serveVolumes(w http.ResponseWriter, r *http.Request) {
	out := volume.ListResponse{Volumes: []volume.Volume{}}
	var err error
	for k, v := range labels(r) {
		var list []engine.Volume
		list, err = e.Volumes(r.Context(), k, v)
		for _, v := range list {
			out.Volumes = append(out.Volumes, toVolume(v))
		}
	}
	answer(w, out, err)
}

func (e *Engine) serveVolume(w http.ResponseWriter, r *http.Request) {
	v, err := e.Volume(r.Context(), r.PathValue("name"))
	answer(w, toVolume(v), err)
}

func (e *Engine) serveCreateVolume(w http.ResponseWriter, r *http.Request) {
	var in volume.CreateRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		answer(w, nil, err)
		return
	}
	v, err := e.CreateVolume(r.Context(), engine.Volume{Name: in.Name, Driver: in.Driver, Options: in.DriverOpts, Labels: in.Labels})
	answer(w, toVolume(v), err)
}

func (e *Engine) serveImage(w http.ResponseWriter, r *http.Request) {
	i, err := e.Image(r.Context(), strings.TrimSuffix(r.PathValue("ref"), "/json"))
	created := ""
	if !i.Created.IsZero() {
		created = i.Created.Format(time.RFC3339Nano)
	}
	volumes := map[string]struct{}{}
	for _, place := range i.Volumes {
		volumes[place] = struct{}{}
	}
	config := map[string]any{"Labels": i.Labels, "Volumes": volumes}
	answer(w, map[string]any{"Id": i.ID, "RepoTags": i.RepoTags, "RepoDigests": i.RepoDigests, "Created": created, "Config": config}, err)
}
