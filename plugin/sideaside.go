package plugin

import (
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/restore"
)

// The methods of a helper for what was set aside.
const (
	callFindAside   = "aside.find"
	callRemoveAside = "aside.remove"
)

// asideHandlers answer what was set aside in the sources, and remove it.
func (f *fileServer) asideHandlers() map[string]helper.Handler {
	return map[string]helper.Handler{callFindAside: on(restore.FindAside), callRemoveAside: acts(restore.RemoveAside)}
}
