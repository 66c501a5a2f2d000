#!/bin/sh
# Make the image of the sample without a registry: one static program in an otherwise empty image.
#
#   image.sh [TAG]          import it into the engine (default tag: memory-system:local)
#   image.sh -o FILE.tar    only write the tar for `docker import`
#   image.sh --changes      print the --change values for `docker import`, one a line
#
# GOARCH chooses the architecture. DOCKER is the docker command line (default: docker).
set -eu

changes() {
	cat <<'END'
ENTRYPOINT ["/server"]
EXPOSE 3000
WORKDIR /
END
}

# write_tar WORK FILE
write_tar() {
	top=$(cd "$(dirname "$0")/../.." && pwd)
	mkdir "$1/root" "$1/root/app" "$1/root/tmp"
	(cd "$top" && CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags=-s -o "$1/root/server" ./examples/memory-system/server)
	tar --numeric-owner --owner=0 --group=0 -C "$1/root" -cf "$2" server app tmp
}

# import WORK TAG
import() {
	write_tar "$1" "$1/image.tar"
	changes >"$1/changes"
	work=$1 tag=$2
	set --
	while IFS= read -r change; do
		set -- "$@" --change "$change"
	done <"$work/changes"
	"${DOCKER:-docker}" import "$@" "$work/image.tar" "$tag"
}

case "${1:-}" in
--changes)
	changes
	exit
	;;
-o) : "${2:?image.sh -o needs a file}" ;;
-*)
	echo "image.sh: unknown flag $1" >&2
	exit 2
	;;
esac
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
if [ "${1:-}" = -o ]; then
	write_tar "$tmp" "$2"
else
	import "$tmp" "${1:-memory-system:local}"
fi
