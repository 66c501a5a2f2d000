package restore

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/memsys/docker-memsys/internal/tree"
)

// blockSize is what an entry costs on a file system beside its content, about.
const blockSize = 4096

// room adds up what staging and the safety backup need on each file system, and refuses the restore where that is not free.
func (p *Plan) room() error {
	for _, t := range p.Targets {
		if t.Root == "" {
			continue // a volume that is made first
		}
		if err := p.need(filepath.Dir(t.Root), t.Root, t.view.room+blockSize*t.Entries); err != nil {
			return fmt.Errorf("free space for source %s: %w", t.Name, err)
		}
	}
	if p.Safety.Mode == SafetyBackup && p.req.Backups != "" {
		if err := p.need(p.req.Backups, p.req.Backups, p.req.SafetySize); err != nil {
			return fmt.Errorf("free space for the safety backup: %w", err)
		}
	}
	for _, s := range p.Space {
		if s.Need > s.Free {
			p.refuse(NoSpace, s.Path, "no space at %s: the restore needs about %d bytes, %d are free", s.Path, s.Need, s.Free)
		}
	}
	return nil
}

// need adds bytes to what is needed on the file system of path, or of the nearest folder above it that exists.
func (p *Plan) need(parent, path string, bytes int64) error {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			break
		}
		path, parent = parent, filepath.Dir(parent)
	}
	id, err := tree.Identify(path)
	if err != nil {
		return err
	}
	for i := range p.Space {
		if p.Space[i].device == id.Device {
			p.Space[i].Need += bytes
			return nil
		}
	}
	free, err := p.req.Free(path)
	if err != nil {
		return err
	}
	p.Space = append(p.Space, Space{Path: path, Need: bytes, Free: free, device: id.Device})
	return nil
}
