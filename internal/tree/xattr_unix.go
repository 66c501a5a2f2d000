//go:build linux || darwin

package tree

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// readXattrs reads all extended attributes through a list and a get call. A file system without them has none; one that
// vanished between the two calls is left out.
func readXattrs(list func([]byte) (int, error), get func(string, []byte) (int, error)) (map[string][]byte, error) {
	var small [512]byte
	raw, err := sized(small[:], list)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	attrs := map[string][]byte{}
	var buf [1024]byte
	for name := range strings.SplitSeq(strings.TrimSuffix(string(raw), "\x00"), "\x00") {
		value, err := sized(buf[:], func(b []byte) (int, error) { return get(name, b) })
		if errors.Is(err, unix.ENOTSUP) || errors.Is(err, noAttr) {
			continue
		}
		if err != nil {
			return attrs, err
		}
		attrs[name] = append([]byte{}, value...)
	}
	if len(attrs) == 0 {
		return nil, nil
	}
	return attrs, nil
}

// sized calls with the buffer, and with larger ones while the kernel says that it is too small.
func sized(buf []byte, call func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := call(buf)
		if err == nil {
			return buf[:n], nil
		}
		if !errors.Is(err, unix.ERANGE) {
			return nil, err
		}
		if n, err = call(nil); err != nil {
			return nil, err
		}
		buf = make([]byte, n+256)
	}
}
