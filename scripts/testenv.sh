#!/usr/bin/env bash
# Makes what the end-to-end tests work with, without any registry: scripts/testenv.sh DIR
#   DIR/config   a DOCKER_CONFIG with Compose, built from its Go module, and the plugin of this checkout
#   DIR/images   the tests' images, imported into the engine of DIR, or else into the one that DOCKER_HOST names
# Run it again after a change of the plugin.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

main() {
	[ $# = 1 ] || die "usage: scripts/testenv.sh DIR"
	mkdir -p "$1"
	local dir
	dir=$(cd "$1" && pwd -P)
	mkdir -p "$dir/config/cli-plugins" "$dir/images"
	make_config "$dir/config/cli-plugins"
	if [ -e "$dir/engine.pid" ]; then eval "$("$repo/scripts/engine.sh" env "$dir")"; fi
	export DOCKER_CONFIG=$dir/config
	import_busybox "$dir/images"
	step "make the image of examples/memory-system"
	import_sample
	step "make the image of e2e/writer"
	import_writer "$dir/images" "$dir/config/tools"
	import_chroma "$dir"
	lay_out_first_compose "$dir/config/first-compose"
}

# lay_out_first_compose makes the first docker-compose for its test, where Debian's packages are at hand; only the full campaign insists.
lay_out_first_compose() {
	if [ "${MEMSYS_E2E_FULL:-}" = 1 ]; then
		"$repo/scripts/first-compose.sh" "$1"
	elif in_ci && ! "$repo/scripts/first-compose.sh" "$1"; then
		note "not tested: docker-compose 1, whose packages cannot be fetched"
	fi
}

# import_chroma makes the image of a real Chroma server where its packages are at hand. They come from outside, so that a machine which
# cannot fetch them leaves its test out, which is said; only the full campaign insists.
import_chroma() {
	if [ "${MEMSYS_E2E_FULL:-}" = 1 ]; then
		"$repo/scripts/chroma.sh" "$1"
	elif in_ci && ! timeout 120 "$repo/scripts/chroma.sh" "$1"; then
		note "not tested: backups of a real Chroma server, whose packages cannot be fetched"
	fi
}

make_config() {
	local compose
	compose=$cache/compose-$(cat "$repo/scripts/compose/go.mod" "$repo/scripts/compose/go.sum" | sha256sum | cut -c1-12)-$(go env GOVERSION)
	[ -x "$compose/docker-compose" ] || locked compose build_compose "$compose"
	replace "$compose/docker-compose" "$1/docker-compose"
	step "build the plugin"
	"$repo/scripts/build.sh" "$1/docker-memsys.new"
	mv "$1/docker-memsys.new" "$1/docker-memsys"
}

# replace FROM TO copies a file so that one that is running is not written to.
replace() { cp "$1" "$2.new" && mv "$2.new" "$2"; }

build_compose() {
	[ ! -x "$1/docker-compose" ] || return 0
	step "build Docker Compose from its Go module (once; a minute or two)"
	local package=github.com/docker/compose/v5 version
	version=$(go -C "$repo/scripts/compose" list -m -f '{{.Version}}' "$package")
	mkdir -p "$1"
	CGO_ENABLED=0 nice go -C "$repo/scripts/compose" build -trimpath \
		-ldflags "-s -w -X $package/internal.Version=$version" -o "$1/docker-compose.new" "$package/cmd"
	mv "$1/docker-compose.new" "$1/docker-compose"
}

# import_image DIR NAME CHANGE… imports the folder DIR as an image and removes the folder.
import_image() {
	local dir=$1 name=$2 changes=() change
	shift 2
	for change in 'LABEL memsys.testbed=1' "$@"; do changes+=(--change "$change"); done
	tar --create --directory "$dir" --owner 0 --group 0 . |
		docker image import "${changes[@]}" - "$name" >/dev/null || die "the engine did not import the image $name"
	rm -rf "$dir"
}

import_busybox() {
	local applet
	[ ! -e "${1%/images}/engine.pid" ] || need_packages busybox-static
	if ! busybox_is_static; then
		left_out "image memsystest/busybox and the tests that need it: a static /bin/busybox is missing (Debian: busybox-static)"
		return 0
	fi
	rm -rf "$1/busybox"
	mkdir -p "$1/busybox/bin" "$1/busybox/tmp" "$1/busybox/etc"
	echo root:x:0:0:root:/:/bin/sh >"$1/busybox/etc/passwd"
	cp /bin/busybox "$1/busybox/bin/"
	for applet in $(/bin/busybox --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$1/busybox/bin/$applet"
	done
	import_image "$1/busybox" memsystest/busybox:latest 'CMD ["sh"]'
}

# import_writer IMAGES TOOLS makes the program that writes without pause, as an image and for this machine to check copies with.
import_writer() {
	rm -rf "$1/writer"
	mkdir -p "$1/writer/data" "$1/writer/tmp" "$2"
	CGO_ENABLED=0 nice go -C "$repo/e2e/writer" build -trimpath -ldflags=-s -o "$2/writer" .
	cp "$2/writer" "$1/writer/writer"
	import_image "$1/writer" memsystest/writer:latest 'ENTRYPOINT ["/writer"]'
}

busybox_is_static() { [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1; }

import_sample() {
	"$repo/examples/memory-system/image.sh" memsystest/memory-system:latest >/dev/null || die "the image of examples/memory-system was not made"
}

main "$@"
