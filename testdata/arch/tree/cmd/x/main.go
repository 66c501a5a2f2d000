// Command x reaches past the command line.
package main

import _ "github.com/memsys/docker-memsys/internal/store"

func main() {}
