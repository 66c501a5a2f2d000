#!/bin/sh
# Installs the Docker CLI plugin "docker memsys".
#
#   ./install.sh                       build this checkout and install it for this user
#   ./install.sh --from-file ARCHIVE   install a released archive after checking its checksum
#   ./install.sh --system              install for all users (with either of the above)
#   ./install.sh --uninstall           remove it again (with --system: for all users)
#
# For this user means ${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins. DESTDIR is put before the folders for all users.
set -eu

say() { printf '%s\n' "$*"; }
warn() { printf 'install.sh: %s\n' "$*" >&2; }
die() {
	warn "$@"
	exit 1
}

work=
staged=
clean_up() {
	[ -z "$work" ] || rm -rf "$work"
	[ -z "$staged" ] || rm -f "$staged" "$staged".*
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

usage() {
	sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"
}

main() {
	action=install archive='' system=''
	while [ $# -gt 0 ]; do
		case $1 in
		--system) system=1 ;;
		--uninstall) action=uninstall ;;
		--from-file)
			[ $# -ge 2 ] || die "--from-file needs the path of a released archive"
			archive=$2
			shift
			;;
		--from-file=*) archive=${1#*=} ;;
		-h | --help)
			usage
			return
			;;
		*)
			warn "unknown argument $1"
			usage >&2
			exit 2
			;;
		esac
		shift
	done
	umask 022
	here=$(cd "$(dirname "$0")" && pwd)
	target_dir
	[ "$action" = install ] || {
		uninstall
		return
	}
	install
}

# target_dir sets dir: the folder in which docker looks for plugins.
target_dir() {
	if [ -z "$system" ]; then
		[ -n "${DOCKER_CONFIG:-}${HOME:-}" ] || die "neither DOCKER_CONFIG nor HOME is set: where is this user's Docker configuration?"
		dir=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
		return
	fi
	for dir in /usr/local/lib /usr/local/libexec /usr/lib /usr/libexec; do
		dir=${DESTDIR:-}$dir/docker/cli-plugins
		[ ! -d "$dir" ] || return 0
	done
	dir=${DESTDIR:-}/usr/local/lib/docker/cli-plugins
}

uninstall() {
	if [ ! -e "$dir/docker-memsys" ] && [ ! -L "$dir/docker-memsys" ]; then
		say "docker memsys is not installed in $dir."
		return
	fi
	rm -f "$dir/docker-memsys" "$dir"/memsys-helper-linux-* 2>/dev/null || die "cannot remove $dir/docker-memsys: $(permission_hint)"
	say "Removed docker memsys from $dir. Backups and settings stay where they are."
}

# permission_hint says what to do when dir cannot be written.
permission_hint() {
	if [ -n "$system" ]; then
		say "run it as root (sudo $0 --system), or without --system for this user alone"
	else
		say "check the owner of that folder, or set DOCKER_CONFIG to one that is yours"
	fi
}

install() {
	work=$(mktemp -d)
	stage
	if [ -n "$archive" ]; then
		unpack "$archive"
	elif [ ! -e "$here/go.mod" ] && [ -f "$here/docker-memsys" ]; then
		cp "$here/docker-memsys" "$work/docker-memsys"
		for helper in "$here"/memsys-helper-linux-*; do
			[ ! -f "$helper" ] || cp "$helper" "$work/"
		done
	else
		build
	fi
	put_in_place
	if command -v docker >/dev/null 2>&1; then
		say "Installed docker memsys $version in $dir. Next, in a folder with a compose file: docker memsys backup --dry-run"
	else
		warn "docker was not found. Install Docker's command line (https://docs.docker.com/engine/install/); until then the plugin runs by itself:"
		say "Installed docker memsys $version in $dir. Next, in a folder with a compose file: $dir/docker-memsys backup --dry-run"
	fi
}

build() {
	[ -e "$here/go.mod" ] || die "there is no source beside $0: run it in a checkout, or use --from-file with a released archive"
	check_go
	say "Building docker memsys (the first time takes a minute or two) ..."
	"$here/scripts/build.sh" "$work/docker-memsys" || die "the build failed; what go said stands above"
	[ "$(uname -s)" != Linux ] || return 0
	for arch in amd64 arm64; do # engines run on Linux, so this machine's own program cannot be their helper
		GOOS=linux GOARCH=$arch "$here/scripts/build.sh" "$work/memsys-helper-linux-$arch" || die "the build of the helper failed; what go said stands above"
	done
}

# check_go refuses a Go that is missing or older than the go line of go.mod.
check_go() {
	needed=$(sed -n 's/^go \([0-9.]*\).*/\1/p' "$here/go.mod")
	hint="install Go $needed or newer (https://go.dev/dl/), or use --from-file with a released archive, which needs no Go"
	command -v go >/dev/null 2>&1 || die "go was not found: $hint"
	found=$(cd "$here" && go env GOVERSION) || die "go does not work here: $hint"
	found=$(say "$found" | sed 's/^.*go\([0-9][0-9.]*\).*$/\1/')
	[ "$(number "$found")" -ge "$(number "$needed")" ] || die "go $found is too old: $hint"
}

# number turns a version such as 1.26.8 into a number that can be compared.
number() {
	say "$1" | awk -F. '{ printf "%d\n", ($1 * 1000 + $2) * 1000 + $3 }'
}

# unpack ARCHIVE checks a released archive against the checksum beside it and takes the program out of it.
unpack() {
	case $1 in *.tar.gz) ;; *) die "$1 is not a released archive for this system: its name ends in .tar.gz" ;; esac
	[ -r "$1" ] || die "cannot read $1"
	expected=$(expected_sum "$1")
	[ -n "$expected" ] || die "no checksum of $(basename "$1") was found: put $(basename "$1").sha256 or the release's checksums.txt beside it"
	actual=$(sha256 "$1")
	[ "$actual" = "$expected" ] || die "the checksum of $1 is wrong: download it again
  expected $expected
  found    $actual"
	tar -xzf "$1" -C "$work" docker-memsys 2>"$work/tar.log" ||
		die "$1 does not hold docker-memsys: $(cat "$work/tar.log")"
	for helper in $(tar -tzf "$1" | sed -n '/^memsys-helper-linux-[a-z0-9]*$/p'); do
		tar -xzf "$1" -C "$work" "$helper" 2>"$work/tar.log" || die "cannot unpack $helper of $1: $(cat "$work/tar.log")"
	done
	for file in "$work/docker-memsys" "$work"/memsys-helper-linux-*; do
		{ [ -L "$file" ] || [ -e "$file" ]; } || continue
		{ [ ! -L "$file" ] && [ -f "$file" ]; } || die "$(basename "$file") in $1 is not a plain file"
	done
}

# expected_sum ARCHIVE prints the one checksum that the file beside the archive has for it, and nothing if it has none or two.
expected_sum() {
	for sums in "$1.sha256" "$(dirname "$1")/checksums.txt"; do
		[ -r "$sums" ] || continue
		awk -v name="$(basename "$1")" '
			{ file = $2; sub(/^\*/, "", file) }
			NF == 2 && file == name && length($1) == 64 && $1 !~ /[^0-9a-f]/ { count++; sum = $1 }
			END { if (count == 1) print sum }' "$sums"
		return
	done
}

sha256() {
	if command -v sha256sum >/dev/null 2>&1; then
		sha256sum <"$1" | cut -d ' ' -f 1
	elif command -v shasum >/dev/null 2>&1; then
		shasum -a 256 <"$1" | cut -d ' ' -f 1
	elif command -v openssl >/dev/null 2>&1; then
		openssl dgst -sha256 <"$1" | sed 's/.*[= ]//'
	else
		die "sha256sum, shasum or openssl is needed to check the archive"
	fi
}

# stage makes a temporary file in dir, before the work of building, so that a folder that cannot be written is told at once.
stage() {
	mkdir -p "$dir" 2>/dev/null || die "cannot make the folder $dir: $(permission_hint)"
	find "$dir" -name '.docker-memsys.*' -mtime +0 -exec rm -f {} + 2>/dev/null || true # an installation that was killed
	staged=$(mktemp "$dir/.docker-memsys.XXXXXX" 2>/dev/null) || die "cannot write to $dir: $(permission_hint)"
	[ ! -d "$dir/docker-memsys" ] || die "$dir/docker-memsys is a folder: remove it first"
}

# put_in_place gives the program its name when it is complete and answers as a plugin does on this machine: a docker that
# runs meanwhile sees the old one or the new one.
put_in_place() {
	cat "$work/docker-memsys" >"$staged" || die "cannot write to $dir: is the disk full?"
	chmod 755 "$staged"
	metadata=$("$staged" docker-cli-plugin-metadata 2>&1) || die "the program does not run on this machine ($(uname -sm)): $metadata"
	case $metadata in *'"SchemaVersion"'*) ;; *) die "the program is no Docker CLI plugin; it says: $metadata" ;; esac
	version=$(say "$metadata" | sed -n 's/.*"Version": *"\([^"]*\)".*/\1/p' | head -n 1)
	put_helpers
	sync "$staged" 2>/dev/null || sync
	mv -f "$staged" "$dir/docker-memsys" || die "cannot write to $dir: $(permission_hint)"
	staged=
}

# put_helpers replaces the programs for engines on other machines, which must be of the plugin's own version: none before there is room
# for all of them.
put_helpers() {
	for helper in "$work"/memsys-helper-linux-*; do
		[ -f "$helper" ] || continue
		new=$staged.$(basename "$helper")
		{ cat "$helper" >"$new" && chmod 755 "$new"; } || die "cannot write to $dir: is the disk full?"
		sync "$new" 2>/dev/null || sync
	done
	for helper in "$work"/memsys-helper-linux-*; do
		[ -f "$helper" ] || continue
		mv -f "$staged.$(basename "$helper")" "$dir/$(basename "$helper")" || die "cannot write to $dir: $(permission_hint)"
	done
	for helper in "$dir"/memsys-helper-linux-*; do
		[ -f "$work/$(basename "$helper")" ] || rm -f "$helper"
	done
}

main "$@"
