package guard

import "fmt"

// Mount is a place that a container of the project has mounted, where the compose file has another one.
type Mount struct {
	Service, Target string
	// Was is what the container has, Now what the compose file says: a path, or "volume NAME".
	Was, Now string
	// OtherDir is the folder that the container was made from, if not the project's.
	OtherDir         string
	LookWas, LookNow Look
}

// Former is a volume that the project had under another name, and the one that up would make.
type Former struct {
	// Project is the other name, Why what shows that it was this project's. It is the project's own where only the volume has another name.
	Project, Why string
	// Key is what the compose file calls the volume, Was and Now are the engine's names.
	Key, Was, Now    string
	LookWas, LookNow Look
}

// drift finds where up would come up with new, empty places since the project, its folder or its mounts have another name now.
func drift(f Facts) []Finding {
	if f.Command.Verb != "up" {
		return nil
	}
	var all []Finding
	for _, m := range f.Mounts {
		if was := m.lost(); was != "" {
			from, next := "", "put the compose file back, or move the data: docker memsys backup with the former compose file, docker memsys restore with this one"
			if m.OtherDir != "" {
				from, next = " made from "+m.OtherDir, "run it in "+m.OtherDir+", or give this one a name of its own: docker memsys -p NAME up"
			}
			all = append(all, loses(next, "the container of service %s%s has %s at %s, with %s; the compose file has %s there, where nothing is: it would come up empty",
				m.Service, from, m.Was, m.Target, was, m.Now))
		}
	}
	for _, v := range f.Former {
		was := moved(v.LookWas, v.LookNow)
		if was == "" {
			continue
		}
		next := "keep the name: docker memsys -p " + v.Project + " up, or name: " + v.Project + " in the compose file"
		what := fmt.Sprintf("the project is called %s now, and was %s (%s)", f.Project, v.Project, v.Why)
		if v.Project == f.Project {
			next = "keep its name: name: " + v.Was + " of volume " + v.Key + " in the compose file"
			what = "volume " + v.Key + " of the compose file has another name now"
		}
		all = append(all, loses(next, "%s: up would make volume %s, empty, and leave volume %s behind with %s", what, v.Now, v.Was, was))
	}
	return all
}

func (m Mount) lost() string { return moved(m.LookWas, m.LookNow) }

// moved is what would be left behind where a place is another now; empty where nothing is, or where the new place has data of its own.
func moved(was, now Look) string {
	if !now.see().empty() {
		return ""
	}
	in := was.see()
	if in.empty() {
		return ""
	}
	return in.String()
}
