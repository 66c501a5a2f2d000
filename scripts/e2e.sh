#!/usr/bin/env bash
# Runs the end-to-end tests (make e2e). On a bare machine of root's, and in CI, it starts the engines itself, one after
# the other, and stops them on every way out; where an engine answers already it uses that one and installs nothing.
#   ENGINES  engines to start, default "20.10 29"     RUN   only the tests that match this expression
#   FULL=1   campaigns in full instead of a sample    SEED  draws the samples; printed, so that a run can be repeated
set -euo pipefail
set -m # a process group for the tests, so that a signal to this script reaches all of them
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

prefix=${MEMSYS_E2E_TMP:-/tmp}/memsys-e2e.
root=
child=
compared=

main() {
	cd "$repo"
	sweep
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	export MEMSYS_E2E_SEED=${SEED:-$(date +%s)} MEMSYS_E2E_FULL=${FULL:-}
	step "seed $MEMSYS_E2E_SEED (again with: make e2e SEED=$MEMSYS_E2E_SEED)"
	if may_set_up; then
		local version
		for version in ${ENGINES:-20.10 29}; do run_on_own "$version"; done
	elif engine_answers; then
		run_on_present
	else
		left_out "end-to-end tests: no engine answers, and without root on Debian none is started here"
	fi
}

run_on_own() {
	make_root
	need_readers
	need_packages openssh-server passwd
	"$repo/scripts/engine.sh" start "$1" "$root"
	export MEMSYS_E2E_OWN=1
	"$repo/scripts/testenv.sh" "$root"
	run_tests_in "$1" "$repo/scripts/engine.sh" exec "$root"
	finish
}

# run_on_present uses the engine that the user's docker talks to, through its address: the tests have a DOCKER_CONFIG of their own.
run_on_present() {
	local version bed reach=()
	left_out "engines 20.10 and 29: an engine answers already, so the tests use that one"
	DOCKER_HOST=${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}')}
	export DOCKER_HOST
	unset DOCKER_CONTEXT
	bed=${DOCKER_HOST#unix://}
	bed=${bed%/docker.sock}
	[ ! -e "$bed/engine.pid" ] || reach=("$repo/scripts/engine.sh" exec "$bed") # an engine started by hand, in its own network
	version=$(docker version --format '{{.Server.Version}}')
	make_root
	"$repo/scripts/testenv.sh" "$root"
	run_tests_in "$version" "${reach[@]}" env DOCKER_CONFIG="$root/config" MEMSYS_E2E_ENGINE="$version"
	docker image rm --force memsystest/busybox:latest memsystest/memory-system:latest >/dev/null 2>&1 || true
	finish
}

make_root() {
	root=$(mktemp -d "${prefix}XXXXXX")
	chmod 755 "$root" # tests run the plugin as another user too
	printf '%s\n' $$ >"$root/owner"
}

# run_tests_in ENGINE COMMAND… builds the tests behind the tag e2e, wherever they lie, and runs them by way of COMMAND.
run_tests_in() {
	local engine=$1 dirs
	shift
	mapfile -t dirs < <(tagged | xargs -n 1 dirname | grep -vxF "$compared" | sort -u)
	compared=$'compose\ne2e/power' # need no engine: once is enough
	go test -tags e2e -c -o "$root/tests/" "${dirs[@]/#/./}"
	step "end-to-end tests on engine $engine: ${dirs[*]}"
	export -f each_package tests_of
	run_tests "end-to-end tests on engine $engine" --raw-command -- \
		bash -c 'each_package "$@"' bash "$engine" "$root/tests" "${dirs[*]}" "$@" &
	child=$!
	wait "$child"
	child=
}

tagged() { git grep -lE --untracked '^//go:build (.*[^a-z0-9])?e2e' -- '*_test.go'; }

# each_package ENGINE TESTS DIRS COMMAND… runs the test program of each package in the package's folder. The output
# goes through a pipe: as a child of test2json the program would inherit ignored signals.
each_package() {
	local engine=$1 tests=$2 dir status=0 names
	local -a dirs
	read -ra dirs <<<"$3"
	shift 3
	set -o pipefail
	for dir in "${dirs[@]}"; do
		names=$(tests_of "$dir")
		[ -n "$names" ] || continue
		(cd "$dir" && "$@" "$tests/${dir##*/}.test" -test.v=test2json -test.timeout "${TIMEOUT:-30m}" -test.parallel 4 -test.run "$names") |
			go tool test2json -t -p "$dir@$engine" || status=1
	done
	return "$status"
}

# tests_of DIR prints an expression for the tests of the files behind the tag, and of RUN; the unit tests beside them ran before.
tests_of() {
	case ${RUN:-} in */*)
		printf '%s\n' "$RUN"
		return
		;;
	esac
	grep -lE '^//go:build (.*[^a-z0-9])?e2e' "$1"/*_test.go | xargs sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*testing\.T).*/\1/p' |
		grep -E -- "${RUN:-}" | paste -sd '|' | sed 's/..*/^(&)$/'
}

# finish stops what this run started and removes what it wrote; it may run twice.
finish() {
	local status=$?
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -TERM -- "-$child" 2>/dev/null || true
		wait "$child" 2>/dev/null || true
		child=
	fi
	[ -z "$root" ] || discard "$root" || status=1
	root=
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	return "$status"
}

discard() {
	[ ! -e "$1/engine.pid" ] || "$repo/scripts/engine.sh" stop "$1" || return 1
	rm -rf --one-file-system "$1"
}

# sweep removes what runs left behind that were killed.
sweep() {
	local dir owner
	for dir in "$prefix"*; do
		[ -O "$dir/owner" ] || continue
		owner=$(cat "$dir/owner")
		if ! grep -qza e2e.sh "/proc/$owner/cmdline" 2>/dev/null; then
			step "remove what a killed run left in $dir"
			discard "$dir" || true
		fi
	done
}

main "$@"
