package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/memsys/docker-memsys/internal/durable"
	"github.com/memsys/docker-memsys/internal/store"
)

// sameFile is the file of the state folder that says in which state the sources were found to be as in a backup: comparing them with the archive
// takes several times as long as looking whether that is still their state.
const sameFile = "same.json"

// sameState is its content.
type sameState struct {
	Version int    `json:"version"`
	Backup  string `json:"backup"`
	ID      string `json:"id"`
	Print   string `json:"print"`
}

// printAll tells the state of all sources together, and of what backups leave out, from any other; empty where one cannot be looked at from here.
func (w *guarded) printAll(ctx context.Context) (string, error) {
	prints, err := w.prints(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %t\n", w.Config.Exclude, w.Config.IncludeLogs)
	for _, src := range w.Sources {
		if src.Excluded != "" {
			fmt.Fprintf(sum, "%q is not in it: %q\n", src.Name, src.Excluded)
			continue
		}
		if prints[src.Name] == "" {
			return "", nil
		}
		fmt.Fprintf(sum, "%q %q %s\n", src.Name, src.Path, prints[src.Name])
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// sameAs is the last good backup if the sources are still in the state in which they were found to be as in it; nil where that is not known.
func (w *guarded) sameAs(ctx context.Context, print string) *store.Backup {
	var known sameState
	data, err := os.ReadFile(filepath.Join(w.state.Dir(), sameFile))
	if print == "" || err != nil || json.Unmarshal(data, &known) != nil || known.Version != 1 || known.Print != print {
		return nil
	}
	all, err := w.Store.List(ctx)
	if err != nil {
		return nil
	}
	b, ok := w.Store.NewestGood(all)
	if !ok || b.Name != known.Backup || b.ID != known.ID || b.ID == "" {
		return nil
	}
	return &b
}

// keepSame notes the state in which the sources were found to be as in a backup. print was taken before they were compared. That it cannot be noted
// costs the next command some time, no more.
func (w *guarded) keepSame(b *store.Backup, print string) {
	if b == nil || print == "" || w.lock == nil {
		return
	}
	data, err := json.Marshal(sameState{Version: 1, Backup: b.Name, ID: b.ID, Print: print})
	if err == nil {
		err = durable.WriteFile(filepath.Join(w.state.Dir(), sameFile), data, fs.FileMode(0o600))
	}
	if err != nil {
		w.warn("backup", "what is as in the last backup could not be noted: "+err.Error())
	}
}
