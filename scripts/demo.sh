#!/usr/bin/env bash
# Shows docker memsys at work on real data (make demo): a memory system is filled, backed up, damaged, found damaged and
# mended, and the restore is undone and done again. It needs Go, builds everything else into a temporary folder, needs no engine, and leaves nothing behind.
# Fails when any step does not end as it must.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

root=
service=
memsys=(docker-memsys)

main() {
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	set_up
	fill
	back_up
	damage
	find_damage
	mend
	undo
	title "Done: what was lost is back, byte for byte"
}

# title prints what comes next; show prints a command.
title() { if [ -t 1 ]; then printf "\n\033[1m# %s\033[0m\n" "$*"; else printf "\n# %s\n" "$*"; fi; }
show() { printf '\n$ %s\n' "$*"; }

# run shows a command and runs it.
run() {
	show "$@"
	"$@"
}

# must_fail shows a command, runs it, and keeps its output in $root/said: it has to fail.
must_fail() {
	show "$@"
	if "$@" >"$root/said" 2>&1; then
		cat "$root/said"
		die "this should have failed: $*"
	fi
	cat "$root/said"
}

# said FILE… fails unless the output kept last names every file.
said() {
	local file
	for file in "$@"; do
		grep -qF "$file" "$root/said" || die "the output does not name $file"
	done
}

set_up() {
	command -v go >/dev/null || die "Go is missing: install it from https://go.dev/dl/ and run this again"
	root=$(mktemp -d)
	mkdir -p "$root/bin" "$root/project" "$root/config/cli-plugins" "$root/state"
	step "build the plugin and the sample memory system"
	"$repo/scripts/build.sh" "$root/bin/docker-memsys"
	(cd "$repo" && CGO_ENABLED=0 go build -trimpath -o "$root/bin/memory-system" ./examples/memory-system/server)
	cp "$repo/examples/memory-system/compose.yaml" "$root/project/"
	printf 'MEMORY_SYSTEM_HOME=%s\n' "$root/project" >"$root/project/.env"
	mkdir "$root/project/data" "$root/project/logs" "$root/project/backups"
	export PATH="$root/bin:$PATH" XDG_STATE_HOME="$root/state" COMPOSE_PROJECT_NAME="memsys-demo-$$"
	unset COMPOSE_FILE COMPOSE_PROFILES COMPOSE_ENV_FILES
	if command -v docker >/dev/null; then
		ln -s "$root/bin/docker-memsys" "$root/config/cli-plugins/docker-memsys"
		export DOCKER_CONFIG="$root/config"
		memsys=(docker memsys)
	fi
	cd "$root/project"
}

fill() {
	title "A memory system runs, and is told 300 memories over HTTP"
	start_service
	run memory-system -fill 300
	run memory-system -get '/api/search?q=window&limit=1'
	settle
	sums >"$root/before"
}

back_up() {
	title "Back it up"
	run "${memsys[@]}" backup
	run "${memsys[@]}" list
	run "${memsys[@]}" verify
}

damage() {
	local memories
	title "Something goes wrong: a memory is cut short, one is deleted, an embedding is overwritten"
	memories=(data/memories/*.json)
	[ ${#memories[@]} = 300 ] || die "${#memories[@]} memories instead of 300"
	cut=${memories[10]} gone=${memories[20]} torn=data/embeddings/shard-00000.npy
	run truncate --size 40 "$cut"
	run rm "$gone"
	run dd if=/dev/zero of="$torn" bs=1 seek=5000 count=900 conv=notrunc status=none
}

find_damage() {
	title "The memory system notices"
	must_fail memory-system -get /health
	said "${cut#data/}" "${gone#data/}" "${torn#data/}"
	title "What differs from the backup"
	show "${memsys[@]}" restore latest --dry-run
	"${memsys[@]}" restore latest --dry-run >"$root/said" 2>&1 || die "the plan of the restore failed: $(cat "$root/said")"
	cat "$root/said"
	said "${cut#data/}" "${gone#data/}" "${torn#data/}"
}

mend() {
	title "Restore it"
	stop_service
	run "${memsys[@]}" restore latest --yes
	start_service
	run memory-system -get /health
	settle
	same_as_before
}

undo() {
	title "Was that a mistake? Undone, the damage is back. And that is undone too"
	stop_service
	run "${memsys[@]}" restore --undo --yes
	[ "$(wc -c <"$cut")" = 40 ] || die "the state from before the restore is not back"
	run "${memsys[@]}" restore --undo --yes
	same_as_before
	run "${memsys[@]}" list
}

same_as_before() {
	sums >"$root/after"
	diff "$root/before" "$root/after" || die "the restored data differs from the data that was backed up"
}

# start_service runs the memory system on a free port and waits until it is ready.
start_service() {
	local address='' try
	show "DATA_DIR=data LOG_DIR=logs HOST=127.0.0.1 PORT=0 memory-system &"
	: >"$root/service.log" # there when it is read, and without the address of a former run
	DATA_DIR=data LOG_DIR=logs HOST=127.0.0.1 PORT=0 memory-system >"$root/service.log" 2>&1 &
	service=$!
	for try in $(seq 300); do
		address=$(sed -n 's/.*msg=ready address=\([^ ]*\).*/\1/p' "$root/service.log")
		[ -z "$address" ] || break
		kill -0 "$service" 2>/dev/null || die "the memory system ended: $(cat "$root/service.log")"
		sleep 0.1
	done
	[ -n "$address" ] || die "the memory system was not ready after $((try / 10)) seconds"
	export SERVICE_URL=http://$address
}

stop_service() {
	show "kill $service   # the memory system"
	kill "$service"
	wait "$service" || die "the memory system ended with an error: $(cat "$root/service.log")"
	service=
}

# settle waits until the memory system has written its index, so that the data no longer changes.
settle() {
	local try
	for try in $(seq 300); do
		if memory-system -get /health | grep -q '"pending":0[,}]'; then return; fi
		sleep 0.1
	done
	die "the index was not written within $((try / 10)) seconds"
}

# sums prints a checksum of every data file.
sums() { find data -type f -print0 | sort -z | xargs -0 sha256sum; }

finish() {
	local code=$?
	trap - EXIT
	if [ -n "$service" ]; then
		kill "$service" 2>/dev/null || true
		wait "$service" 2>/dev/null || true
	fi
	[ -z "$root" ] || rm -rf "$root"
	exit "$code"
}

main "$@"
