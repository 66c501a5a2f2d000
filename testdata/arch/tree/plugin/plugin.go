// Package plugin starts programs.
package plugin

import _ "os/exec"

func init() {}
