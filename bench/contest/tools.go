// Package contest lets docker memsys and other backup tools do the same work on the same files.
package contest

import (
	"path/filepath"

	"github.com/memsys/docker-memsys/bench/measure"
)

// The names of the tools that goals compare.
const (
	Memsys  = "docker-memsys"
	TarGzip = "tar czf"
)

// Tool is one way to back up a store and to restore it.
type Tool struct {
	Name string
	// Needs are the programs that must be installed; Package is Debian's package of the last of them.
	Needs   []string
	Package string

	// Prepare is not measured.
	Prepare []measure.Step
	Backup  []measure.Step
	// Restore is nil for a tool whose restore is not measured.
	Restore []measure.Step
	// Result is the file or folder whose size counts; a pattern of filepath.Match.
	Result string
	// Restored is the folder that Restore fills.
	Restored string
}

// Place says where the tools find the store and what they may write to.
type Place struct {
	// Store is the folder that gen.Make has filled.
	Store string
	// Work is a folder for archives, repositories and restored files.
	Work string
	// Plugin is the docker-memsys program.
	Plugin string
}

// ignored are the patterns that docker memsys leaves out by default; the others are told to.
func ignored() []string { return []string{"*.log", "*.tmp", "*.cache"} }

// contents are what is backed up, relative to the store.
func contents() []string { return []string{"data", "compose.yaml"} }

// Tools returns all tools. Each waits until its files are on the disk, as docker memsys does.
func (p Place) Tools() []Tool {
	return []Tool{
		p.memsys(), p.tarGzip(),
		p.tarPipe("tar | pigz", "pigz", "tar.gz", "pigz"),
		p.tarPipe("tar | zstd -T0", "zstd", "tar.zst", "zstd", "-q", "-T0"),
		p.tarPlain(), p.restic(), p.borg(),
	}
}

// alone is the environment of docker memsys on a machine where the services do not run: there is no engine.
func (p Place) alone() []string {
	return []string{"DOCKER_HOST=unix://" + filepath.Join(p.Work, "no-engine.sock"), "XDG_STATE_HOME=" + filepath.Join(p.Work, "state")}
}

func (p Place) memsys() Tool {
	restored := p.restored("memsys")
	command := []string{p.Plugin, "-f", filepath.Join(p.Store, "compose.yaml")}
	env := p.alone()
	step := func(args ...string) measure.Step {
		return measure.Step{Pipeline: [][]string{append(command[:len(command):len(command)], args...)}, Env: env}
	}
	return Tool{
		Name: Memsys, Needs: []string{p.Plugin},
		Backup:   []measure.Step{step("backup", "--format", "json")},
		Restore:  []measure.Step{step("restore", "latest", "--to", restored, "--yes", "--format", "json"), sync(restored)},
		Result:   filepath.Join(p.Store, "backups", "memory_backup_*.tar.gz"),
		Restored: restored,
	}
}

func (p Place) tar(flags ...string) []string {
	args := append([]string{"tar"}, flags...)
	args = append(args, "-C", p.Store)
	for _, pattern := range ignored() {
		args = append(args, "--exclude="+pattern)
	}
	return append(args, contents()...)
}

func (p Place) tarGzip() Tool {
	out, restored := p.out("gzip.tar.gz"), p.restored("gzip")
	return Tool{
		Name: TarGzip, Needs: []string{"tar", "gzip"},
		Backup:  []measure.Step{{Pipeline: [][]string{p.tar("-czf", out)}}, sync(out)},
		Restore: []measure.Step{{Pipeline: [][]string{{"tar", "-xzpf", out, "-C", restored}}}, sync(restored)},
		Result:  out, Restored: restored,
	}
}

func (p Place) tarPlain() Tool {
	out, restored := p.out("plain.tar"), p.restored("plain")
	return Tool{
		Name: "tar cf", Needs: []string{"tar"},
		Backup:  []measure.Step{{Pipeline: [][]string{p.tar("-cf", out)}}, sync(out)},
		Restore: []measure.Step{{Pipeline: [][]string{{"tar", "-xpf", out, "-C", restored}}}, sync(restored)},
		Result:  out, Restored: restored,
	}
}

func (p Place) tarPipe(name, pack, suffix string, compressor ...string) Tool {
	out, restored := p.out(pack+"."+suffix), p.restored(pack)
	unpack := []string{compressor[0], "-dc", out}
	return Tool{
		Name: name, Needs: []string{"tar", compressor[0]}, Package: pack,
		Backup:  []measure.Step{{Pipeline: [][]string{p.tar("-cf", "-"), compressor}, Out: out}, sync(out)},
		Restore: []measure.Step{{Pipeline: [][]string{unpack, {"tar", "-xpf", "-", "-C", restored}}}, sync(restored)},
		Result:  out, Restored: restored,
	}
}

func (p Place) restic() Tool {
	out, restored := p.out("restic"), p.restored("restic")
	env := []string{"RESTIC_REPOSITORY=" + out, "RESTIC_PASSWORD=measure", "RESTIC_CACHE_DIR=" + p.out("restic-cache")}
	step := func(args ...string) measure.Step {
		return measure.Step{Pipeline: [][]string{append([]string{"restic", "-q"}, args...)}, Dir: p.Store, Env: env}
	}
	backup := []string{"backup"}
	for _, pattern := range ignored() {
		backup = append(backup, "--exclude="+pattern)
	}
	return Tool{
		Name: "restic", Needs: []string{"restic"}, Package: "restic",
		Prepare:  []measure.Step{step("init")},
		Backup:   []measure.Step{step(append(backup, contents()...)...), sync(out)},
		Restore:  []measure.Step{step("restore", "latest", "--target", restored), sync(restored)},
		Result:   out,
		Restored: restored,
	}
}

func (p Place) borg() Tool {
	out, restored := p.out("borg"), p.restored("borg")
	env := []string{"BORG_REPO=" + out, "BORG_BASE_DIR=" + p.out("borg-base"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes"}
	step := func(dir string, args ...string) measure.Step {
		return measure.Step{Pipeline: [][]string{append([]string{"borg"}, args...)}, Dir: dir, Env: env}
	}
	create := []string{"create"}
	for _, pattern := range ignored() {
		create = append(create, "--exclude=sh:**/"+pattern)
	}
	return Tool{
		Name: "borg", Needs: []string{"borg"}, Package: "borgbackup",
		Prepare:  []measure.Step{step(p.Store, "init", "-e", "none")},
		Backup:   []measure.Step{step(p.Store, append(append(create, "::first"), contents()...)...), sync(out)},
		Restore:  []measure.Step{step(restored, "extract", "::first"), sync(restored)},
		Result:   out,
		Restored: restored,
	}
}

func (p Place) out(name string) string { return filepath.Join(p.Work, "out", name) }

func (p Place) restored(name string) string { return filepath.Join(p.Work, "restored", name) }

// sync waits until the file system that holds path has everything on the disk.
func sync(path string) measure.Step {
	return measure.Step{Pipeline: [][]string{{"sync", "-f", path}}}
}
