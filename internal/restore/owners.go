package restore

import (
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/memsys/docker-memsys/internal/tree"
)

// OwnerMap says that a user or group of the backup is another one here.
type OwnerMap struct {
	Users  bool `json:"users,omitempty"`
	Groups bool `json:"groups,omitempty"`
	From   int  `json:"from"`
	To     int  `json:"to"`
}

// ParseOwnerMap reads OLD:NEW for users and groups, u:OLD:NEW for users, g:OLD:NEW for groups alone. Ids are numbers: names of one machine
// say nothing on another.
func ParseOwnerMap(text string) (OwnerMap, error) {
	m := OwnerMap{Users: true, Groups: true}
	parts := strings.Split(text, ":")
	if len(parts) == 3 && (parts[0] == "u" || parts[0] == "g") {
		m.Users, m.Groups = parts[0] == "u", parts[0] == "g"
		parts = parts[1:]
	}
	if len(parts) != 2 {
		return m, fmt.Errorf("%q is not OLD:NEW, u:OLD:NEW or g:OLD:NEW", text)
	}
	for i, id := range []*int{&m.From, &m.To} {
		n, err := strconv.ParseUint(parts[i], 10, 32)
		if err != nil || n == 1<<32-1 {
			return m, fmt.Errorf("%q: %q is not the number of a user or group", text, parts[i])
		}
		*id = int(n)
	}
	return m, nil
}

// CheckOwnerMaps refuses two answers to one question.
func CheckOwnerMaps(all []OwnerMap) error {
	for i, a := range all {
		for _, b := range all[:i] {
			if a.From == b.From && a.To != b.To && (a.Users && b.Users || a.Groups && b.Groups) {
				return fmt.Errorf("%d cannot become both %d and %d", a.From, b.To, a.To)
			}
		}
	}
	return nil
}

// owners gives entries the owners that they have here. It applies to all ids at once: 1:2 and 2:1 swap.
type owners struct{ users, groups map[int]int }

func newOwners(all []OwnerMap) owners {
	o := owners{users: map[int]int{}, groups: map[int]int{}}
	for _, m := range all {
		if m.Users {
			o.users[m.From] = m.To
		}
		if m.Groups {
			o.groups[m.From] = m.To
		}
	}
	return o
}

func mapped(m map[int]int, id int) int {
	if to, ok := m[id]; ok {
		return to
	}
	return id
}

// entries are those of an archive with the owners that they have here.
func (o owners) entries(each entries) entries {
	return func() iter.Seq2[tree.Expected, error] {
		return func(yield func(tree.Expected, error) bool) {
			for x, err := range each() {
				if err == nil {
					x.Entry = o.entry(x.Entry)
				}
				if !yield(x, err) {
					return
				}
			}
		}
	}
}

// The extended attributes that hold POSIX ACLs in the kernel's form.
const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"
)

// entry is e with the owner and the ACLs that it has here; e itself where nothing changes.
func (o owners) entry(e *tree.Entry) *tree.Entry {
	if len(o.users)+len(o.groups) == 0 {
		return e
	}
	out := *e
	out.UID, out.GID = mapped(o.users, e.UID), mapped(o.groups, e.GID)
	for _, name := range []string{aclAccess, aclDefault} {
		if acl, ok := e.Xattrs[name]; ok {
			out.Xattrs = maps.Clone(out.Xattrs)
			out.Xattrs[name] = o.acl(acl)
		}
	}
	return &out
}

// The kernel's form of an ACL: a version, then entries of tag, permissions and id.
const (
	aclHeader  = 4
	aclSize    = 8
	aclVersion = 2
	aclUser    = 0x02
	aclGroup   = 0x08
)

type aclEntry struct {
	tag, perm uint16
	id        uint32
}

// acl maps the users and groups that an ACL names. Two that become one share their permissions. What is no ACL stays as it is.
func (o owners) acl(b []byte) []byte {
	if len(b) < aclHeader || (len(b)-aclHeader)%aclSize != 0 || binary.LittleEndian.Uint32(b) != aclVersion {
		return b
	}
	var all []aclEntry
	for at := aclHeader; at < len(b); at += aclSize {
		e := aclEntry{binary.LittleEndian.Uint16(b[at:]), binary.LittleEndian.Uint16(b[at+2:]), binary.LittleEndian.Uint32(b[at+4:])}
		switch e.tag {
		case aclUser:
			e.id = uint32(mapped(o.users, int(e.id)))
		case aclGroup:
			e.id = uint32(mapped(o.groups, int(e.id)))
		}
		i := slices.IndexFunc(all, func(other aclEntry) bool { return other.tag == e.tag && other.id == e.id })
		if i >= 0 {
			all[i].perm |= e.perm
			continue
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b aclEntry) int { // named ones in the order of their ids, as libacl wants them
		if a.tag != b.tag || a.tag != aclUser && a.tag != aclGroup {
			return int(a.tag) - int(b.tag)
		}
		return int(int64(a.id) - int64(b.id))
	})
	out := slices.Clone(b[:aclHeader])
	for _, e := range all {
		out = binary.LittleEndian.AppendUint16(out, e.tag)
		out = binary.LittleEndian.AppendUint16(out, e.perm)
		out = binary.LittleEndian.AppendUint32(out, e.id)
	}
	return out
}
