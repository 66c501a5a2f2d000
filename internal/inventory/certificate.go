package inventory

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/memsys/docker-memsys/internal/tree"
)

// pemLimit is the largest file of certificates that is read; bundles of all authorities have some hundred KiB.
const pemLimit = 2 << 20

// certificates validates X.509 certificates and private keys (RFC 5280, RFC 5958), in PEM (RFC 7468) or DER. What keys and certificates of
// one folder have to do with each other, and which certificate has run out, is told at the end. No part of a key is ever in a finding.
type certificates struct {
	mu      sync.Mutex
	folders map[string]map[string]*keyring // by folder and path
	kept    int
}

// keyring is what one file holds.
type keyring struct {
	certificates []*certificate
	keys         [][32]byte          // digests of the public keys that belong to the private ones
	locked       bool                // some key is encrypted, or of a kind that is not known
	parsed       []*x509.Certificate // until their order was looked at
}

// mostKeyrings is how many files are compared with each other.
const mostKeyrings = 1000

func newCertificates() *certificates {
	return &certificates{folders: map[string]map[string]*keyring{}}
}

func (*certificates) check() Check {
	return Check{ID: "structure.certificates", Title: "certificates"}
}

func (*certificates) keyCheck() Check { return Check{ID: "structure.keys", Title: "private keys"} }

// Checks tells what it looks at.
func (c *certificates) Checks() []Check { return []Check{c.check(), c.keyCheck()} }

// Claims takes files by their beginning and by their names. A .key may be anything but in a folder for certificates.
func (*certificates) Claims(s *Subject) bool {
	if pemBegins(s.Head) >= 0 && slices.ContainsFunc([]string{"CERTIFICATE-----", " KEY-----"}, func(kind string) bool {
		return bytes.Contains(s.Head, []byte(kind))
	}) {
		return true
	}
	switch path.Ext(s.Entry.Path) {
	case ".crt", ".cer", ".pem":
		return true
	case ".key":
		return certificateFolder(path.Dir(s.Entry.Path))
	}
	return false
}

// certificateFolder tells whether a folder is by its name one for certificates.
func certificateFolder(dir string) bool {
	return slices.ContainsFunc(strings.Split(dir, "/"), func(part string) bool {
		return slices.Contains([]string{"ssl", "tls", "certs", "letsencrypt"}, part)
	})
}

// pemBegins is where the first block of PEM begins; -1: there is none.
func pemBegins(p []byte) int {
	const begin = "-----BEGIN "
	if bytes.HasPrefix(p, []byte(begin)) {
		return 0
	}
	i := bytes.Index(p, []byte("\n"+begin))
	if i >= 0 {
		i++
	}
	return i
}

// Validate reads one file.
func (c *certificates) Validate(ctx context.Context, s *Subject, r *Recorder) error {
	l := newNotes(c.check(), s, r)
	if s.Entry.Size > pemLimit {
		r.Checked(c.check(), 1)
		l.find(Unchecked, "has %d bytes, more than is read of a file of certificates", s.Entry.Size)
		return nil
	}
	f, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, pemLimit+1))
	if err != nil {
		return err
	}
	ring := &keyring{}
	if pemBegins(data) < 0 {
		c.der(l, ring, data)
	} else {
		c.pem(l, ring, data)
	}
	if len(ring.certificates) > 0 || len(ring.keys) == 0 && !ring.locked {
		r.Checked(c.check(), 1)
	}
	if len(ring.keys) > 0 || ring.locked {
		c.shut(s, r)
	}
	ring.chain(l)
	c.keep(s.Entry.Path, ring)
	return nil
}

// keep keeps what a file holds for the end; a second look at it replaces the first.
func (c *certificates) keep(name string, ring *keyring) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir := path.Dir(name)
	if c.folders[dir] == nil {
		c.folders[dir] = map[string]*keyring{}
	}
	if c.folders[dir][name] == nil {
		if c.kept == mostKeyrings {
			return
		}
		c.kept++
	}
	c.folders[dir][name] = ring
}

// der reads a file that is not PEM.
func (c *certificates) der(l notes, ring *keyring, data []byte) {
	switch {
	case len(data) == 0:
		l.find(Damaged, "is empty")
	case len(bytes.Trim(data, "\x00")) == 0:
		l.find(Damaged, "holds nothing but zeros")
	case data[0] != 0x30:
		l.find(Damaged, "is neither PEM nor DER")
	case ring.privateKey(data):
	default:
		ring.certificate(l, data)
	}
}

// pem reads all blocks of a file. Text between them is allowed; a block that cannot be decoded is not.
func (c *certificates) pem(l notes, ring *keyring, data []byte) {
	line := 1
	for {
		i := pemBegins(data)
		if i < 0 {
			return
		}
		line = between(l, line, data[:i])
		data = data[i:]
		block := data
		if next := pemBegins(data[1:]); next >= 0 {
			block = data[:1+next]
		}
		b, rest := pem.Decode(block)
		if b != nil {
			c.block(l, ring, b)
			line = between(l, line+bytes.Count(block[:len(block)-len(rest)], []byte("\n")), rest)
		} else {
			l.r.Find(l.check, Finding{Status: Damaged, Path: l.path, Line: line, Text: "a block that begins here is cut or not in base64"})
			line += bytes.Count(block, []byte("\n"))
		}
		data = data[len(block):]
		if len(data) == 0 {
			return
		}
	}
}

// between finds what was a block in the text between blocks, which begins at a line, and returns the line behind it.
func between(l notes, line int, text []byte) (behind int) {
	for _, wrong := range []struct{ trace, text string }{
		{"\x00", "has zero bytes where text should be"}, {"-----END ", "a block ends here whose beginning is missing"},
	} {
		if i := bytes.Index(text, []byte(wrong.trace)); i >= 0 {
			l.r.Find(l.check, Finding{Status: Damaged, Path: l.path, Line: line + bytes.Count(text[:i], []byte("\n")), Text: wrong.text})
		}
	}
	return line + bytes.Count(text, []byte("\n"))
}

// block reads one block.
func (c *certificates) block(l notes, ring *keyring, b *pem.Block) {
	keys := l
	keys.check = c.keyCheck()
	switch {
	case b.Type == "CERTIFICATE" || b.Type == "TRUSTED CERTIFICATE" || b.Type == "X509 CERTIFICATE":
		ring.certificate(l, b.Bytes)
	case !strings.HasSuffix(b.Type, "PRIVATE KEY"):
	case b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED"):
		ring.locked = true
		keys.find(Unchecked, "the key is encrypted")
	case b.Type == "OPENSSH PRIVATE KEY":
		ring.locked = true
	case !ring.privateKey(b.Bytes):
		ring.locked = true
		if wellFormed(b.Bytes) {
			keys.find(Unchecked, "the key is of a kind that is not known")
		} else {
			keys.find(Damaged, "the key cannot be read")
		}
	}
}

// shut finds a key that others may read.
func (c *certificates) shut(s *Subject, r *Recorder) {
	r.Checked(c.keyCheck(), 1)
	if mode := s.Entry.Mode; s.Entry.Kind == tree.File && mode&0o004 != 0 {
		newNotes(c.keyCheck(), s, r).find(Warning, "the key may be read by others: its mode is %04o", mode&0o7777)
	}
}
