package inventory

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// soon is how long before its end a certificate is told.
const soon = 30 * 24 * time.Hour

// After tells which certificates have run out, and which keys fit none.
func (c *certificates) After(r *Recorder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, dir := range slices.Sorted(maps.Keys(c.folders)) {
		folder := c.folders[dir]
		for _, name := range slices.Sorted(maps.Keys(folder)) {
			c.times(folder, name, r)
			c.pairs(folder, name, r)
		}
	}
}

// times looks at the period of each certificate of a file. One that has a successor in its folder is kept for the record.
func (c *certificates) times(folder map[string]*keyring, name string, r *Recorder) {
	now, ring := r.Options.Now, folder[name]
	if now.IsZero() || len(ring.certificates) > bundle {
		return
	}
	for _, one := range ring.certificates {
		l := notes{check: c.check(), path: name, object: one.subject, r: r}
		left := one.to.Sub(now)
		switch {
		case now.Before(one.from):
			l.find(Warning, "is not valid before %s", one.from.UTC().Format(time.DateOnly))
		case left > soon || followed(folder, one):
		case left < 0:
			l.find(Warning, "expired %s ago", days(-left))
		default:
			l.find(Warning, "expires in %s", days(left))
		}
	}
}

func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); n {
	case 0:
		return "less than a day"
	case 1:
		return "1 day"
	default:
		return strconv.Itoa(n) + " days"
	}
}

// followed tells whether the folder has a certificate of the same subject that is valid for longer.
func followed(folder map[string]*keyring, old *certificate) bool {
	for _, ring := range folder {
		for _, c := range ring.certificates {
			if c.raw == old.raw && c.to.After(old.to) {
				return true
			}
		}
	}
	return false
}

// pairs looks for the certificate of each key: in the file of the same name, or where none has it, in any of the folder.
func (c *certificates) pairs(folder map[string]*keyring, name string, r *Recorder) {
	ring := folder[name]
	if len(ring.keys) == 0 {
		return
	}
	var partner string
	servers := false
	for _, other := range slices.Sorted(maps.Keys(folder)) {
		for _, one := range folder[other].certificates {
			if slices.Contains(ring.keys, one.public) {
				return
			}
			servers = servers || !one.ca
			if pairName(other) == pairName(name) && (!one.ca || partner == "") {
				partner = other
			}
		}
	}
	l := notes{check: c.keyCheck(), path: name, r: r}
	switch {
	case partner != "":
		l.find(Warning, "the key does not belong to the certificate in %s", path.Base(partner))
	case servers:
		l.find(Warning, "the key belongs to no certificate of its folder")
	}
}

// pairName is what the names of a key and of its certificate have in common: server.key and server-cert.pem, privkey1.pem and fullchain1.pem.
func pairName(name string) string {
	stem := strings.ToLower(strings.TrimSuffix(path.Base(name), path.Ext(name)))
	for _, word := range []string{"privkey", "fullchain", "certificate", "private", "cert", "crt", "key"} {
		stem = strings.ReplaceAll(stem, word, "")
	}
	return strings.Trim(stem, "-_.")
}
