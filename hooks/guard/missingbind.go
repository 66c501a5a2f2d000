package guard

// Bind is a folder or file of the host that a service mounts.
type Bind struct {
	Service, Target, Path string
	// Missing: it is not there, and would be made as an empty folder of root's. Empty: it is there, with nothing in it.
	Missing, Empty bool
	// Had tells why there must have been data in it: a backup has it, a container was made with it; empty where nothing is known.
	Had func() string
}

// missingBind finds folders of the host that are not there, or empty although they had data: a disk that is not mounted, a folder that was moved.
func missingBind(f Facts) []Finding {
	if !f.Command.Starts() {
		return nil
	}
	const next = "mount its disk, move it back, or docker memsys restore"
	var all []Finding
	for _, b := range f.Binds {
		if !b.Missing && !b.Empty {
			continue
		}
		had := ""
		if b.Had != nil {
			had = b.Had()
		}
		switch {
		case had != "" && b.Missing:
			all = append(all, loses(next, "%s is not there, and %s: service %s would come up with an empty folder of root's at %s", b.Path, had, b.Service, b.Target))
		case had != "":
			all = append(all, loses(next, "%s is empty, and %s: service %s would come up without its data at %s", b.Path, had, b.Service, b.Target))
		case b.Missing:
			all = append(all, notes("%s is not there: docker compose makes it, empty and owned by root, for service %s at %s", b.Path, b.Service, b.Target))
		}
	}
	return all
}
