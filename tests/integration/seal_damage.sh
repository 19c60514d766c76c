#!/bin/sh
# SPDX-License-Identifier: MIT
# Damaged bundles and programs: hotpatch seal answers with an error, whatever
# was cut off or changed. Arguments: the command, and the folder in which the
# tests were built.
set -eu

command=$1
tests=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$2/.." && pwd)
# Every STEP bytes a file is cut, and a byte of it changed; sanitizers are slow.
step=64
if readelf -Ws --dyn-syms "$command" | grep -Eq ' __(a|t)san_'; then
	step=512
fi
if "$command" assess "$0" 2>&1 | grep -q E_UNSUPPORTED; then
	echo "skipped: the command was built without seal"
	exit 77
fi

directory=$(mktemp -d /tmp/hotpatch-seal-XXXXXX)
trap 'rm -rf "$directory"' EXIT

compile() {
	cc -g -fPIC -fvisibility=hidden -Wl,--build-id=sha1 \
		-Wl,--unresolved-symbols=ignore-all -Wl,-z,noseparate-code \
		-I"$tests/../include" -I"$build/include" "$@"
}

# survives ARGUMENT...: any answer will do, but not a signal's.
survives() {
	code=0
	"$command" "$@" >"$directory/output" 2>&1 </dev/null || code=$?
	[ "$code" -le 8 ] || {
		echo "failed: exit $code of: $*, step at $offset of $size" >&2
		cat "$directory/output" >&2
		exit 1
	}
}

# A damaged file at every step: $1 is the file, the rest what to do with it.
damage() {
	file=$1
	shift
	size=$(wc -c <"$file")
	offset=0
	while [ "$offset" -lt "$size" ]; do
		head -c "$offset" "$file" >"$directory/damaged"
		survives "$@"
		cp "$file" "$directory/damaged"
		printf '\377' | dd of="$directory/damaged" bs=1 \
			seek="$offset" conv=notrunc status=none
		survives "$@"
		offset=$((offset + step))
	done
}

compile "$tests/integration/seal/host.c" -pie -rdynamic -o "$directory/host"
compile "$tests/integration/seal/bundle.c" -shared -o "$directory/bundle.so" \
	-DHOTPATCH_SEAL_ROOM=512
"$command" seal "$directory/bundle.so" --target "$directory/host"

damage "$directory/bundle.so" seal "$directory/damaged" \
	--target "$directory/host" --dry-run
damage "$directory/host" seal "$directory/bundle.so" \
	--target "$directory/damaged" --dry-run
echo 'all promises kept'
