#!/usr/bin/env bash
# Docker engines for the end-to-end tests, each in a folder and a network namespace of its own, so that it touches neither
# another engine, nor the host's firewall, nor docker0. What was started is found again by its recorded process id
# and by a mark in the environment of all that it started, never by a name.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

dockerd_version=v2.0.0-beta.24
containerd_version=v2.4.2
runc_version=v1.5.2
version_flag="-X github.com/moby/moby/v2/dockerversion.Version=29.0.0-$dockerd_version"

usage() {
	cat >&2 <<'TEXT'
usage: scripts/engine.sh COMMAND

  install VERSION          install or build an engine (20.10: Debian's; 29: from Go modules, about 10 minutes once)
  start VERSION DIR […]    start it in DIR (a short path; made if missing); further arguments are members of its configuration:
                             tcp=PORT            it listens on 127.0.0.1:PORT of its network too
                             userns-remap=USER   user ids of its containers are those of USER in /etc/subuid
                             rootless=USER       it runs without root's rights, as USER (in a network of its own: exec does not enter it)
  kill DIR                 kill it, as a crash would
  again DIR                start it again on what is there (not a rootless one)
  env DIR                  print shell lines that point docker at it:  eval "$(scripts/engine.sh env DIR)"
  exec DIR COMMAND…        run a command in its network, where its published ports answer on 127.0.0.1
  stop DIR                 stop it, remove its containers and everything it wrote in DIR
TEXT
	exit 2
}

engine_bin() { printf '%s\n' "$cache/engine-29-$dockerd_version-$containerd_version-$runc_version-$(go env GOVERSION)"; }

install_engine() {
	case $1 in
	20.10) install_debian ;;
	29) install_newest ;;
	*) die "unknown engine version $1: 20.10 or 29" ;;
	esac
}

install_debian() {
	need_packages docker.io containerd runc iptables iproute2
	case $(/usr/sbin/dockerd --version) in
	*' 20.10.'*) ;;
	*) die "Debian's engine here is not 20.10 but: $(/usr/sbin/dockerd --version)" ;;
	esac
}

install_newest() {
	need_packages iptables iproute2
	[ -e "$(engine_bin)/.complete" ] || locked engine-29 build_newest "$(engine_bin)"
}

# build_newest DIR builds dockerd with a runc, containerd and docker-proxy of the same age: Debian's are too old for it.
build_newest() {
	local bin=$1
	[ ! -e "$bin/.complete" ] || return 0
	need_packages libseccomp-dev pkg-config gcc libc6-dev
	step "build engine 29 from Go modules (once; about 10 minutes on two cores)"
	export GOBIN=$bin
	CGO_ENABLED=0 go_install \
		"github.com/containerd/containerd/v2/cmd/containerd@$containerd_version" \
		"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@$containerd_version"
	CGO_ENABLED=0 go_install \
		"github.com/moby/moby/v2/cmd/dockerd@$dockerd_version" \
		"github.com/moby/moby/v2/cmd/docker-proxy@$dockerd_version"
	CGO_ENABLED=1 go_install -tags seccomp "github.com/opencontainers/runc@$runc_version"
	touch "$bin/.complete"
}

go_install() {
	note "go install $*"
	(cd / && nice go install -trimpath -ldflags "-s -w $version_flag" "$@") 2> >(grep -v '^go: downloading' >&2)
}

start_engine() {
	local version=$1 dir=$2 dockerd=/usr/sbin/dockerd path=$PATH:/usr/sbin:/sbin
	shift 2
	[ "$(id -u)" = 0 ] || die "starting an engine needs root"
	[ ! -e "$dir/engine.pid" ] || die "an engine was already started in $dir: scripts/engine.sh stop $dir"
	[ ${#dir} -le 60 ] || die "the path $dir is too long for a socket: use one of at most 60 characters"
	install_engine "$version"
	if [ "$version" = 29 ]; then
		path=$(engine_bin):$path
		dockerd=$(engine_bin)/dockerd
	fi
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd -P)
	write_config "$dir" "$@"
	local serve="ip link set lo up && exec '$dockerd' --config-file '$dir/daemon.json'" user
	local -a around=(setsid unshare --net --)
	if user=$(rootless_user "$@"); then
		need_packages rootlesskit uidmap
		mapfile -t around < <(as_rootless "$user" "$dir")
		chown "$user:" "$dir"
		serve="rm -rf /run/docker /run/containerd /run/xtables.lock && ${serve/--config-file/--rootless --config-file}"
	fi
	step "start engine $version in $dir"
	MEMSYS_ENGINE_OWNER=$dir PATH=$path "${around[@]}" sh -c "$serve" >"$dir/engine.log" 2>&1 </dev/null &
	printf '%s %s\n' "$!" "$(start_time $!)" >"$dir/engine.pid"
	printf '%s\n' "$version" >"$dir/engine.version"
	wait_ready "$dir" $!
}

# kill_engine kills the engine, and with it its containerd; containers are left as the kernel leaves them.
kill_engine() {
	local dir pid child
	dir=$(cd "$1" 2>/dev/null && pwd -P) || die "no such folder: $1"
	pid=$(engine_pid "$dir") || die "no engine runs in $dir"
	step "kill engine $(cat "$dir/engine.version") in $dir"
	child=$(children "$pid")
	kill -KILL "$pid"
	for pid in $pid $child; do wait_gone "$pid"; done
}

start_again() {
	local dir dockerd=/usr/sbin/dockerd path=$PATH:/usr/sbin:/sbin
	dir=$(cd "$1" 2>/dev/null && pwd -P) || die "no such folder: $1"
	! engine_pid "$dir" >/dev/null || die "the engine of $dir runs"
	if [ "$(cat "$dir/engine.version")" = 29 ]; then
		path=$(engine_bin):$path
		dockerd=$(engine_bin)/dockerd
	fi
	rm -f "$dir/docker.pid" "$dir/exec/containerd/containerd.pid" # where nobody reaps them the dead look alive
	step "start engine $(cat "$dir/engine.version") in $dir again"
	MEMSYS_ENGINE_OWNER=$dir PATH=$path setsid unshare --net -- \
		sh -c "ip link set lo up && exec '$dockerd' --config-file '$dir/daemon.json'" \
		>>"$dir/engine.log" 2>&1 </dev/null &
	printf '%s %s\n' "$!" "$(start_time $!)" >"$dir/engine.pid"
	wait_ready "$dir" $!
}

# rootless_user SETTING… prints the user that the engine is to run as, or fails where that is root.
rootless_user() {
	local setting
	for setting in "$@"; do
		[ "${setting%%=*}" != rootless ] || { printf '%s\n' "${setting#*=}" && return; }
	done
	return 1
}

# as_rootless USER DIR prints the words before a command of a rootless engine, one a line: as USER, in namespaces in which that is root.
as_rootless() {
	printf '%s\n' setsid setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups --inh-caps -all -- \
		env "XDG_RUNTIME_DIR=$2" "HOME=$2" "USER=$1" \
		rootlesskit "--state-dir=$2/rootlesskit" --net=host --copy-up=/etc --copy-up=/run --propagation=rslave \
		unshare --net --
}

write_config() {
	local dir=$1 tcp='' more='' setting
	shift
	for setting in "$@"; do
		case $setting in
		tcp=*) tcp=", \"tcp://127.0.0.1:${setting#*=}\"" ;;
		userns-remap=*) more="\"userns-remap\": \"${setting#*=}\"," ;;
		rootless=*) ;;
		*) die "unknown setting $setting: tcp=PORT, userns-remap=USER or rootless=USER" ;;
		esac
	done
	cat >"$dir/daemon.json" <<JSON
{
  "data-root": "$dir/data",
  "exec-root": "$dir/exec",
  "pidfile": "$dir/docker.pid",
  "hosts": ["unix://$dir/docker.sock"$tcp], $more
  "log-opts": {"max-size": "5m"}
}
JSON
}

wait_ready() {
	local dir=$1 pid=$2 end=$((SECONDS + 90))
	until DOCKER_HOST=unix://$dir/docker.sock timeout 10 docker version >/dev/null 2>&1; do
		if ! running "$pid" || [ $SECONDS -ge $end ]; then
			tail -n 30 "$dir/engine.log" >&2
			MEMSYS_KEEP_LOG=1 stop_engine "$dir"
			die "the engine did not start; the end of its log stands above"
		fi
		sleep 0.1
	done
}

# stat_field PID N prints the Nth field behind the name in /proc/PID/stat.
stat_field() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f "$2"; }

# start_time PID prints when a process began, in clock ticks: with it a process id stands for one process for good.
start_time() { stat_field "$1" 20; }

running() { case $(stat_field "$1" 1) in '' | Z | X) return 1 ;; esac; }

# engine_pid DIR prints the process id of the engine of DIR, or fails if it does not run.
engine_pid() {
	local pid time
	[ -r "$1/engine.pid" ] || return 1
	read -r pid time <"$1/engine.pid"
	[ -n "$time" ] && [ "$(start_time "$pid")" = "$time" ] && running "$pid" && printf '%s\n' "$pid"
}

print_env() {
	local dir
	dir=$(cd "$1" 2>/dev/null && pwd -P) || die "no such folder: $1"
	engine_pid "$dir" >/dev/null || die "no engine runs in $1"
	printf 'export DOCKER_HOST=unix://%s/docker.sock\n' "$dir"
	[ ! -d "$dir/config" ] || printf 'export DOCKER_CONFIG=%s/config\n' "$dir"
	printf 'export MEMSYS_E2E_ENGINE=%s\n' "$(cat "$dir/engine.version")"
	printf 'unset DOCKER_CONTEXT\n'
}

exec_in() {
	local dir=$1 pid
	shift
	pid=$(engine_pid "$dir") || die "no engine runs in $dir"
	eval "$(print_env "$dir")"
	exec nsenter --net --target "$pid" -- "$@"
}

stop_engine() {
	local dir pid
	dir=$(cd "$1" 2>/dev/null && pwd -P) || die "no such folder: $1"
	[ -e "$dir/engine.pid" ] || die "no engine was started in $dir"
	step "stop engine $(cat "$dir/engine.version" 2>/dev/null) in $dir"
	if pid=$(engine_pid "$dir"); then
		remove_containers "$dir"
		kill -TERM "$pid" 2>/dev/null || true
		wait_gone "$pid"
	fi
	kill_rest "$dir"
	unmount_below "$dir"
	remove_files "$dir"
}

remove_containers() {
	local ids
	export DOCKER_HOST=unix://$1/docker.sock
	ids=$(timeout 20 docker ps --all --quiet 2>/dev/null) || return 0
	# shellcheck disable=SC2086 # one argument for each id
	[ -z "$ids" ] || timeout 60 docker rm --force --volumes $ids >/dev/null 2>&1 || true
}

wait_gone() {
	local end=$((SECONDS + 20))
	while running "$1" && [ $SECONDS -lt $end ]; do sleep 0.1; done
}

# kill_rest DIR ends what an engine left running: its own processes bear the mark, its containers are their children.
kill_rest() {
	local pid child _
	for _ in 1 2 3; do
		for pid in $(marked "$1"); do
			for child in $(children "$pid"); do
				kill -KILL "$child" 2>/dev/null || true
				thaw "$child"
			done
			kill -KILL "$pid" 2>/dev/null || true
		done
		[ -n "$(marked "$1")" ] || return 0
		sleep 0.2
	done
}

# marked DIR prints the processes that the engine of DIR started.
marked() {
	local environ
	for environ in /proc/[0-9]*/environ; do
		if grep -qzxF "MEMSYS_ENGINE_OWNER=$1" "$environ" 2>/dev/null; then
			environ=${environ#/proc/}
			printf '%s\n' "${environ%/environ}"
		fi
	done
}

children() {
	local stat pid
	for stat in /proc/[0-9]*/stat; do
		pid=${stat#/proc/}
		pid=${pid%/stat}
		[ "$(stat_field "$pid" 2)" != "$1" ] || printf '%s\n' "$pid"
	done
}

# thaw PID lets the processes of a paused container go on: only then a kill reaches them.
thaw() {
	local id controllers group
	while IFS=: read -r id controllers group; do
		case $id:$controllers in
		*:freezer) echo THAWED >"/sys/fs/cgroup/freezer$group/freezer.state" ;;
		0:) echo 0 >"/sys/fs/cgroup$group/cgroup.freeze" ;;
		esac
	done 2>/dev/null <"/proc/$1/cgroup" || true
}

unmount_below() {
	local point
	awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r point; do
		umount -l "$(printf '%b' "$point")" || true
	done
}

remove_files() {
	rm -rf --one-file-system "$1/data" "$1/exec" "$1/config" "$1/images" "$1/rootlesskit"
	rm -f "$1/docker.sock" "$1/docker.pid" "$1/daemon.json" "$1/engine.pid" "$1/engine.version"
	[ -n "${MEMSYS_KEEP_LOG:-}" ] || rm -f "$1/engine.log"
	rmdir "$1" 2>/dev/null || true
}

case ${1:-}:$# in
install:2) install_engine "$2" ;;
start:*)
	[ $# -ge 3 ] || usage
	shift
	start_engine "$@"
	;;
env:2) print_env "$2" ;;
stop:2) stop_engine "$2" ;;
kill:2) kill_engine "$2" ;;
again:2) start_again "$2" ;;
exec:*)
	[ $# -ge 3 ] || usage
	shift
	exec_in "$@"
	;;
*) usage ;;
esac
