#!/usr/bin/env bash
# Builds the release archives of all platforms into dist/ (make release), with dist/checksums.txt.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

platforms='linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64'

# Engines run on these, whatever the machine of the docker command is: their helper programs go with the plugin.
helper_machines='amd64 arm64'
helpers=

main() {
	cd "$repo"
	command -v zip >/dev/null || { may_set_up && need_packages zip; } || die "zip is missing: install it for the Windows archives"
	VERSION=${VERSION:-$(git describe --tags --always --dirty)}
	export VERSION=${VERSION#v}
	rm -rf dist
	mkdir dist
	helpers=$(mktemp -d)
	trap 'rm -rf "$helpers"' EXIT
	local platform arch
	for arch in $helper_machines; do
		step "build the helper for engines on linux/$arch"
		GOOS=linux GOARCH=$arch scripts/build.sh "$helpers/memsys-helper-linux-$arch"
	done
	for platform in ${PLATFORMS:-$platforms}; do pack "${platform%/*}" "${platform#*/}"; done
	(cd dist && sha256sum docker-memsys_* >checksums.txt.new && mv checksums.txt.new checksums.txt)
	step "made dist/ of version $VERSION"
	ls -l dist >&2
}

# pack OS ARCH makes the archive of one platform: the same bytes from the same commit and Go. The plugin itself is the helper for engines
# on its own platform.
pack() {
	local os=$1 arch=$2 name=docker-memsys_${VERSION}_$1_$2 stage program=docker-memsys machine
	local -a programs
	step "build $os/$arch"
	[ "$os" != windows ] || program=docker-memsys.exe
	stage=$(mktemp -d)
	GOOS=$os GOARCH=$arch scripts/build.sh "$stage/$program"
	programs=("$program")
	for machine in $helper_machines; do
		[ "$os/$arch" != "linux/$machine" ] || continue
		programs+=("memsys-helper-linux-$machine")
		cp "$helpers/memsys-helper-linux-$machine" "$stage/"
	done
	cp LICENSE README.md CHANGELOG.md install.sh "$stage/"
	TZ=UTC find "$stage" -exec touch -d "@$(git log -1 --format=%ct)" {} +
	tar --create --directory "$stage" --sort name --owner 0 --group 0 --numeric-owner "${programs[@]}" CHANGELOG.md LICENSE README.md install.sh |
		gzip --no-name --best >"dist/$name.tar.gz"
	[ "$os" != windows ] || (cd "$stage" && TZ=UTC zip --quiet -X - "${programs[@]}" CHANGELOG.md LICENSE README.md) >"dist/$name.zip"
	rm -rf "$stage"
}

main "$@"
