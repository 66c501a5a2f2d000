package guard

// Backup is what the project has to fall back to.
type Backup struct {
	// Limit is the setting max-age in words, empty where it is not set or the command makes a backup itself.
	Limit string
	// Age is that of the last good backup in words, empty where there is none; Old tells that it is more than the limit.
	Age string
	Old bool
}

// maxAge finds that the last good backup is too old for a command that makes none.
func maxAge(f Facts) []Finding {
	const next = "docker memsys backup, or leave --backup never out"
	switch b := f.Backup; {
	case b.Limit == "":
	case b.Age == "":
		return []Finding{loses(next, "there is no good backup, and max-age is %s", b.Limit)}
	case b.Old:
		return []Finding{loses(next, "the last good backup is %s old, and max-age is %s", b.Age, b.Limit)}
	}
	return nil
}
