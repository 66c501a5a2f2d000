package plugin

import (
	"strconv"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
)

// live is what the engine has mounted into the containers of a project, in the words of package compose.
func live(containers []engine.Container) []compose.Live {
	all := make([]compose.Live, 0, len(containers))
	for _, c := range containers {
		if c.OneOff {
			continue
		}
		number, _ := strconv.Atoi(c.Number)
		l := compose.Live{Service: c.Service, Number: number}
		for _, m := range c.Mounts {
			l.Mounts = append(l.Mounts, compose.LiveMount{
				Type: m.Type, Name: m.Name, Source: m.Source, Destination: m.Destination, Driver: m.Driver, ReadOnly: m.ReadOnly,
			})
		}
		all = append(all, l)
	}
	return all
}
