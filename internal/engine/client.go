package engine

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/docker/cli/cli/connhelper"
	"github.com/moby/moby/client"
)

// Client asks one engine. It is safe for parallel use.
type Client struct {
	api      client.APIClient
	endpoint string
	host     host
}

// New returns a client on top of api. endpoint is the address that api talks to: errors name it, and whether the engine runs on
// this machine is told from it.
func New(api client.APIClient, endpoint string) *Client {
	return &Client{api: api, endpoint: endpoint, host: thisHost{}}
}

// Endpoint is how to reach an engine without the CLI's configuration: what the guardian is given.
type Endpoint struct {
	Host          string `json:"host"` // unix://, npipe://, tcp:// or ssh:// address
	CA            []byte `json:"ca,omitempty"`
	Cert          []byte `json:"cert,omitempty"`
	Key           []byte `json:"key,omitempty"`
	SkipTLSVerify bool   `json:"skip_tls_verify,omitempty"`
}

// Dial returns a client for an endpoint; it connects at the first request. Close it after use.
func Dial(e Endpoint) (*Client, error) {
	if e.Host == "" {
		return nil, errors.New("engine endpoint has no address")
	}
	opts, err := e.options()
	if err != nil {
		return nil, fmt.Errorf("engine endpoint %s: %w", e.Host, err)
	}
	api, err := client.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("engine endpoint %s: %w", e.Host, err)
	}
	return New(api, e.Host), nil
}

func (e Endpoint) options() ([]client.Opt, error) {
	if e.SSH() {
		tunnel, err := connhelper.GetConnectionHelper(e.Host)
		if err != nil {
			return nil, err
		}
		transport := &http.Transport{DialContext: tunnel.Dialer}
		return []client.Opt{client.WithHTTPClient(&http.Client{Transport: transport}), client.WithHost(tunnel.Host), client.WithDialContext(tunnel.Dialer)}, nil
	}
	conf, err := e.tls()
	if err != nil || conf == nil {
		return []client.Opt{client.WithHost(e.Host)}, err
	}
	transport := &http.Transport{TLSClientConfig: conf}
	return []client.Opt{client.WithHTTPClient(&http.Client{Transport: transport}), client.WithHost(e.Host)}, nil
}

// SSH tells whether the engine is reached by the program ssh, which needs some of its user's environment.
func (e Endpoint) SSH() bool { return strings.HasPrefix(e.Host, "ssh://") }

func (e Endpoint) tls() (*tls.Config, error) {
	if len(e.CA) == 0 && len(e.Cert) == 0 && !e.SkipTLSVerify {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: e.SkipTLSVerify} //nolint:gosec // what the user's context asks for
	if len(e.CA) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(e.CA) {
			return nil, errors.New("no certificate in its CA data")
		}
	}
	if len(e.Cert) > 0 {
		pair, err := tls.X509KeyPair(e.Cert, e.Key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// Close drops the connections to the engine.
func (c *Client) Close() error { return c.api.Close() }
