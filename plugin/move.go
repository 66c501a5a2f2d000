package plugin

import (
	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/internal/restore"
)

// moveOptions are the flags of a restore on another machine, beside --map.
type moveOptions struct {
	mapOwners []string
}

func moveFlags(cmd *cobra.Command, o *moveOptions) {
	cmd.Flags().StringArrayVar(&o.mapOwners, "map-owner", nil, "A user and group of the backup is another one here: OLD:NEW by number, u:OLD:NEW for the user or g:OLD:NEW for the group alone; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("map-owner", cobra.NoFileCompletions)
}

// owners are the owners that are mapped.
func (o moveOptions) owners() ([]restore.OwnerMap, error) {
	var out []restore.OwnerMap
	for _, text := range o.mapOwners {
		m, err := restore.ParseOwnerMap(text)
		if err != nil {
			return nil, usagef("--map-owner: %v", err)
		}
		out = append(out, m)
	}
	if err := restore.CheckOwnerMaps(out); err != nil {
		return nil, usagef("--map-owner: %v", err)
	}
	return out, nil
}

// sourceMaps are the sources that are mapped.
func (o restoreOptions) sourceMaps() ([]restore.SourceMap, error) {
	var out []restore.SourceMap
	for _, text := range o.maps {
		m, err := restore.ParseSourceMap(text)
		if err != nil {
			return nil, usagef("--map: %v", err)
		}
		out = append(out, m)
	}
	return out, nil
}

// moved adds to a request what a move to another machine needs: who is who here, and what the backup is compared with.
func (s *session) moved(req *restore.Request, o restoreOptions) (err error) {
	if req.Owners, err = o.owners(); err != nil {
		return err
	}
	if req.Maps, err = o.sourceMaps(); err != nil {
		return err
	}
	for _, d := range s.Dimensions() {
		req.Declared = append(req.Declared, restore.Declared{Service: d.Service, Variable: d.Variable, Dimension: d.Value})
	}
	return nil
}

// hereIs is the name that a source of the backup has in the project.
func (o restoreOptions) hereIs(name string) string {
	maps, err := o.sourceMaps()
	if err != nil {
		return name // the request refuses it
	}
	for _, m := range maps {
		if m.From == name {
			return m.To
		}
	}
	return name
}
