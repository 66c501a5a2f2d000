package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// The extended attributes in which Linux keeps POSIX ACLs, and the pax keywords for their text form.
const (
	aclAccess        = "system.posix_acl_access"
	aclDefault       = "system.posix_acl_default"
	aclAccessRecord  = "SCHILY.acl.access"
	aclDefaultRecord = "SCHILY.acl.default"
)

// Tags of an ACL entry in the kernel's binary form.
const (
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
	aclVersion  = 2
	aclNoID     = 0xffffffff
)

var errACL = errors.New("not an ACL in canonical form")

// aclText turns the kernel's form of an ACL into text that acl_from_text of libacl reads. It fails where the text would not give the same bytes back.
func aclText(b []byte) (string, error) {
	if len(b) < 4 || (len(b)-4)%8 != 0 || len(b) > 64<<10 || binary.LittleEndian.Uint32(b) != aclVersion {
		return "", errACL
	}
	var text strings.Builder
	for at := 4; at < len(b); at += 8 {
		tag, perm := binary.LittleEndian.Uint16(b[at:]), binary.LittleEndian.Uint16(b[at+2:])
		name, qualified := aclTagName(tag)
		if name == "" || perm > 7 {
			return "", errACL
		}
		if at > 4 {
			text.WriteByte(',')
		}
		text.WriteString(name + ":")
		if qualified {
			text.WriteString(strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b[at+4:])), 10))
		}
		text.WriteString(":" + aclPerm(perm))
	}
	back, err := aclBinary(text.String())
	if err != nil || !bytes.Equal(back, b) {
		return "", errACL
	}
	return text.String(), nil
}

// aclBinary is the inverse of aclText.
func aclBinary(text string) ([]byte, error) {
	b := binary.LittleEndian.AppendUint32(nil, aclVersion)
	last := uint64(0)
	for part := range strings.SplitSeq(text, ",") {
		fields := strings.Split(part, ":")
		if len(fields) != 3 {
			return nil, errACL
		}
		tag, id, err := aclTag(fields[0], fields[1])
		if err != nil {
			return nil, err
		}
		perm, err := parseACLPerm(fields[2])
		if err != nil {
			return nil, err
		}
		order := uint64(tag)<<32 | uint64(id)
		if order <= last {
			return nil, errACL
		}
		last = order
		b = binary.LittleEndian.AppendUint16(b, tag)
		b = binary.LittleEndian.AppendUint16(b, perm)
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return b, nil
}

// aclTagName returns the word of a tag and whether an id belongs to it.
func aclTagName(tag uint16) (name string, qualified bool) {
	switch tag {
	case aclUserObj, aclUser:
		return "user", tag == aclUser
	case aclGroupObj, aclGroup:
		return "group", tag == aclGroup
	case aclMask:
		return "mask", false
	case aclOther:
		return "other", false
	}
	return "", false
}

func aclTag(name, id string) (uint16, uint32, error) {
	tags := map[string][2]uint16{"user": {aclUserObj, aclUser}, "group": {aclGroupObj, aclGroup}, "mask": {aclMask, 0}, "other": {aclOther, 0}}
	tag := tags[name]
	if id == "" && tag[0] != 0 {
		return tag[0], aclNoID, nil
	}
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil || tag[1] == 0 {
		return 0, 0, errACL
	}
	return tag[1], uint32(n), nil
}

func aclPerm(perm uint16) string {
	text := []byte("---")
	for i, letter := range []byte("rwx") {
		if perm&(4>>i) != 0 {
			text[i] = letter
		}
	}
	return string(text)
}

func parseACLPerm(text string) (uint16, error) {
	for perm := range uint16(8) {
		if aclPerm(perm) == text {
			return perm, nil
		}
	}
	return 0, errACL
}

// ParseACL turns the text of a POSIX ACL as tar programs write it into the binary form of Linux: entries end with commas or lines, ids are
// numbers, and may stand behind the permissions of an entry that has a name.
func ParseACL(text string) ([]byte, error) {
	var parts []string
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		part, _, _ = strings.Cut(strings.TrimSpace(part), "#")
		fields := strings.Split(strings.TrimSpace(part), ":")
		if len(fields) == 4 {
			fields = []string{fields[0], fields[3], fields[2]}
		}
		if part != "" {
			parts = append(parts, strings.Join(fields, ":"))
		}
	}
	return aclBinary(strings.Join(parts, ","))
}
