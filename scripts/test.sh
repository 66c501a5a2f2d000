#!/usr/bin/env bash
# Runs all tests (make test): the unit tests with the race detector, then the end-to-end tests.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$repo"
if may_set_up; then need_packages gcc libc6-dev; fi # the race detector needs them
step "unit tests"
if command -v gcc >/dev/null; then
	run_tests "unit tests" -- -race -timeout 10m ./...
else
	left_out "the race detector: there is no C compiler"
	run_tests "unit tests" -- -timeout 10m ./...
fi
step "tests of bench"
go -C bench test ./...
ENGINES=${ENGINES:-20.10} exec "$repo/scripts/e2e.sh"
