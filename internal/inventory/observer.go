package inventory

import "github.com/memsys/docker-memsys/internal/tree"

// Observer looks at the entries of a source as a whole: folders, links and files, whatever is in them. Each inspection has its own.
type Observer interface {
	Finisher
	// Checks are what it looks at.
	Checks() []Check
	// Observe is told each entry in the order of the walk, from its goroutine. It keeps little of it: a source may have millions.
	Observe(e *tree.Entry)
}

// Finisher is an Observer, and a Validator if it wants to be: it comes back once all files and stores were looked at.
type Finisher interface {
	// After records what can be said only now.
	After(r *Recorder)
}

// observers are those of a new inspection.
func observers(o Options) []Observer {
	return []Observer{
		newPermissions(o),
		newOwners(),
		newFolderLayout(o),
		dimensions{},
	}
}

// finish calls all who want to be called at the end.
func finish(vs []Validator, os []Observer, r *Recorder) {
	for _, v := range vs {
		if f, ok := v.(Finisher); ok {
			f.After(r)
		}
	}
	for _, o := range os {
		o.After(r)
	}
}
