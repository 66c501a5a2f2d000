package audit

import (
	"io/fs"
	"os"
)

// giveTo does nothing: a file takes its rights from its folder here.
func giveTo(*os.File, fs.FileInfo) {}
