package validate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// NewHTTPClient is a client for servers of a project: redirects stay on the same host, behind TLS where it began there, and are few, so that no
// credentials go elsewhere; proxies of the environment are for other machines than this one and its networks.
func NewHTTPClient() *http.Client {
	transport := &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if nearby(r.URL.Hostname()) {
				return nil, nil
			}
			proxy, err := http.ProxyFromEnvironment(r)
			if err != nil {
				return nil, errors.New("the proxy that the environment names has no address") // which may hold a password
			}
			return proxy, nil
		},
		DialContext:            (&net.Dialer{Timeout: requestTime}).DialContext,
		ResponseHeaderTimeout:  requestTime,
		TLSHandshakeTimeout:    requestTime,
		MaxResponseHeaderBytes: 1 << 16,
		IdleConnTimeout:        requestTime,
	}
	return &http.Client{Transport: transport, CheckRedirect: redirects}
}

// unverified is the world whose requests take any certificate.
func (w *World) unverified() *World {
	out := *w
	if transport, ok := w.HTTP.Transport.(*http.Transport); ok {
		transport = transport.Clone()
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see the caller
		out.HTTP = &http.Client{Transport: transport, CheckRedirect: w.HTTP.CheckRedirect}
	}
	return &out
}

// maxRedirects is how often a server may send us on.
const maxRedirects = 3

func redirects(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("redirects more than %d times", maxRedirects)
	}
	switch from := via[0].URL; {
	case r.URL.Host != from.Host:
		return fmt.Errorf("redirects to another server, %s", r.URL.Host)
	case from.Scheme == "https" && r.URL.Scheme != "https":
		return errors.New("redirects from https to " + r.URL.Scheme)
	}
	return nil
}

// nearby tells hosts of this machine and of networks without names: no proxy leads there.
func nearby(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || !strings.Contains(host, ".")
}

// answer is what a server said.
type answer struct {
	status int
	body   []byte
	// more tells that the body is longer than what was read.
	more  bool
	taken time.Duration
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// refused tells that it wants credentials, or others.
func (a answer) refused() bool {
	return a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
}

// size is that of the body, in words.
func (a answer) size() string {
	if a.more {
		return fmt.Sprintf("more than %d bytes", len(a.body))
	}
	return fmt.Sprintf("%d bytes", len(a.body))
}

// get asks for an address and reads up to limit bytes of the answer.
func (w *World) get(ctx context.Context, address string, auth credential, limit int64) (answer, error) {
	timeout := w.Timeout
	if timeout == 0 {
		timeout = requestTime
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, errors.New("not an address that can be asked")
	}
	r.Header.Set("User-Agent", "docker-memsys")
	r.Header.Set("Accept", "application/json, */*;q=0.5")
	auth.apply(r)
	began := w.Now()
	res, err := w.HTTP.Do(r)
	if err != nil {
		return answer{}, why(ctx, err)
	}
	defer res.Body.Close()
	out := answer{status: res.StatusCode}
	out.body, err = io.ReadAll(io.LimitReader(res.Body, limit+1))
	out.taken = w.Now().Sub(began)
	if err != nil {
		return out, why(ctx, err)
	}
	if int64(len(out.body)) > limit {
		out.body, out.more = out.body[:limit], true
	}
	return out, nil
}

// why is an error without the address, which the finding names anyway, and which may hold a password.
func why(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return op.Err
	}
	return err
}

// median is the middle one of some times.
func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// milliseconds is a time in words.
func milliseconds(d time.Duration) string {
	if d < time.Millisecond {
		return "less than 1 ms"
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

// excerpt is the start of a text on one line, without what a terminal would obey.
func excerpt(text []byte) string {
	const length = 120
	cleaned := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, string(text[:min(len(text), 4*length)]))), " ")
	if runes := []rune(cleaned); len(runes) > length {
		return string(runes[:length]) + "…"
	}
	return cleaned
}
