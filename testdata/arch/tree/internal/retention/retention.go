// Package retention is not pure.
package retention

import _ "github.com/memsys/docker-memsys/internal/store"
