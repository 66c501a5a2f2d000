# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/docker-memsys-testbed

step() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# in_ci says whether everything has to run: nothing may be left out, and packages and engines may be installed.
in_ci() { [ "${MEMSYS_CI:-}" = 1 ]; }

# left_out reports something that does not run here. In CI that is a failure.
left_out() {
	in_ci && die "left out, which CI does not allow: $*"
	printf -- '--- left out: %s\n' "$*" >&2
}

is_debian() { [ -r /etc/debian_version ] && command -v apt-get >/dev/null; }

# engine_answers says whether this user already has an engine.
engine_answers() { command -v docker >/dev/null && timeout 20 docker version >/dev/null 2>&1; }

# may_set_up says whether packages and engines may be installed and started here: in CI, and on a bare machine of root's.
may_set_up() { in_ci || { [ "$(id -u)" = 0 ] && is_debian && ! engine_answers; }; }

# need_packages PACKAGE… installs the Debian packages that are missing.
need_packages() {
	local missing=() package
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	{ [ "$(id -u)" = 0 ] && is_debian; } || die "install these packages first (on Debian root's call does it): ${missing[*]}"
	step "install packages: ${missing[*]}"
	locked packages install_packages "${missing[@]}"
}

install_packages() {
	apt_get update
	apt_get install --yes --no-install-recommends "$@"
}

# need_readers installs the other programs that tests read and write archives with.
need_readers() {
	local program lacking=
	for program in bsdtar python3 busybox zip 7z bzip2 xz zstd lz4 lzip; do command -v "$program" >/dev/null || lacking=1; done
	[ -z "$lacking" ] || need_packages libarchive-tools python3 busybox-static zip p7zip-full bzip2 xz-utils zstd lz4 lzip
}

apt_get() {
	local log
	log=$(mktemp)
	if ! DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		rm -f "$log"
		die "apt-get $1 failed"
	fi
	rm -f "$log"
}

# locked NAME COMMAND… runs a command while no other run of these scripts holds the lock NAME.
locked() {
	local name=$1
	shift
	mkdir -p "$cache"
	(
		flock 9
		"$@" 9>&-
	) 9>"$cache/$name.lock"
}

# tools prints the folder with the pinned lint and test programs, which it builds when they are missing.
tools() {
	local sum bin
	sum=$(cat "$repo/scripts/tools/go.mod" "$repo/scripts/tools/go.sum" | sha256sum | cut -c1-12)
	bin=$cache/tools-$(go env GOVERSION)-$sum
	if [ ! -e "$bin/.complete" ]; then
		step "build the lint and test programs of scripts/tools"
		locked tools build_tools "$bin"
	fi
	printf '%s\n' "$bin"
}

build_tools() {
	[ ! -e "$1/.complete" ] || return 0
	CGO_ENABLED=0 GOBIN=$1 go -C "$repo/scripts/tools" install tool
	touch "$1/.complete"
}

# run_tests NAME ARGUMENT… runs gotestsum and, in CI, fails if any test was skipped.
run_tests() {
	local name=$1 log bin
	shift
	bin=$(tools)
	log=$(mktemp)
	if ! "$bin/gotestsum" --format pkgname-and-test-fails --jsonfile "$log" "$@"; then
		rm -f "$log"
		die "$name failed"
	fi
	if grep -q '"Action":"skip".*"Test":' "$log" && in_ci; then
		rm -f "$log"
		die "$name: tests were skipped (listed above), which CI does not allow"
	fi
	rm -f "$log"
}
