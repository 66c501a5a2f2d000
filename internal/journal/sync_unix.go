//go:build unix

package journal

import "os"

// syncDir makes a rename in the folder safe against power loss.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
