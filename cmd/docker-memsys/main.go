// Command docker-memsys is the Docker CLI plugin "docker memsys".
package main

import "github.com/memsys/docker-memsys/plugin"

func main() { plugin.Main() }
