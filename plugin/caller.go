package plugin

import (
	"bytes"
	"encoding/binary"
)

// processArgs are the arguments of a process as macOS keeps them: their number, the program's path, zeros, then each with a zero behind it,
// and then the environment. nil where it is anything else.
func processArgs(raw []byte) []string {
	if len(raw) < 4 {
		return nil
	}
	n, rest := int(int32(binary.NativeEndian.Uint32(raw))), raw[4:]
	path := bytes.IndexByte(rest, 0)
	if n <= 0 || path < 0 {
		return nil
	}
	rest = bytes.TrimLeft(rest[path:], "\x00")
	var args []string
	for range n {
		end := bytes.IndexByte(rest, 0)
		if end < 0 {
			return nil
		}
		args, rest = append(args, string(rest[:end])), rest[end+1:]
	}
	return args
}
