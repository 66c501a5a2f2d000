#!/usr/bin/env bash
# Measures what docker memsys up costs over docker compose up where nothing has changed: scripts/bench-up.sh [--quick] [-- FLAG…]
#   --quick      few memories, three pairs: shows that everything runs, measures nothing worth keeping
#   FLAG…        flags of the runner, such as -pairs 40 -format json; all: -- -h
# An engine of its own is started (ENGINE=29, the default, or 20.10) with the sample memory system and 1000 memories (MEMORIES); root on
# Debian is needed. Nothing else should use the machine meanwhile. Fails where the goal is missed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

work=
memories=${MEMORIES:-1000}
flags=()

main() {
	options "$@"
	work=$(mktemp -d)
	chmod 755 "$work"
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	"$repo/scripts/engine.sh" start "${ENGINE:-29}" "$work/engine"
	"$repo/scripts/testenv.sh" "$work/engine"
	step "build the runner"
	CGO_ENABLED=0 go -C "$repo/bench" build -trimpath -o "$work/bench" .
	deploy
	step "measure"
	inside "$work/bench" up -project "$work/project" "${flags[@]}"
}

options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--quick)
			memories=200
			flags+=(-pairs 3)
			;;
		--help)
			sed -n '2,6s/^# \{0,1\}//p' "$0"
			exit
			;;
		--)
			shift
			flags+=("$@")
			return
			;;
		*) die "unknown option $1; see --help" ;;
		esac
		shift
	done
}

# inside runs a command where the engine is.
inside() { "$repo/scripts/engine.sh" exec "$work/engine" "$@"; }

deploy() {
	step "a sample memory system with $memories memories"
	mkdir "$work/project" "$work/state"
	cp "$repo/examples/memory-system/compose.yaml" "$work/project/"
	cat >"$work/project/.env" <<-END
		COMPOSE_PROJECT_NAME=memsystestbench
		MEMORY_SYSTEM_IMAGE=memsystest/memory-system:latest
		MEMORY_SYSTEM_CONTAINER=memsystestbench
		MEMORY_SYSTEM_HOME=$work/project/home
		MEMORY_SYSTEM_PORT=127.0.0.1:3000
	END
	export XDG_STATE_HOME="$work/state"
	cd "$work/project"
	inside docker compose --progress quiet run --rm --no-deps memory-system -seed "$memories"
}

finish() {
	[ ! -e "$work/engine/engine.pid" ] || "$repo/scripts/engine.sh" stop "$work/engine"
	cd /
	rm -rf "$work"
}

main "$@"
