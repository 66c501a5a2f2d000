package tree

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MountsBelow are the mount points below a folder, relative to it. A bind mount of the same file system is found too, which
// device numbers would not show.
func MountsBelow(root string) ([]string, error) {
	var found []string
	err := eachMount(root, func(root, _, at string) {
		if rel, ok := strings.CutPrefix(at, strings.TrimSuffix(root, "/")+"/"); ok && rel != "" {
			found = append(found, rel)
		}
	})
	return found, err
}

// Within is the path of a file inside the file system that holds it: "/" for the root of a disk, wherever that is mounted. It is the same
// from inside a container that has a folder mounted, and another one while the disk is not mounted. Empty where it cannot be known.
func Within(path string) (string, error) {
	longest, within := "", ""
	err := eachMount(path, func(path, from, at string) {
		rel, inside := underMount(at, path)
		if inside && len(at) >= len(longest) { // of two on one place the later one is seen
			longest, within = at, filepath.Join(from, rel)
		}
	})
	return within, err
}

// underMount is the part of path behind a mount point, and whether it lies there.
func underMount(dir, path string) (string, bool) {
	if dir == path {
		return "", true
	}
	return strings.CutPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// eachMount calls f with path, its links followed, and each mount that this process sees: the folder of the file system that is shown, and
// where. Without mountinfo there is none.
func eachMount(path string, f func(path, from, at string)) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	info, err := os.Open("/proc/self/mountinfo")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer info.Close()
	lines := bufio.NewScanner(info)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 5 {
			f(path, unescapeMount(fields[3]), unescapeMount(fields[4]))
		}
	}
	return lines.Err()
}

// unescapeMount undoes the octal escapes of mountinfo.
func unescapeMount(text string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(text)
}
