package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Place is the folder of the engine's host that holds the volume's files. It fails for volumes that have none outside of
// a running container: those of other drivers, and those that are a mount made for each container.
func (v Volume) Place() (string, error) {
	if v.Driver != "" && v.Driver != "local" {
		return "", fmt.Errorf("volume %s belongs to the driver %s: its files cannot be reached from outside of a container", v.Name, v.Driver)
	}
	if v.Options["type"] == "" && v.Options["device"] == "" {
		return v.Mountpoint, nil
	}
	if slices.ContainsFunc(strings.Split(v.Options["o"], ","), func(o string) bool { return o == "bind" || o == "rbind" }) {
		return v.Options["device"], nil
	}
	return "", fmt.Errorf("volume %s is a mount of type %s, there only while a container uses it: its files cannot be reached from outside of a container", v.Name, v.Options["type"])
}
