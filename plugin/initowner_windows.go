package plugin

import "os"

// ownerOfFile: owners on Windows are no numbers, and engines there have files of their own.
func ownerOfFile(os.FileInfo) (owner, bool) { return owner{}, false }
