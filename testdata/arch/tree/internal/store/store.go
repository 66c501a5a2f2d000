// Package store knows who uses it.
package store

import _ "github.com/memsys/docker-memsys/internal/backup"
