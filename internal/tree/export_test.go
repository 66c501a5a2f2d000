package tree

// RevertUntil is Revert that can be stopped at a step, as a kill would.
var RevertUntil = revert

// Forget closes all folders that the Writer keeps open, so that the next entry opens them anew.
func (w *Writer) Forget() {
	w.dirs.close()
}
