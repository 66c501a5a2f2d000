package journal

// syncDir does nothing: Windows keeps the entries of folders safe by itself.
func syncDir(string) error { return nil }
