#!/usr/bin/env bash
# Makes the golden Chroma stores of internal/inventory/testdata/chroma again, with real servers: scripts/chroma-stores.sh
# Chroma 1.5.9 is the one that scripts/chroma.sh fetches (run that first); Chroma 1.0.0 is fetched here (110 MB), into the same cache.
# Needs node, npm, python3 and amd64.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

new=$cache/chroma-1.3.4/root
old=$cache/chroma-1.0.5
stores=$repo/internal/inventory/testdata/chroma
port=${PORT:-18299}
# shellcheck disable=SC2016 # node reads it
start='require(process.argv[1]).cli(["chroma", ...process.argv.slice(2)])'

main() {
	[ -e "$new/chroma.node" ] || die "run scripts/chroma.sh first: it fetches Chroma 1.5.9"
	[ -e "$old/.complete" ] || locked chroma-1.0.5 fetch_old
	local dir
	dir=$(mktemp -d)
	# shellcheck disable=SC2064 # now
	trap "rm -rf '$dir'" EXIT
	local run=(run --path "{data}" --host 127.0.0.1 --port "{port}")
	local newest=("$new/lib64/ld-linux-x86-64.so.2" --library-path "$new/usr/lib/x86_64-linux-gnu" "$new/usr/bin/node" -e "$start" -- "$new/chroma.node" "${run[@]}")
	local oldest=(node -e "$start" -- "$old"/node_modules/*/chromadb-js-bindings.linux-x64-gnu.node "${run[@]}")
	cd "$dir"
	step "Chroma 1.5.9"
	python3 "$stores/make.py" real "$dir/chroma-1.5.9" "$port" "${newest[@]}"
	python3 "$stores/make.py" real "$dir/chroma-1.5.9-unpurged" "$port" --unpurged "${newest[@]}"
	step "Chroma 1.0.0"
	python3 "$stores/make.py" real "$dir/chroma-1.0.0" "$port" "${oldest[@]}"
	step "the form of Chroma 0.4"
	python3 "$stores/make.py" old "$dir/chroma-1.5.9" "$dir/chroma-0.4"
	for store in "$dir"/chroma-*; do python3 "$stores/make.py" pack "$store" "$stores/${store##*/}.tar.gz"; done
}

fetch_old() {
	[ ! -e "$old/.complete" ] || return 0
	rm -rf "$old"
	mkdir -p "$old"
	npm install --silent --no-audit --no-fund --prefix "$old" chromadb-js-bindings-linux-x64-gnu@1.0.5
	touch "$old/.complete"
}

main "$@"
