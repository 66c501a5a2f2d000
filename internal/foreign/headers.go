package foreign

import (
	"archive/tar"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/bodgit/sevenzip"
	"github.com/klauspost/compress/zip"
	"github.com/mholt/archiver/v4"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/tree"
)

// gnuDumpDir and gnuVolume are GNU tar's own kinds: a folder of an incremental archive, and the label of a volume.
const (
	gnuDumpDir = 'D'
	gnuVolume  = 'V'
)

// tarMember reads a tar header: owners, modes, times with nanoseconds, extended attributes and ACLs of pax.
func tarMember(f archiver.FileInfo) (*member, error) {
	h, ok := f.Header.(*tar.Header)
	if !ok {
		return nil, fmt.Errorf("header of %s is a %T", f.NameInArchive, f.Header)
	}
	m := &member{raw: h.Name, owned: true, Entry: tree.Entry{
		Mode: uint32(h.Mode) & 0o7777, UID: h.Uid, GID: h.Gid, ModTime: h.ModTime,
	}}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse, 0:
		m.Kind, m.Size = tree.File, h.Size
		m.sparse = h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != ""
	case tar.TypeDir, gnuDumpDir:
		m.Kind = tree.Dir
	case tar.TypeSymlink:
		m.Kind, m.Link = tree.Symlink, h.Linkname
		if m.Link == "" || len(m.Link) > maxLink || strings.IndexByte(m.Link, 0) >= 0 {
			return nil, &UnsafeError{Name: h.Name, Why: "a symbolic link without a usable target"}
		}
	case tar.TypeLink:
		m.Kind, m.Link = tree.Hardlink, h.Linkname
	case tar.TypeFifo:
		m.Kind = tree.FIFO
	case tar.TypeChar, tar.TypeBlock:
		m.Kind = tree.CharDevice
		if h.Typeflag == tar.TypeBlock {
			m.Kind = tree.BlockDevice
		}
		m.Major, m.Minor = uint32(h.Devmajor), uint32(h.Devminor)
	case gnuVolume:
		return nil, nil
	default:
		return nil, &UnsafeError{Name: h.Name, Why: fmt.Sprintf("a tar entry of kind %q is not known", h.Typeflag)}
	}
	if m.UID < 0 || m.GID < 0 {
		return nil, &UnsafeError{Name: h.Name, Why: "its owner is negative"}
	}
	return m, m.paxAttributes(h.PAXRecords)
}

// The pax keywords of extended attributes and ACLs.
const (
	xattrRecord   = "SCHILY.xattr."
	accessRecord  = "SCHILY.acl.access"
	defaultRecord = "SCHILY.acl.default"
)

// paxAttributes takes over extended attributes and ACLs.
func (m *member) paxAttributes(records map[string]string) error {
	set := func(name string, value []byte) {
		if m.Xattrs == nil {
			m.Xattrs = map[string][]byte{}
		}
		m.Xattrs[name] = value
	}
	for key, value := range records {
		if name, ok := strings.CutPrefix(key, xattrRecord); ok && name != "" {
			name = strings.NewReplacer("%3D", "=", "%25", "%").Replace(name)
			if strings.IndexByte(name, 0) >= 0 || len(name) > maxPart || len(value) > 64<<10 {
				return &UnsafeError{Name: m.raw, Why: fmt.Sprintf("its attribute %q is none that Linux has", name)}
			}
			set(name, []byte(value))
		}
	}
	for key, attribute := range map[string]string{accessRecord: "system.posix_acl_access", defaultRecord: "system.posix_acl_default"} {
		text := records[key]
		if text == "" || m.Xattrs[attribute] != nil {
			continue
		}
		acl, err := archive.ParseACL(text)
		if err != nil {
			return &UnsafeError{Name: m.raw, Why: fmt.Sprintf("its ACL %q is not understood", text)}
		}
		set(attribute, acl)
	}
	return nil
}

// Hosts that made a zip entry whose attributes are those of Unix.
const (
	zipUnix  = 3
	zipMacOS = 19
)

// zipEncrypted is the flag of an encrypted entry.
const zipEncrypted = 1

func zipMember(f archiver.FileInfo) (*member, error) {
	h, ok := f.Header.(zip.FileHeader)
	if !ok {
		return nil, fmt.Errorf("header of %s is a %T", f.NameInArchive, f.Header)
	}
	m := &member{raw: h.Name, Entry: tree.Entry{Size: int64(h.UncompressedSize64), ModTime: h.Modified}}
	if h.Flags&zipEncrypted != 0 {
		return nil, &UnsafeError{Name: h.Name, Why: "it is encrypted: unpack the archive and pack it again without a password"}
	}
	if err := m.setMode(h.Mode()); err != nil {
		return nil, err
	}
	if host := h.CreatorVersion >> 8; host != zipUnix && host != zipMacOS {
		m.defaultMode()
		if err := checkWindows(h.Name); err != nil {
			return nil, err
		}
	}
	m.UID, m.GID, m.owned = zipOwner(h.Extra)
	return m, m.sizeless()
}

// zipOwnerField is the extra field of Info-ZIP that holds the numbers of owner and group.
const zipOwnerField = 0x7875

// zipOwner finds owner and group in the extra fields of a zip entry.
func zipOwner(extra []byte) (uid, gid int, ok bool) {
	for len(extra) >= 4 {
		id, size := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if size > len(extra) {
			return 0, 0, false
		}
		if id == zipOwnerField && size > 2 && extra[0] == 1 {
			u, rest, ok := zipNumber(extra[1:size])
			if !ok {
				return 0, 0, false
			}
			g, _, ok := zipNumber(rest)
			return u, g, ok
		}
		extra = extra[size:]
	}
	return 0, 0, false
}

// zipNumber reads a number that its own length stands before.
func zipNumber(b []byte) (n int, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) || b[0] > 4 {
		return 0, nil, false
	}
	for i := int(b[0]); i > 0; i-- {
		n = n<<8 | int(b[i])
	}
	return n, b[1+b[0]:], true
}

// sevenUnix marks attributes whose upper half are those of Unix.
const sevenUnix = 0x8000

func sevenMember(f archiver.FileInfo) (*member, error) {
	h, ok := f.Header.(sevenzip.FileHeader)
	if !ok {
		return nil, fmt.Errorf("header of %s is a %T", f.NameInArchive, f.Header)
	}
	m := &member{raw: h.Name, crc: h.CRC32, Entry: tree.Entry{Size: int64(h.UncompressedSize), ModTime: h.Modified}}
	if err := m.setMode(h.Mode()); err != nil {
		return nil, err
	}
	if h.Attributes&sevenUnix == 0 {
		m.defaultMode()
		if err := checkWindows(h.Name); err != nil {
			return nil, err
		}
	}
	return m, m.sizeless()
}

// defaultMode sets the mode of an entry whose format knows none: nobody but the owner writes.
func (m *member) defaultMode() {
	if m.Mode = 0o644; m.Kind == tree.Dir {
		m.Mode = 0o755
	}
}

// sizeless clears the size of what is no file; a link's is that of its target.
func (m *member) sizeless() error {
	if m.Kind == tree.Dir && m.Size != 0 {
		return &UnsafeError{Name: m.raw, Why: "a folder with content"}
	}
	if m.Kind != tree.File {
		m.Size = 0
	}
	return nil
}
