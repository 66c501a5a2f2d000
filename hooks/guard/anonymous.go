package guard

// Nameless is an anonymous volume that a container has mounted.
type Nameless struct {
	Container, Service, Target string
	// Now is what the compose file has at the place since: a path, or "volume NAME"; empty where it still has no name.
	Now string
	// Renewed tells that the command makes the container anew.
	Renewed bool
	// Look is what was written into it since it was made, LookNow what is in the place that it has now.
	Look, LookNow Look
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
	named := v.Now != ""
	switch {
	case c.Verb == "down", c.Verb == "up" && v.Renewed && c.Renew, c.Verb == "up" && named:
	default:
		return nil // docker compose hands it on from container to container
	}
	if named && v.Rescued != nil && v.Rescued() {
		return nil
	}
	in := v.Look.see()
	if in.empty() {
		return nil
	}
	next := "give it a name in the compose file, then docker memsys rescue " + v.Service + ":" + v.Target
	if named {
		next = "docker memsys rescue " + v.Service + ":" + v.Target
	}
	where := in.String() + " lies in a volume without a name at " + v.Target + " of " + v.Container
	switch {
	case c.Verb == "down" && c.Volumes:
		found := notes("%s: docker compose down --volumes deletes it, or leaves it where nobody looks for it", where)
		return &found
	case c.Verb == "down":
		found := loses(next, "%s: docker compose down leaves it behind, and the next up makes an empty one", where)
		return &found
	case named:
		found := loses(next, "%s: docker compose up puts %s there and leaves it behind", where, v.Now)
		return &found
	}
	found := loses(next, "%s: docker compose up --renew-anon-volumes leaves it behind and makes an empty one", where)
	return &found
}
