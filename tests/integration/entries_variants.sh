#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds the programs of the entries tests, with their bundles, in the ways in
# which users build theirs, and runs them: entries must not care for the
# compiler, its options or the linker.
#
# usage: entries_variants.sh COMMAND TESTS_BUILD_DIR
set -eu

[ $# -eq 2 ] || exit 2
tests=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$2/.." && pwd)
library=$build/lib/libhotpatch.so

skip() {
	echo "entries_variants.sh: skipped: $1"
	exit 77
}

[ -e "$library" ] || skip "there is no shared library"
if readelf -Ws --dyn-syms "$library" | grep -Eq ' __(a|t|ub)san_'; then
	skip "the library has sanitizers, which all of a program must share"
fi
case $(uname -m),$(LC_ALL=C readelf -h "$library" | grep Machine) in
x86_64,*X86-64 | aarch64,*AArch64) ;;
*) skip "the library is for another machine" ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

build_id() {
	LC_ALL=C readelf -n "$1" | sed -n 's/.*Build ID: //p'
}

# What the options of one program mean for its bundles, which are always
# position-independent.
for_bundles() {
	for option in "$@"; do
		case $option in
		-no-pie | -fno-pie) ;;
		*) echo "$option" ;;
		esac
	done
}

# try_program STEM SUFFIX COMPILER OPTION...: builds and runs one program.
try_program() {
	stem=$1
	suffix=$2
	compiler=$3
	shift 3
	host=$scratch/$stem
	rm -f "$scratch"/*
	# shellcheck disable=SC2046
	"$compiler" -D_GNU_SOURCE -DHOTPATCH_TEST_BUNDLES="\"$scratch\"" \
		-I"$tests/../include" -I"$build/include" "$@" \
		"$tests/integration/$stem.$suffix" \
		$(find "$tests/integration/$stem" -name '*.c') \
		-o "$host" -rdynamic -Wl,--build-id=sha1 "$library" \
		-Wl,-rpath,"$build/lib" -pthread \
		$(pkg-config --cflags --libs check) || return 1
	for source in "$tests/bundles/$stem"/*."$suffix"; do
		# shellcheck disable=SC2046
		"$compiler" -DHOTPATCH_TARGET_BUILD_ID="\"$(build_id "$host")\"" \
			-I"$tests/../include" -I"$build/include" \
			$(for_bundles "$@") "$source" -fPIC -shared \
			-fvisibility=hidden -Wl,--build-id=sha1 -Wl,-z,now \
			-o "$scratch/$(basename "$source" ".$suffix").so" ||
			return 1
	done
	# A bundle in the other language, where the test has one.
	for source in "$tests/bundles/$stem"/*.c; do
		[ "$suffix" = cc ] || break
		cc -DHOTPATCH_TARGET_BUILD_ID="\"$(build_id "$host")\"" \
			-I"$tests/../include" -I"$build/include" -O2 -fPIC \
			-fexceptions -shared -fvisibility=hidden \
			-Wl,--build-id=sha1 "$source" \
			-o "$scratch/$(basename "$source" .c).so" || return 1
	done
	"$host" >"$scratch/output" 2>&1
}

# variant STEM SUFFIX COMPILER OPTION...
variant() {
	command -v "$3" >/dev/null || return 0
	if try_program "$@"; then
		result=passed
	else
		result=failed
		failures=$((failures + 1))
	fi
	printf '%-8s %s\n' "$result" "$*"
	if [ "$result" = failed ] && [ -e "$scratch/output" ]; then
		cat "$scratch/output"
	fi
}

for compiler in gcc clang; do
	variant entries c "$compiler" -O0
	variant entries c "$compiler" -O2
	variant entries c "$compiler" -O2 -flto
	variant entries c "$compiler" -O2 -fcf-protection=full
	variant entries c "$compiler" -O2 -fno-pie -no-pie
	variant entries c "$compiler" -O2 -fPIC -fno-plt
	variant entries c "$compiler" -Os -ffunction-sections -fdata-sections \
		-Wl,--gc-sections
	variant entries c "$compiler" -O3 -fomit-frame-pointer -fno-ident
done
variant entries c clang -O2 -fuse-ld=lld
variant entries c gcc -O2 -fuse-ld=gold
variant entries c gcc -O2 -std=c11
for compiler in g++ clang++; do
	variant entries_cxx cc "$compiler" -O0
	variant entries_cxx cc "$compiler" -O2 -std=c++11
	variant entries_cxx cc "$compiler" -O2 -flto -std=c++20
	variant entries_cxx cc "$compiler" -O2 -fcf-protection=full
	variant entries_cxx cc "$compiler" -O2 -fno-pie -no-pie
done
[ "$failures" -eq 0 ]
