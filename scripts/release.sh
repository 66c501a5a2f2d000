#!/usr/bin/env bash
# Builds the release archives of all platforms into dist/ (make release), with dist/checksums.txt.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

platforms='linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64'

main() {
	cd "$repo"
	command -v zip >/dev/null || { may_set_up && need_packages zip; } || die "zip is missing: install it for the Windows archives"
	VERSION=${VERSION:-$(git describe --tags --always --dirty)}
	export VERSION=${VERSION#v}
	rm -rf dist
	mkdir dist
	local platform
	for platform in ${PLATFORMS:-$platforms}; do pack "${platform%/*}" "${platform#*/}"; done
	(cd dist && sha256sum docker-memsys_* >checksums.txt.new && mv checksums.txt.new checksums.txt)
	step "made dist/ of version $VERSION"
	ls -l dist >&2
}

# pack OS ARCH makes the archive of one platform: the same bytes from the same commit and Go.
pack() {
	local os=$1 arch=$2 name=docker-memsys_${VERSION}_$1_$2 stage program=docker-memsys
	step "build $os/$arch"
	[ "$os" != windows ] || program=docker-memsys.exe
	stage=$(mktemp -d)
	GOOS=$os GOARCH=$arch scripts/build.sh "$stage/$program"
	cp LICENSE README.md CHANGELOG.md install.sh "$stage/"
	TZ=UTC find "$stage" -exec touch -d "@$(git log -1 --format=%ct)" {} +
	tar --create --directory "$stage" --sort name --owner 0 --group 0 --numeric-owner "$program" CHANGELOG.md LICENSE README.md install.sh |
		gzip --no-name --best >"dist/$name.tar.gz"
	[ "$os" != windows ] || (cd "$stage" && TZ=UTC zip --quiet -X - "$program" CHANGELOG.md LICENSE README.md) >"dist/$name.zip"
	rm -rf "$stage"
}

main "$@"
