package inventory

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// issuer makes certificates.
type issuer struct {
	t    testing.TB
	now  time.Time
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newIssuer(t testing.TB) *issuer {
	return &issuer{t: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
}

func (i *issuer) ca() *issuer {
	out := *i
	out.cert, out.key = i.make("Test CA", 10*365, nil, nil)
	return &out
}

// make signs a certificate that is valid for days from now, and began a year before its end.
func (i *issuer) make(name string, days int, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	assert.NilError(i.t, err)
	end := i.now.Add(time.Duration(days)*24*time.Hour + time.Hour)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(int64(days) + 10_000), Subject: pkix.Name{CommonName: name}, NotAfter: end, NotBefore: end.AddDate(-1, 0, 0),
		BasicConstraintsValid: true, IsCA: strings.HasSuffix(name, " CA"), KeyUsage: x509.KeyUsageCertSign,
	}
	if days > 365 {
		c.NotBefore = i.now.AddDate(-1, 0, 0)
	}
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	assert.NilError(i.t, err)
	made, err := x509.ParseCertificate(der)
	assert.NilError(i.t, err)
	return made, key
}

func (i *issuer) issue(name string, days int) (*x509.Certificate, *ecdsa.PrivateKey) {
	return i.make(name, days, i.cert, i.key)
}

func certPEM(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func keyPEM(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	assert.NilError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// tlsFolder has the validator look at files, by their path, of mode 0640, and returns what was found, by path.
func tlsFolder(t *testing.T, now time.Time, files map[string][]byte) []string {
	t.Helper()
	r, c := NewRecorder("data", Options{Depth: Full, Now: now}, Calls{}), newCertificates()
	for name, data := range files {
		s := subjectOf(name, data)
		assert.Assert(t, c.Claims(s), name)
		assert.NilError(t, c.Validate(t.Context(), s, r))
	}
	c.After(r)
	out := []string{}
	for _, res := range r.Results() {
		for _, f := range res.Findings {
			line := fmt.Sprintf("%s: %s: %s", f.Path, f.Status, f.Text)
			if f.Line > 0 {
				line = fmt.Sprintf("%s:%d: %s: %s", f.Path, f.Line, f.Status, f.Text)
			}
			out = append(out, line)
		}
	}
	return out
}

func TestCertificates(t *testing.T) {
	ca := newIssuer(t).ca()
	server, key := ca.issue("server.test", 200)
	_, stranger := ca.issue("stranger.test", 200)
	signature := slices.Clone(server.Raw)
	signature[len(signature)-20] ^= 1
	changed, err := x509.ParseCertificate(signature)
	assert.NilError(t, err)
	selfMade, selfKey := newIssuer(t).make("self.test", 100, nil, nil)
	expired, _ := ca.issue("server.test", -10)
	today, _ := ca.issue("today.test", 0)
	month, _ := ca.issue("month.test", 29)
	sec1, err := x509.MarshalECPrivateKey(key)
	assert.NilError(t, err)
	chain, cut := certPEM(server, ca.cert), certPEM(server)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		want  []string
	}{
		{"a pair", map[string][]byte{"ssl/server.crt": certPEM(server), "ssl/server.key": keyPEM(t, key)}, nil},
		{"a pair in one file, with text", map[string][]byte{"ssl/all.pem": slices.Concat([]byte("Bag Attributes\n"), keyPEM(t, key), []byte("subject=x\n\n"), chain)}, nil},
		{"an older form of key", map[string][]byte{"ssl/server.crt": chain, "ssl/server.key": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})}, nil},
		{"DER", map[string][]byte{"ssl/server.cer": server.Raw, "ssl/server.key": sec1}, nil},
		{"a root alone", map[string][]byte{"ssl/ca.crt": certPEM(ca.cert), "ssl/other.key": keyPEM(t, stranger)}, nil},
		{"a bundle with an old one", map[string][]byte{"certs/bundle.pem": certPEM(slices.Repeat([]*x509.Certificate{ca.cert, expired, today}, 4)...)}, nil},
		{"a chain whose second part is zero bytes", map[string][]byte{"ssl/server.crt": append(certPEM(server), make([]byte, 700)...)}, []string{
			fmt.Sprintf("ssl/server.crt:%d: damaged: has zero bytes where text should be", bytes.Count(certPEM(server), []byte("\n"))+1),
		}},
		{"a block whose first line is changed", map[string][]byte{"ssl/server.crt": append(certPEM(server), bytes.Replace(certPEM(ca.cert), []byte("BEGIN"), []byte("BEGAN"), 1)...)}, []string{
			fmt.Sprintf("ssl/server.crt:%d: damaged: a block ends here whose beginning is missing", bytes.Count(chain, []byte("\n"))),
		}},
		{"parameters and public keys", map[string][]byte{"ssl/dh.pem": pem.EncodeToMemory(&pem.Block{Type: "DH PARAMETERS", Bytes: []byte{0x30, 0}})}, nil},
		{"renewed", map[string][]byte{"ssl/cert1.pem": certPEM(expired), "ssl/cert2.pem": certPEM(server)}, nil},

		{"expired", map[string][]byte{"ssl/server.crt": certPEM(expired)}, []string{"ssl/server.crt: warning: expired 9 days ago"}},
		{"today", map[string][]byte{"ssl/server.crt": certPEM(today)}, []string{"ssl/server.crt: warning: expires in less than a day"}},
		{"soon", map[string][]byte{"ssl/server.crt": certPEM(month)}, []string{"ssl/server.crt: warning: expires in 29 days"}},
		{"another key", map[string][]byte{"ssl/server-cert.pem": certPEM(server), "ssl/server-key.pem": keyPEM(t, stranger)}, []string{"ssl/server-key.pem: warning: the key does not belong to the certificate in server-cert.pem"}},
		{"no certificate", map[string][]byte{"ssl/web.crt": certPEM(server), "ssl/mail.key": keyPEM(t, stranger)}, []string{"ssl/mail.key: warning: the key belongs to no certificate of its folder"}},
		{"order", map[string][]byte{"ssl/chain.pem": certPEM(server, expired, ca.cert)}, []string{
			"ssl/chain.pem: warning: the order is wrong: certificate 2 (server.test) did not issue certificate 1 (server.test)",
		}},
		{"a changed signature", map[string][]byte{"ssl/chain.pem": certPEM(changed, ca.cert)}, []string{"ssl/chain.pem: damaged: the certificate of server.test was changed, or its issuer: the signature does not fit"}},
		{"a cut block", map[string][]byte{"ssl/server.crt": cut[:len(cut)-40]}, []string{"ssl/server.crt:1: damaged: a block that begins here is cut or not in base64"}},
		{"a broken block between whole ones", map[string][]byte{"ssl/server.crt": slices.Concat(chain, []byte("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"))}, []string{
			fmt.Sprintf("ssl/server.crt:%d: damaged: a block that begins here is cut or not in base64", 1+bytes.Count(chain, []byte("\n"))),
		}},
		{"empty", map[string][]byte{"ssl/server.crt": nil}, []string{"ssl/server.crt: damaged: is empty"}},
		{"zeros", map[string][]byte{"ssl/server.key": make([]byte, 100)}, []string{"ssl/server.key: damaged: holds nothing but zeros"}},
		{"something else", map[string][]byte{"ssl/server.crt": []byte("hello")}, []string{"ssl/server.crt: damaged: is neither PEM nor DER"}},
		{"an encrypted key", map[string][]byte{"ssl/server.key": pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})}, []string{"ssl/server.key: not checked: the key is encrypted"}},
		{"an encrypted key, older form", map[string][]byte{"ssl/server.key": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte{1}})}, []string{"ssl/server.key: not checked: the key is encrypted"}},
		{"a broken key", map[string][]byte{"ssl/server.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: sec1[:30]})}, []string{"ssl/server.key: damaged: the key cannot be read"}},
		{"a large file", map[string][]byte{"ssl/x.pem": make([]byte, pemLimit+1)}, []string{fmt.Sprintf("ssl/x.pem: not checked: has %d bytes, more than is read of a file of certificates", pemLimit+1)}},
		{"a self-made one that was changed", map[string][]byte{"ssl/self.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: flipAll(selfMade.Raw, "self.test")}), "ssl/self.key": keyPEM(t, selfKey)}, []string{
			"ssl/self.crt: damaged: the certificate of relf.test was changed: its signature does not fit",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.DeepEqual(t, tlsFolder(t, ca.now, c.files), append([]string{}, c.want...))
		})
	}
	t.Run("not yet valid", func(t *testing.T) {
		got := tlsFolder(t, server.NotBefore.Add(-time.Hour), map[string][]byte{"ssl/a.crt": certPEM(server)})
		assert.DeepEqual(t, got, []string{"ssl/a.crt: warning: is not valid before " + server.NotBefore.Format(time.DateOnly)})
	})
	t.Run("without a clock", func(t *testing.T) {
		assert.DeepEqual(t, tlsFolder(t, time.Time{}, map[string][]byte{"ssl/a.crt": certPEM(expired)}), []string{})
	})
}

// flipAll changes the first letter of a word wherever it stands.
func flipAll(data []byte, word string) []byte {
	return bytes.ReplaceAll(data, []byte(word), append([]byte{word[0] ^ 1}, word[1:]...))
}

func TestAKeyThatOthersMayReadIsTold(t *testing.T) {
	_, key := newIssuer(t).make("a.test", 100, nil, nil)
	for mode, want := range map[uint32][]string{
		0o600: {}, 0o640: {}, 0o644: {"warning: the key may be read by others: its mode is 0644"},
	} {
		s, r := subjectOf("ssl/a.key", keyPEM(t, key)), NewRecorder("data", wholly(), Calls{})
		s.Entry.Mode = mode
		assert.NilError(t, newCertificates().Validate(t.Context(), s, r))
		assert.DeepEqual(t, told(r), want)
	}
}

func TestWhatIsTakenForACertificate(t *testing.T) {
	c := newCertificates()
	for name, want := range map[string]bool{"ssl/a.key": true, "a.key": false, "a.pem": true, "x/tls/b.key": true, "a.crt": true, "a.json": false} {
		assert.Equal(t, c.Claims(subjectOf(name, []byte("secret"))), want, name)
	}
	made, _ := newIssuer(t).make("a.test", 100, nil, nil)
	assert.Assert(t, c.Claims(subjectOf("whatever", certPEM(made))))
	assert.Assert(t, !c.Claims(subjectOf("notes.md", []byte("a file begins with -----BEGIN CERTIFICATE-----"))))
}

func FuzzCertificates(f *testing.F) {
	ca := newIssuer(f).ca()
	server, key := ca.issue("server.test", 200)
	f.Add(certPEM(server, ca.cert))
	f.Add(slices.Concat(certPEM(server), keyPEM(f, key)))
	f.Add(server.Raw)
	f.Fuzz(func(t *testing.T, data []byte) { fuzzed(t, newCertificates(), "ssl/a.pem", data) })
}
