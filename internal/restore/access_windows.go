package restore

// canWrite knows nothing on Windows: the first write tells.
func canWrite(string) error { return nil }
