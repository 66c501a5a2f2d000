package guard

// Nameless is an anonymous volume that a container has mounted.
type Nameless struct {
	Container, Target string
	// Name is what docker memsys rescue calls it.
	Name string
	// Named tells that the compose file has a volume with a name or a folder at the place since.
	Named bool
	// Left says why up leaves it behind; empty where docker compose hands it on from container to container.
	Left func() string
	// Look is what was written into it since it was made.
	Look Look
	// Rescued tells that the place that it has now holds all of it.
	Rescued func() bool
}

// anonymous finds the volumes without a name that stay behind where nobody looks for them: the next container gets an empty one.
func anonymous(f Facts) []Finding {
	var all []Finding
	for _, v := range f.Nameless {
		if found := v.judge(f.Command); found != nil {
			all = append(all, *found)
		}
	}
	return all
}

func (v Nameless) judge(c Command) *Finding {
	why := ""
	switch {
	case c.Verb == "up":
		why = v.Left()
	case c.Verb == "down" && c.Volumes:
		why = "docker compose down --volumes deletes it, or leaves it where nobody looks for it"
	case c.Verb == "down":
		why = "docker compose down leaves it behind, and the next up makes an empty one"
	}
	if why == "" || v.Named && v.Rescued() {
		return nil
	}
	in := v.Look.see()
	if in.empty() {
		return nil
	}
	next := "docker memsys rescue " + v.Name
	if !v.Named {
		next = "give it a name in the compose file, then " + next
	}
	const format = "%s lies in a volume without a name at %s of %s: %s"
	if c.Verb == "down" && c.Volumes {
		found := notes(format, in, v.Target, v.Container, why)
		return &found
	}
	found := loses(next, format, in, v.Target, v.Container, why)
	return &found
}
