package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/compose"
)

// Bounds of what is asked of a Chroma server.
const (
	chromaBody        = 8 << 20
	chromaPage        = 100
	chromaCollections = 2000
	chromaTime        = time.Minute
)

// chromaServer is what one Chroma server told.
type chromaServer struct {
	endpoint compose.Endpoint
	at       target
	// failed says why it told nothing; unchecked that this is no fault of the server.
	failed    string
	unchecked bool
	api       string // v1 or v2
	version   string
	latency   time.Duration
	// auth is how it wants to be asked: "", "token", "basic"; declared tells that the compose file sets it up with credentials.
	auth     string
	declared bool
	// collections are all that could be listed; complete tells that these are all, of the tenants and databases that are known.
	collections []chromaCollection
	complete    bool
	records     int64
	// places are the tenants and databases of which all collections are listed: TENANT/DATABASE.
	places []string
	// problems are what it said in the middle of its answers.
	problems []string
}

// chromaCollection is a collection as the server lists it.
type chromaCollection struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Dimension int    `json:"dimension"` // 0: nothing was ever added, or the server does not say

	tenant, database string
	records          int64
	uncounted        bool
}

// full is the name as the inventory has it: with tenant and database where they are not the usual ones.
func (c chromaCollection) full() string {
	if c.tenant == defaultTenant && c.database == defaultDatabase {
		return c.Name
	}
	return c.tenant + "/" + c.database + "/" + c.Name
}

// askChroma asks all servers that are known for their collections, and has their records counted unless no one wants to know.
func (w *World) askChroma(ctx context.Context, count func(context.Context, *chromaServer, credential)) []chromaServer {
	var all []chromaServer
	for _, e := range w.Chroma {
		s := chromaServer{endpoint: e, at: w.locate(e)}
		s.failed, s.unchecked = s.at.why, true
		if s.at.URL != "" {
			s.unchecked = false
			w.askServer(ctx, &s, count)
		}
		all = append(all, s)
	}
	return all
}

func (s *chromaServer) address() string { return strings.TrimSuffix(s.at.URL, "/") + "/api/" + s.api }

// service is the service that answers; empty where that is not known.
func (s *chromaServer) service() string {
	if s.endpoint.Service == "" && s.at.container != nil {
		return s.at.container.Service
	}
	return s.endpoint.Service
}

// askServer asks one server for all that it tells.
func (w *World) askServer(ctx context.Context, s *chromaServer, count func(context.Context, *chromaServer, credential)) {
	ctx, cancel := context.WithTimeoutCause(ctx, chromaTime, fmt.Errorf("it took longer than %s", chromaTime))
	defer cancel()
	keys := w.credentials(s.endpoint, s.at)
	var key credential
	if s.failed = w.heartbeat(ctx, s, &key, keys); s.failed != "" {
		return
	}
	if a, err := w.get(ctx, s.address()+"/version", key, 1<<10); err == nil && a.ok() {
		s.version = versionOf(a.body)
	}
	s.declared = w.declaresAuth(s.service())
	// The heartbeat answers everyone: only a list tells whether credentials are wanted, and whether ours are right.
	if s.failed = w.tryKeys(ctx, s, &key, keys); s.failed != "" {
		return
	}
	w.list(ctx, s, key)
	if count != nil {
		count(ctx, s, key)
	}
}

// heartbeat finds out which interface the server speaks, and how fast it answers.
func (w *World) heartbeat(ctx context.Context, s *chromaServer, key *credential, keys []credential) string {
	var text string
	var refused bool
	for _, s.api = range []string{"v2", "v1"} {
		a, err := w.get(ctx, s.address()+"/heartbeat", *key, 1<<16)
		if err != nil {
			s.unchecked = s.endpoint.Guess || s.at.far || s.at.container != nil && s.at.container.Health == "starting"
			return "does not answer: " + err.Error()
		}
		for _, k := range keys {
			if !a.refused() {
				break
			}
			if b, err := w.get(ctx, s.address()+"/heartbeat", k, 1<<16); err == nil && b.ok() {
				a, *key = b, k
			}
		}
		if a.ok() && isHeartbeat(a.body) {
			return w.beats(ctx, s, *key, a.taken)
		}
		if s.api == "v1" && a.status == http.StatusGone && text != "" {
			break // a server of today says what it means in its answer to v2
		}
		refused = a.refused()
		text = fmt.Sprintf("its heartbeat answered %d%s", a.status, quoted(a.body))
		if a.ok() {
			text = "is no Chroma server: " + text
		}
		if !slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone}, a.status) {
			break
		}
	}
	s.unchecked = s.endpoint.Guess || refused && len(keys) == 0
	return text
}

func (w *World) beats(ctx context.Context, s *chromaServer, key credential, first time.Duration) string {
	times := []time.Duration{first}
	for range healthTries - 1 {
		if a, err := w.get(ctx, s.address()+"/heartbeat", key, 1<<16); err == nil {
			times = append(times, a.taken)
		}
	}
	s.latency = median(times)
	return ""
}

func isHeartbeat(body []byte) bool {
	var beat map[string]json.Number
	_ = json.Unmarshal(body, &beat)
	_, ok := beat["nanosecond heartbeat"]
	return ok
}

// versionOf is the version in an answer. Every server since 1.0 says 1.0.0.
func versionOf(body []byte) string {
	var version string
	if json.Unmarshal(body, &version) != nil || len(version) > 32 {
		return ""
	}
	if version == "1.0.0" {
		return "1.x"
	}
	return excerpt([]byte(version))
}

// tryKeys asks for collections without credentials, then with each that is known.
func (w *World) tryKeys(ctx context.Context, s *chromaServer, key *credential, keys []credential) string {
	probe := s.collectionsURL(defaultTenant, defaultDatabase, 1, 0)
	for _, k := range append([]credential{*key}, keys...) {
		a, err := w.get(ctx, probe, k, chromaBody)
		if err != nil {
			return "lists no collections: " + err.Error()
		}
		if !a.refused() {
			*key, s.auth = k, k.kind
			return ""
		}
	}
	s.unchecked = len(keys) == 0
	if s.unchecked {
		return "wants credentials, and the services' environment has none that are for it: where it is another's or far away, chroma.url names it"
	}
	return "refuses the credentials in the services' environment"
}

// The tenant and database that every server begins with.
const (
	defaultTenant   = "default_tenant"
	defaultDatabase = "default_database"
)

func (s *chromaServer) collectionsURL(tenant, database string, limit, offset int) string {
	page := url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}
	if s.api == "v1" {
		page.Set("tenant", tenant)
		page.Set("database", database)
		return s.address() + "/collections?" + page.Encode()
	}
	return s.address() + "/tenants/" + url.PathEscape(tenant) + "/databases/" + url.PathEscape(database) + "/collections?" + page.Encode()
}

// list lists the collections of the tenants and databases that are known: the usual ones, and those that services name. There is no request for all tenants.
func (w *World) list(ctx context.Context, s *chromaServer, key credential) {
	s.complete = true
	for _, tenant := range w.named("CHROMA_TENANT", defaultTenant) {
		for _, database := range w.databases(ctx, s, key, tenant) {
			if err := w.listDatabase(ctx, s, key, tenant, database); err != nil {
				s.complete = false
				s.problems = append(s.problems, fmt.Sprintf("cannot list the collections of %s/%s: %v", tenant, database, err))
				continue
			}
			s.places = append(s.places, tenant+"/"+database)
		}
	}
}

// databases are those of a tenant: as the server lists them where it does, else those that are named.
func (w *World) databases(ctx context.Context, s *chromaServer, key credential, tenant string) []string {
	all := w.named("CHROMA_DATABASE", defaultDatabase)
	a, err := w.get(ctx, s.address()+"/tenants/"+url.PathEscape(tenant)+"/databases", key, 1<<20)
	var listed []struct {
		Name string `json:"name"`
	}
	if err != nil || s.api == "v1" || !a.ok() || json.Unmarshal(a.body, &listed) != nil {
		return all
	}
	all = nil
	for _, d := range listed {
		all = append(all, d.Name)
	}
	return all
}

// named are the values of a variable in all services, after the usual one.
func (w *World) named(variable, usual string) []string {
	all := []string{usual}
	for _, vars := range w.Variables {
		if v := vars[variable]; v != "" && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	slices.Sort(all[1:])
	return all
}

func (w *World) listDatabase(ctx context.Context, s *chromaServer, key credential, tenant, database string) error {
	for offset := 0; ; offset += chromaPage {
		a, err := w.get(ctx, s.collectionsURL(tenant, database, chromaPage, offset), key, chromaBody)
		if err != nil {
			return err
		}
		if a.status == http.StatusNotFound && (tenant != defaultTenant || database != defaultDatabase) {
			return nil // a service names a tenant that was never made
		}
		var page []chromaCollection
		if !a.ok() || a.more || json.Unmarshal(a.body, &page) != nil {
			return fmt.Errorf("answered %d%s", a.status, quoted(a.body))
		}
		for _, c := range page {
			if slices.ContainsFunc(s.collections, func(o chromaCollection) bool { return o.ID == c.ID }) {
				return nil // a server that knows no pages gives all at once
			}
			c.tenant, c.database = tenant, database
			s.collections = append(s.collections, c)
		}
		if len(page) < chromaPage {
			return nil
		}
		if len(s.collections) >= chromaCollections {
			return errors.New("it has more than can be looked at one by one")
		}
	}
}

// count asks each collection for its number of records.
func (w *World) count(ctx context.Context, s *chromaServer, key credential) {
	for i := range s.collections {
		c := &s.collections[i]
		c.uncounted = true
		address := s.address() + "/collections/" + url.PathEscape(c.ID) + "/count"
		if s.api == "v2" {
			address = s.address() + "/tenants/" + url.PathEscape(c.tenant) + "/databases/" + url.PathEscape(c.database) + "/collections/" + url.PathEscape(c.ID) + "/count"
		}
		a, err := w.get(ctx, address, key, 1<<16)
		n, bad := int64(0), err
		if err == nil {
			n, bad = countOf(a)
		}
		if a.status == http.StatusNotFound {
			continue // it was deleted meanwhile
		}
		if bad != nil {
			s.problems = append(s.problems, fmt.Sprintf("cannot count collection %s: %v", excerpt([]byte(c.Name)), bad))
			if ctx.Err() != nil {
				return
			}
			continue
		}
		c.records, c.uncounted = n, false
		s.records += n
	}
}

func countOf(a answer) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(a.body)), 10, 64)
	if !a.ok() || err != nil || n < 0 {
		return 0, fmt.Errorf("answered %d%s", a.status, quoted(a.body))
	}
	return n, nil
}
