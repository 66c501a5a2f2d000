package report

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// ThisMachine describes the machine that runs this program and the file system that holds dir.
func ThisMachine(dir string) Machine {
	m := Machine{OS: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(), Features: []string{}, FileSystem: "unknown file system"}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.Features = features(string(data))
	}
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.MemoryGiB = memoryGiB(string(data))
	}
	if data, err := os.ReadFile("/proc/self/mounts"); err == nil {
		m.FileSystem = fileSystem(string(data), dir)
	}
	return m
}

// features names what of a processor matters for compression and hashing.
func features(cpuinfo string) []string {
	names := map[string]string{
		"sha_ni": "SHA extensions", "avx2": "AVX2", "avx512f": "AVX-512", "vaes": "VAES",
		"sha1": "SHA-1", "sha2": "SHA-2", "asimd": "NEON",
	}
	var out []string
	for line := range strings.Lines(cpuinfo) {
		key, value, _ := strings.Cut(line, ":")
		if key = strings.TrimSpace(key); key != "flags" && key != "Features" {
			continue
		}
		for _, flag := range strings.Fields(value) {
			if name, ok := names[flag]; ok {
				out = append(out, name)
			}
		}
		break
	}
	slices.Sort(out)
	if !slices.Contains(out, "SHA extensions") && !slices.Contains(out, "SHA-2") {
		out = append(out, "no SHA extensions")
	}
	return out
}

func memoryGiB(meminfo string) int {
	for line := range strings.Lines(meminfo) {
		f := strings.Fields(line)
		if len(f) > 1 && f[0] == "MemTotal:" {
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				return 0
			}
			return (kb + 1<<19) >> 20
		}
	}
	return 0
}

// fileSystem is the type of the mount that is nearest to dir.
func fileSystem(mounts, dir string) string {
	best, kind := -1, "unknown file system"
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		inside := f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/")
		if inside && len(f[1]) >= best {
			best, kind = len(f[1]), f[2]
		}
	}
	return kind
}
