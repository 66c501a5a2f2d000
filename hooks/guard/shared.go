package guard

import "fmt"

// Source is a place that services and containers may write to.
type Source struct {
	Name string
	// External tells that it is meant to be shared with other projects.
	External bool
	// Store says what in it stands only one writer; empty where nothing does. It is asked for where there are several.
	Store   func() string
	Writers []Writer
}

// Writer is who may write to a source.
type Writer struct {
	// Name is "service app", or "container x of project y" for a Foreign one, which is no service of the project.
	Name    string
	Foreign bool
	// Runs counts its containers that run, Will those that will after the command.
	Runs, Will int
}

// shared finds sources that would get one more writer by the command: two that write whole files undo each other's work, and a store is damaged.
func shared(f Facts) []Finding {
	if !f.Command.Starts() {
		return nil
	}
	var all []Finding
	for _, s := range f.Sources {
		if found := s.judge(); found != nil {
			all = append(all, *found)
		}
	}
	return all
}

func (s Source) judge() *Finding {
	var names []string
	count, more, foreign := 0, false, false
	for _, w := range s.Writers {
		if w.Will == 0 {
			continue
		}
		count += w.Will
		more = more || w.Will > w.Runs
		foreign = foreign || w.Foreign
		if w.Will > 1 {
			w.Name += fmt.Sprintf(" (%d containers)", w.Will)
		}
		names = append(names, w.Name)
	}
	if count < 2 || !more {
		return nil
	}
	store := s.Store()
	next := "stop the other one, or mount it read-only where it is only read"
	switch {
	case store != "":
		found := loses(next, "source %s would be written by %s at once, and holds %s: what one writes the other undoes", s.Name, list(names), store)
		return &found
	case foreign && !s.External:
		found := loses(next, "source %s would be written by %s at once: what one writes the other undoes", s.Name, list(names))
		return &found
	}
	found := notes("source %s is written by %s", s.Name, list(names))
	return &found
}
