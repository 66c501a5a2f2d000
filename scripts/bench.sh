#!/usr/bin/env bash
# Measures docker memsys against tar and other backup tools (make bench): scripts/bench.sh [OPTION…] [-- FLAG…]
#   --quick      a store of 60 MB, two rounds: shows that everything runs, measures nothing worth keeping
#   --docs       write docs/performance.md from the result
#   --install    install missing tools on Debian as root (in CI that is done without asking)
#   FLAG…        flags of the runner, such as -rounds 3 -scales 1 -format json -save FILE; all: -- -h
# Nothing else should use the machine meanwhile. With the default sizes about 7 GB of TMPDIR are used.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

work=
docs=
install=
flags=()

main() {
	options "$@"
	if in_ci || [ -n "$install" ]; then need_packages pigz zstd restic borgbackup; fi
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	step "build the plugin and the runner"
	"$repo/scripts/build.sh" "$work/docker-memsys"
	CGO_ENABLED=0 go -C "$repo/bench" build -trimpath -o "$work/bench" .
	step "measure"
	"$work/bench" run -plugin "$work/docker-memsys" -work "$work" -compose "$(compose_plugin)" -save "$work/result.json" "${flags[@]}"
	[ -z "$docs" ] || write_docs
}

options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--quick) flags+=(-size 60MB -scales 1 -rounds 2 -startups 5 -files 2000 -pairs 2) ;;
		--docs) docs=1 ;;
		--install) install=1 ;;
		--help)
			sed -n '2,8s/^# \{0,1\}//p' "$0"
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

# compose_plugin prints the Compose that the test bed has built, if it has; the runner looks where Docker does otherwise.
compose_plugin() { find "$cache" -path '*/compose-*/docker-compose' -print -quit 2>/dev/null || true; }

write_docs() {
	"$work/bench" report -in "$work/result.json" -format markdown >"$work/performance.md"
	mv "$work/performance.md" "$repo/docs/performance.md"
	note "wrote docs/performance.md"
}

main "$@"
