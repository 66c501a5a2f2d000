package inventory

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strings"
	"time"
)

// bundle is how many certificates make a file one of authorities rather than of a server.
const bundle = 8

// certificate is what is kept of one.
type certificate struct {
	subject  string // for the output
	raw      string // the subject as it is encoded
	from, to time.Time
	public   [32]byte
	ca       bool
}

// certificate reads one certificate.
func (k *keyring) certificate(l notes, der []byte) {
	c, err := x509.ParseCertificate(trusted(der))
	switch {
	case err != nil && wellFormed(der) && lenient(err):
		l.find(Unchecked, "the certificate is of a kind that is not known: %s", err)
		return
	case err != nil:
		l.find(Damaged, "the certificate cannot be read: %s", err)
		return
	}
	one := &certificate{subject: subject(c), raw: string(c.RawSubject), from: c.NotBefore, to: c.NotAfter, ca: c.IsCA}
	if public, err := x509.MarshalPKIXPublicKey(c.PublicKey); err == nil {
		one.public = sha256.Sum256(public)
	}
	// The signature of a root is its own, so that it shows any change; that of another needs its issuer.
	if bytes.Equal(c.RawSubject, c.RawIssuer) && broken(c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)) {
		l.find(Damaged, "the certificate of %s was changed: its signature does not fit", one.subject)
	}
	k.parsed = append(k.parsed, c)
	k.certificates = append(k.certificates, one)
}

// trusted cuts off what OpenSSL puts behind a certificate in TRUSTED CERTIFICATE.
func trusted(der []byte) []byte {
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(der, &raw); err != nil {
		return der
	}
	return raw.FullBytes
}

// wellFormed tells whether the outermost structure of DER is whole.
func wellFormed(der []byte) bool {
	var raw asn1.RawValue
	_, err := asn1.Unmarshal(der, &raw)
	return err == nil
}

// lenient tells whether others accept what Go's parser refuses.
func lenient(err error) bool {
	for _, text := range []string{"negative serial", "unsupported", "unknown"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// broken tells whether a signature is wrong, rather than of a kind that is not computed.
func broken(err error) bool {
	var insecure x509.InsecureAlgorithmError
	return err != nil && !errors.As(err, &insecure) && !errors.Is(err, x509.ErrUnsupportedAlgorithm)
}

// subject names a certificate.
func subject(c *x509.Certificate) string {
	switch {
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	}
	return c.Subject.String()
}

// privateKey reads a private key in any of its three forms, and tells whether it was one.
func (k *keyring) privateKey(der []byte) bool {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(der); err != nil {
			key, err = x509.ParseECPrivateKey(der)
		}
	}
	pair, ok := key.(interface{ Public() crypto.PublicKey })
	if err != nil || !ok {
		return false
	}
	public, err := x509.MarshalPKIXPublicKey(pair.Public())
	if err != nil {
		k.locked = true
		return true
	}
	k.keys = append(k.keys, sha256.Sum256(public))
	return true
}

// chain finds certificates in the wrong order, and such as were changed: each is signed by the one behind it. In a bundle of authorities
// there is no order.
func (k *keyring) chain(l notes) {
	parsed := k.parsed
	k.parsed = nil
	if len(parsed) < 2 || len(parsed) > bundle || parsed[0].IsCA {
		return
	}
	for i, c := range parsed[1:] {
		child := parsed[i]
		switch {
		case bytes.Equal(child.RawSubject, child.RawIssuer):
		case !bytes.Equal(child.RawIssuer, c.RawSubject):
			l.find(Warning, "the order is wrong: certificate %d (%s) did not issue certificate %d (%s)", i+2, subject(c), i+1, subject(child))
			return
		case broken(c.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)):
			l.find(Damaged, "the certificate of %s was changed, or its issuer: the signature does not fit", subject(child))
		}
	}
}
