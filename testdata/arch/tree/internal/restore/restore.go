// Package restore may import its own parts.
package restore

import _ "github.com/memsys/docker-memsys/internal/restore/swap"
