#!/bin/sh
# Builds the plugin: scripts/build.sh OUTPUT. GOOS and GOARCH choose the platform, VERSION the version it tells.
set -eu

output=${1:?usage: scripts/build.sh OUTPUT}
case $output in /*) ;; *) output=$PWD/$output ;; esac
cd "$(dirname "$0")/.."
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
plugin=github.com/memsys/docker-memsys/plugin
CGO_ENABLED=0 exec go build -trimpath -tags grpcnotrace \
	-ldflags "-s -w -X $plugin.version=${version#v} -X $plugin.commit=$commit" \
	-o "$output" ./cmd/docker-memsys
