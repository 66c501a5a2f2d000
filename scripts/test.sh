#!/usr/bin/env bash
# Runs all tests (make test): the unit tests with the race detector, then the end-to-end tests.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

race=-race
if may_set_up; then
	need_packages gcc libc6-dev busybox-static # for the race detector; a second shell for install.sh
	need_readers
fi
if ! command -v gcc >/dev/null; then
	left_out "the race detector: there is no C compiler"
	race=
fi
export GORACE="atexit_sleep_ms=10 ${GORACE:-}" # tests start this program a thousand times: each would wait a second for late races
for module in . bench; do
	step "unit tests of module $module"
	cd "$repo/$module"
	run_tests "unit tests of module $module" -- ${race:+"$race"} -timeout 10m ./...
done
ENGINES=${ENGINES:-20.10} exec "$repo/scripts/e2e.sh"
