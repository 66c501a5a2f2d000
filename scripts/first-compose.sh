#!/usr/bin/env bash
# Lays Debian's docker-compose 1.29, the first Compose, out in a folder without installing it: scripts/first-compose.sh FOLDER
# makes FOLDER/docker-compose. Needs Debian 12 and its packages.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

root=$cache/first-compose
packages=(docker-compose python3-{docker,dockerpty,docopt,dotenv,pyrsistent,jsonschema,texttable,websocket,requests,urllib3,certifi,charset-normalizer,chardet,idna,six,yaml,attr,distro,packaging,distutils,lib2to3})

main() {
	[ $# = 1 ] || die "usage: scripts/first-compose.sh FOLDER"
	is_debian || die "needs Debian"
	[ -e "$root/.complete" ] || locked first-compose unpack
	mkdir -p "$1"
	cat >"$1/docker-compose.new" <<-END
		#!/bin/sh
		PYTHONPATH=$root/usr/lib/python3/dist-packages exec /usr/bin/python3 $root/usr/bin/docker-compose "\$@"
	END
	chmod 755 "$1/docker-compose.new"
	mv "$1/docker-compose.new" "$1/docker-compose"
}

unpack() {
	[ ! -e "$root/.complete" ] || return 0
	step "fetch docker-compose 1.29 from Debian (once)"
	rm -rf "$root"
	mkdir -p "$root/packages"
	need_packages python3
	(cd "$root/packages" && apt_get download "${packages[@]}")
	local package
	for package in "$root"/packages/*.deb; do dpkg-deb --extract "$package" "$root"; done
	rm -rf "$root/packages"
	touch "$root/.complete"
}

main "$@"
