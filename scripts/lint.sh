#!/usr/bin/env bash
# Checks the source (make lint) for all platforms: format, go vet, staticcheck, known vulnerabilities, shell scripts.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

main() {
	cd "$repo"
	local bin
	bin=$(tools)
	check_format "$bin/gofumpt"
	check_go "$bin/staticcheck"
	check_modules
	check_shell
	check_vulnerabilities "$bin/govulncheck"
}

check_format() {
	local wrong
	step "gofumpt"
	wrong=$(git ls-files --cached --others --exclude-standard '*.go' | while read -r f; do [ ! -e "$f" ] || echo "$f"; done | xargs "$1" -l)
	[ -z "$wrong" ] || die "not formatted by gofumpt (gofumpt -w): $wrong"
}

check_go() {
	local os
	for os in linux darwin windows; do
		step "go vet and staticcheck for $os"
		CGO_ENABLED=0 GOOS=$os go vet ./...
		CGO_ENABLED=0 GOOS=$os "$1" ./...
	done
	step "go vet and staticcheck of the end-to-end tests"
	go vet -tags e2e ./...
	"$1" -tags e2e ./...
	local module
	for module in bench e2e/writer; do
		step "go vet and staticcheck of $module"
		(cd "$module" && go vet ./... && "$1" ./...)
	done
}

check_modules() {
	local module
	step "go mod tidy and verify"
	for module in . bench e2e/writer scripts/compose scripts/tools; do
		go -C "$module" mod tidy -diff || die "go.mod or go.sum of $module is not tidy: go -C $module mod tidy"
	done
	go mod verify >/dev/null
}

check_shell() {
	step "shellcheck"
	if ! command -v shellcheck >/dev/null && may_set_up; then need_packages shellcheck; fi
	if ! command -v shellcheck >/dev/null; then
		left_out "shellcheck is not installed"
		return 0
	fi
	shell_scripts | xargs shellcheck --external-sources
}

# shell_scripts prints the files of this repository that begin with a shell's first line, or are named *.sh.
shell_scripts() {
	git ls-files --cached --others --exclude-standard | while read -r file; do
		[ -f "$file" ] || continue
		case $file:$(head -c 64 "$file" | tr -d '\0' | head -n 1) in
		*.sh:* | *:'#!'*sh) printf '%s\n' "$file" ;;
		esac
	done
}

# check_vulnerabilities is the one check that needs the outside: where its database cannot be reached it says so.
check_vulnerabilities() {
	local log
	step "govulncheck"
	log=$(mktemp)
	if ! timeout 300 "$1" ./... >"$log" 2>&1; then
		if grep -q 'Vulnerability #' "$log"; then
			cat "$log" >&2
			rm -f "$log"
			die "govulncheck found vulnerabilities"
		fi
		note "not checked: the vulnerability database cannot be reached ($(tail -n 1 "$log"))"
	fi
	rm -f "$log"
}

main "$@"
