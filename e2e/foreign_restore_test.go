//go:build e2e && unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/icmd"
)

// formerProject is the one of the persistence guide, with a volume that the former script never saw.
const formerProject = `
services:
  app:
    image: memsystest/busybox:latest
    command: [sleep, infinity]
    stop_signal: SIGKILL
    volumes: ["./data:/app/data", "./logs:/app/logs", "./backups:/app/backups", "vectors:/vectors"]
volumes:
  vectors: {}
`

// newFormerProject is a running project in a folder memory-system, and the folder above it, where archives of it lie.
func newFormerProject(t *testing.T) (p *Project, above string) {
	t.Helper()
	NeedRoot(t)
	NeedImage(t, Busybox)
	above = t.TempDir()
	assert.NilError(t, os.Mkdir(filepath.Join(above, "memory-system"), 0o755))
	p = BareProject(t, filepath.Join(above, "memory-system"))
	p.Write("docker-compose.yml", formerProject)
	p.Write("data/memories/m1.json", `{"id":1}`)
	p.Write("data/memories/m2.json", `{"id":2}`)
	p.Write("data/embeddings/v.bin", strings.Repeat("vector", 50000))
	assert.NilError(t, os.Chown(p.Path("data/memories/m1.json"), 1001, 1002))
	p.Up()
	p.Exec("app", "sh", "-c", "echo kept >/vectors/v")
	return p, above
}

// The former script's archives, packed by each tar that it may have run with, restore through the command: its folder's data comes back
// with owners, what it never had stays, and the service runs again.
func TestArchivesOfTheFormerScriptAreRestored(t *testing.T) {
	for _, tar := range [][]string{{"tar", "-czf"}, {"busybox", "tar", "-czf"}, {"bsdtar", "-czf"}} {
		t.Run(tar[0], func(t *testing.T) {
			NeedTool(t, tar[0])
			p, above := newFormerProject(t)
			file := filepath.Join(above, "memory_backup_20240101_120000.tar.gz")
			args := append(append([]string{}, tar[1:]...), file, "memory-system/data", "memory-system/docker-compose.yml")
			run(t, above, nil, tar[0], args...).Assert(t, icmd.Success)
			p.Exec("app", "sh", "-c", "rm /app/data/memories/m1.json; echo 3 >/app/data/memories/m3.json; echo 4 >/app/data/memories/m2.json; mkdir /app/data/logs; echo now >/app/data/logs/app.log") // the script left logs out

			plan := p.Memsys("restore", "--dry-run", file)
			plan.Assert(t, icmd.Success)
			for _, line := range []string{"take memory-system/data as bind data", "stop app", "  add 1: memories/m1.json", "  remove 1: memories/m3.json"} {
				assert.Assert(t, strings.Contains(plan.Stdout(), line), "%q is not in\n%s", line, plan.Combined())
			}
			p.Memsys("restore", "--yes", file).Assert(t, icmd.Success)
			assert.Equal(t, p.State("app"), "running")
			assert.Equal(t, p.Exec("app", "sh", "-c", "cat /app/data/memories/*.json /vectors/v; stat -c %u:%g /app/data/memories/m1.json"), "{\"id\":1}{\"id\":2}kept\n1001:1002")
			assert.Equal(t, p.Read("data/logs/app.log"), "now\n")

			// The safety backup is there, and nothing of the conversion.
			list := p.Memsys("list", "--format", "{{.Reason}} {{.State}}")
			list.Assert(t, icmd.Success)
			assert.Equal(t, list.Stdout(), "before-restore verified\n")
			left, err := filepath.Glob(p.Path("backups", ".*.tmp-*"))
			assert.NilError(t, err)
			assert.Equal(t, len(left), 0)
		})
	}
}

// A volume comes back from a zip that was made of the engine's own folder; its files belong to whom they belonged.
func TestAVolumeComesBackFromAZip(t *testing.T) {
	NeedTool(t, "zip")
	p, above := newFormerProject(t)
	p.Exec("app", "chown", "55:66", "/vectors", "/vectors/v")
	place := p.Output("volume", "inspect", "--format", "{{.Mountpoint}}", p.Name+"_vectors")
	run(t, filepath.Dir(filepath.Dir(place)), nil, "zip", "-qr", filepath.Join(above, "v.zip"), p.Name+"_vectors").Assert(t, icmd.Success)
	p.Exec("app", "sh", "-c", "echo lost >/vectors/v")
	p.Memsys("restore", "--yes", filepath.Join(above, "v.zip")).Assert(t, icmd.Success)
	assert.Equal(t, p.Exec("app", "sh", "-c", "cat /vectors/v; stat -c %u:%g /vectors/v"), "kept\n55:66")
	assert.Equal(t, p.Read("data/memories/m1.json"), `{"id":1}`)
}
