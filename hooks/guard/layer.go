package guard

// Container is a container that may have data in its own writable layer.
type Container struct {
	// Name is the container's, Rescue what docker memsys rescue calls it.
	Name, Rescue string
	// Data is what lies there; it is asked for first. unseen says why it may be more than that.
	Data func() (data []Heap, unseen string)
	// Removed says why the command removes the container; empty where it does not.
	Removed func() string
}

// Heap is data in a folder of a container's layer.
type Heap struct {
	Folder, Size string
	// Chroma tells that it is a Chroma database, Fresh that it has no collection yet, Misplaced that the mount meant for it is at another place.
	Chroma, Fresh bool
	Misplaced     string
	// Mounted tells that the compose file has a place for it, Rescued that this place holds all of it.
	Mounted bool
	Rescued func() bool
}

// layer finds data in containers that the command removes: it goes with them.
func layer(f Facts) []Finding {
	if f.Command.Verb != "down" && f.Command.Verb != "up" {
		return nil
	}
	var all []Finding
	for _, c := range f.Layers {
		heaps, unseen := c.Data()
		if len(heaps) == 0 && unseen == "" {
			continue
		}
		why := c.Removed()
		if why == "" {
			continue
		}
		if unseen != "" {
			all = append(all, loses("docker diff "+c.Name+" says what has come into it", "what lies in the container's own layer of %s is not known (%s), and %s", c.Name, unseen, why))
		}
		for _, h := range heaps {
			if found := h.judge(c, why); found != nil {
				all = append(all, *found)
			}
		}
	}
	return all
}

func (h Heap) judge(c Container, why string) *Finding {
	if h.Mounted && h.Rescued != nil && h.Rescued() {
		return nil
	}
	what := "data (" + h.Size + ")"
	if h.Chroma {
		what = "a Chroma database (" + h.Size + ")"
	}
	if h.Chroma && h.Fresh {
		found := notes("%s, still without collections, lies in the container's own layer at %s of %s and goes with it", what, h.Folder, c.Name)
		return &found
	}
	next := "docker memsys rescue " + c.Rescue + ":" + h.Folder
	if !h.Mounted {
		next = "mount a volume or folder at " + h.Folder + " in the compose file, then " + next
	}
	text := ""
	if h.Misplaced != "" {
		text = ". " + h.Misplaced
	}
	found := loses(next, "%s lies in the container's own layer at %s of %s, in no mount, and %s%s", what, h.Folder, c.Name, why, text)
	return &found
}
