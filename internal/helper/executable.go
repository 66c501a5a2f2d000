package helper

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// BinaryVariable names the variable that says which executable to use as helper.
const BinaryVariable = "MEMSYS_HELPER_BINARY"

// Finder finds the executable for an engine.
type Finder struct {
	// Named is the executable that the user names; empty: none.
	Named string
	// Self is the running executable, which serves where it fits; OS and Arch are what it was built for. Empty: as it is.
	Self, OS, Arch string
}

// Find returns the path of this program's executable for an engine.
func (f Finder) Find(goos, arch string) (string, error) {
	if f.Named != "" {
		if _, err := os.Stat(f.Named); err != nil {
			return "", fmt.Errorf("%s: %w", BinaryVariable, err)
		}
		return f.Named, nil
	}
	f.fill()
	if f.OS == goos && f.Arch == arch {
		return f.Self, nil
	}
	name := "memsys-helper-" + goos + "-" + arch
	dirs := []string{filepath.Dir(f.Self)}
	if real, err := filepath.EvalSymlinks(f.Self); err == nil && filepath.Dir(real) != dirs[0] {
		dirs = append(dirs, filepath.Dir(real))
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name), nil
		}
	}
	return "", &MissingError{Platform: goos + "/" + arch, Name: name, Dir: dirs[len(dirs)-1]}
}

func (f *Finder) fill() {
	if f.OS == "" {
		f.OS, f.Arch = runtime.GOOS, runtime.GOARCH
	}
	if f.Self != "" {
		return
	}
	f.Self, _ = os.Executable() // unknown is "", which is no file: then the error says what to do
	if _, err := os.Stat("/proc/self/exe"); err == nil && f.OS == "linux" && f.Arch == runtime.GOARCH {
		if _, err := os.Stat(f.Self); err != nil {
			f.Self = "/proc/self/exe" // an update has replaced the file
		}
	}
}

// MissingError says that there is no executable for the engine's platform.
type MissingError struct {
	Platform, Name, Dir string
}

// Error says what is missing.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the engine runs on %s, for which there is no helper here: put %s of this version's release into %s, or name it in %s",
		e.Platform, e.Name, e.Dir, BinaryVariable)
}

// checkExecutable refuses what cannot run in an image that holds nothing else.
func checkExecutable(path, arch string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("the helper's executable %s is no Linux program: %w", path, err)
	}
	defer f.Close()
	if want, known := machines()[arch]; known && f.Machine != want {
		return fmt.Errorf("the helper's executable %s is built for another machine (%s) than the engine's (%s)", path, f.Machine, arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("the helper's executable %s is not static, so it cannot run by itself in a container: build it with CGO_ENABLED=0, or name another in %s",
				path, BinaryVariable)
		}
	}
	return nil
}

func machines() map[string]elf.Machine {
	return map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "386": elf.EM_386, "arm": elf.EM_ARM, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390,
		"riscv64": elf.EM_RISCV,
	}
}
