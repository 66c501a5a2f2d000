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
	printf '%s\n' $$ >"$root/owner"
}

# run_tests_in ENGINE COMMAND… runs the test program by way of COMMAND. Its output goes through a pipe: as a child of
# test2json it would inherit ignored signals.
run_tests_in() {
	local engine=$1
	shift
	compare_projects
	go test -tags e2e -c -o "$root/e2e.test" ./e2e
	step "end-to-end tests on engine $engine"
	# shellcheck disable=SC2016 # the inner shell expands it
	run_tests "end-to-end tests on engine $engine" --raw-command -- \
		bash -o pipefail -c 'cd e2e && "$@" | go tool test2json -t -p "$0"' "e2e@$engine" \
		"$@" "$root/e2e.test" -test.v=test2json -test.timeout "${TIMEOUT:-30m}" ${RUN:+-test.run "$RUN"} &
	child=$!
	wait "$child"
	child=
}

# compare_projects holds the projects of compose/testdata to what docker compose itself sees; once, since no engine takes part.
compare_projects() {
	[ -z "$compared" ] || return 0
	compared=1
	step "compare projects with docker compose config"
	DOCKER_CONFIG=$root/config run_tests "comparison with docker compose" -- -tags e2e -run "${RUN:-DockerCompose}" ./compose
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
