package restore

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/memsys/docker-memsys/internal/progress"
	"github.com/memsys/docker-memsys/internal/tree"
)

// blockSize is what an entry costs on a file system beside its content, about.
const blockSize = 4096

// room adds up what staging and the safety backup need on each file system. The restore is refused where staging has no room; a safety
// backup that has none is given up for setting the present entries aside, which costs nothing.
func (p *Plan) room() error {
	for _, t := range p.Targets {
		if t.Root == "" {
			continue // a volume that is made first
		}
		if t.From == FromAside {
			continue // it is moved
		}
		if err := p.need(t.Root, t.view.room+blockSize*t.Entries); err != nil {
			return fmt.Errorf("free space for source %s: %w", t.Name, err)
		}
	}
	for _, s := range p.Space {
		if s.Need > s.Free {
			p.refuse(NoSpace, s.Path, "no space at %s: the restore needs about %s, %s is free", s.Path, progress.Size(s.Need), progress.Size(s.Free))
		}
	}
	at := p.req.Backups
	if p.req.Scratch != "" {
		at = p.req.Scratch
	}
	if p.Safety.Mode != SafetyBackup || len(p.Refusals) > 0 || at == "" {
		return nil
	}
	if err := p.need(at, p.req.SafetySize); err != nil {
		return fmt.Errorf("free space for the safety backup: %w", err)
	}
	for i := range p.Space {
		if s := &p.Space[i]; s.Need > s.Free {
			p.setAside(fmt.Sprintf("no space at %s for a safety backup of about %s beside the restored data: %s is free", s.Path, progress.Size(p.req.SafetySize), progress.Size(s.Free)))
			s.Need -= p.req.SafetySize
		}
	}
	return nil
}

// Writable tells whether this process may write at a path, or make it.
func Writable(path string) error { return canWrite(existing(path)) }

// existing is a path, or the nearest folder above it that exists.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// need adds bytes to what is needed on the file system of path, or of the nearest folder above it that exists.
func (p *Plan) need(path string, bytes int64) error {
	path = existing(path)
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
