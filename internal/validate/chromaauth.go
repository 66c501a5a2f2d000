package validate

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/compose"
)

// credential is how to ask a server that wants to know who asks. It prints as nothing.
type credential struct {
	kind   string // "", token, basic
	header string
	secret string
}

// String hides what must stand in no message.
func (credential) String() string { return "(hidden)" }

// GoString hides it from %#v too.
func (credential) GoString() string { return "(hidden)" }

func (c credential) apply(r *http.Request) {
	switch {
	case c.kind == "basic":
		user, password, _ := strings.Cut(c.secret, ":")
		r.SetBasicAuth(user, password)
	case c.kind == "token" && strings.EqualFold(c.header, "Authorization"):
		r.Header.Set("Authorization", "Bearer "+c.secret)
	case c.kind == "token":
		r.Header.Set(c.header, c.secret)
	}
}

// ChromaVariable tells the names of environment variables that World needs.
func ChromaVariable(name string) bool {
	return strings.HasPrefix(name, "CHROMA_") || name == "PERSIST_DIRECTORY" || name == "IS_PERSISTENT"
}

// credentialVariables hold credentials of Chroma in plain words: those of its own client and server, and those that are usual.
func credentialVariables() []string {
	return []string{
		"CHROMA_CLIENT_AUTH_CREDENTIALS", "CHROMA_SERVER_AUTHN_CREDENTIALS", "CHROMA_SERVER_AUTH_CREDENTIALS",
		"CHROMA_AUTH_CREDENTIALS", "CHROMA_AUTH_TOKEN", "CHROMA_TOKEN", "CHROMA_API_KEY",
	}
}

// credentials are what the environment of the services has to ask a server with, that of the server's own service first. They go to nobody but
// the server that they are for: a port of another machine, or of this one while no engine tells who has it, may be anybody's.
func (w *World) credentials(e compose.Endpoint, at target) []credential {
	if e.URL == "" && (at.far || w.Engine == nil) {
		return nil
	}
	var all []credential
	for _, name := range w.servicesFrom(e.Service) {
		if !w.speaksFor(name, e) {
			continue
		}
		for _, key := range w.credentialsOf(w.Variables[name]) {
			if !slices.Contains(all, key) {
				all = append(all, key)
			}
		}
	}
	return all
}

// speaksFor tells whether the credentials of a service are meant for a server: its own, those for the one that it names, and where it names none, those for
// whatever Chroma the project is known to have.
func (w *World) speaksFor(service string, e compose.Endpoint) bool {
	switch {
	case service == e.Service || slices.Contains(e.NamedBy, service):
		return true
	case e.Guess || len(e.NamedBy) > 0 && e.Service == "":
		return false
	case e.Service == "":
		return true // chroma.url says which one the project uses
	}
	return w.Variables[service]["CHROMA_URL"] == "" && w.Variables[service]["CHROMA_HOST"] == ""
}

func (w *World) servicesFrom(first string) []string {
	names := slices.Sorted(maps.Keys(w.Variables))
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case a == first:
			return -1
		case b == first:
			return 1
		}
		return 0
	})
	return names
}

func (w *World) credentialsOf(vars map[string]string) []credential {
	var all []credential
	provider := strings.ToLower(vars["CHROMA_CLIENT_AUTH_PROVIDER"] + " " + vars["CHROMA_SERVER_AUTHN_PROVIDER"] + " " + vars["CHROMA_SERVER_AUTH_PROVIDER"])
	for _, name := range credentialVariables() {
		secret := strings.TrimSpace(vars[name])
		if secret == "" {
			continue
		}
		user, password, pair := strings.Cut(secret, ":")
		if pair && !strings.Contains(provider, "token") {
			if user != "" && !strings.HasPrefix(password, "$2") { // the server's own side may be a hash, with which nobody can ask
				all = append(all, credential{kind: "basic", secret: secret})
			}
			continue
		}
		for _, header := range w.tokenHeaders() {
			all = append(all, credential{kind: "token", header: header, secret: secret})
		}
	}
	for _, user := range []string{"CHROMA_USER", "CHROMA_USERNAME"} {
		if vars[user] != "" && vars["CHROMA_PASSWORD"] != "" {
			all = append(all, credential{kind: "basic", secret: vars[user] + ":" + vars["CHROMA_PASSWORD"]})
		}
	}
	return all
}

// tokenHeaders are the headers that a token goes into: the one that a service names, else both that Chroma knows.
func (w *World) tokenHeaders() []string {
	for _, service := range slices.Sorted(maps.Keys(w.Variables)) {
		for _, name := range []string{"CHROMA_AUTH_TOKEN_TRANSPORT_HEADER", "CHROMA_SERVER_AUTH_TOKEN_TRANSPORT_HEADER", "CHROMA_CLIENT_AUTH_TOKEN_TRANSPORT_HEADER"} {
			header := http.CanonicalHeaderKey(strings.ReplaceAll(strings.ToLower(w.Variables[service][name]), "_", "-"))
			if header == "Authorization" || header == "X-Chroma-Token" {
				return []string{header}
			}
		}
	}
	return []string{"Authorization", "X-Chroma-Token"}
}

// declaresAuth tells that the compose file sets a server up to want credentials.
func (w *World) declaresAuth(service string) bool {
	vars := w.Variables[service]
	return vars["CHROMA_SERVER_AUTHN_PROVIDER"] != "" || vars["CHROMA_SERVER_AUTH_PROVIDER"] != "" ||
		vars["CHROMA_SERVER_AUTHN_CREDENTIALS"] != "" || vars["CHROMA_SERVER_AUTHN_CREDENTIALS_FILE"] != ""
}
