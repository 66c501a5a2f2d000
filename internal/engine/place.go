package engine

import (
	"context"
	"errors"
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

// Shown are the paths of the engine's host that a mount shows: for a volume whose options bind a folder, that folder too.
// volume looks a volume up; nil where none can be.
func (m Mount) Shown(ctx context.Context, volume func(ctx context.Context, name string) (Volume, error)) ([]string, error) {
	var places []string
	if m.Source != "" {
		places = append(places, m.Source)
	}
	if m.Type != "volume" || m.Name == "" || volume == nil {
		return places, nil
	}
	v, err := volume(ctx, m.Name)
	if errors.Is(err, ErrNotFound) {
		return places, nil
	}
	if err != nil {
		return nil, err
	}
	if place, err := v.Place(); err == nil && place != "" && place != m.Source {
		places = append(places, place)
	}
	return places, nil
}
