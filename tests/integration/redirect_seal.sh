#!/bin/sh
# SPDX-License-Identifier: MIT
# What hotpatch seal says of functions that nobody prepared, and what it records
# of them. Arguments: the command, and the folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
tests=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$2/.." && pwd)

[ "$(uname -m)" = x86_64 ] || exit 77
if "$command" assess "$0" 2>&1 | grep -q E_UNSUPPORTED; then
	echo "skipped: the command was built without seal"
	exit 77
fi

directory=$(mktemp -d /tmp/hotpatch-redirect-seal-XXXXXX)
trap 'rm -rf "$directory"' EXIT
. "$(dirname "$0")/scripts/common.sh"

quiet=
if cc -Werror -fno-ipa-ra -E -x c /dev/null >/dev/null 2>&1; then
	quiet=-fno-ipa-ra
fi

compile() {
	# No caller knows which registers a function leaves alone.
	cc -g -O2 $quiet -I"$tests/../include" -I"$build/include" \
		-I"$tests/integration/redirect_seal" "$@"
}

build_id() {
	LC_ALL=C readelf -n "$1" | sed -n 's/.*Build ID: //p'
}

bundle() {
	compile -fPIC -shared -fvisibility=hidden -Wl,--build-id=sha1 \
		-include "$directory/target.h" \
		"$tests/integration/redirect_seal/bundle.c" \
		-o "$directory/varied.so" "$@"
}

# refuses REASON:NAME SENTENCE OPTION...
refuses() {
	reason=$1
	sentence=$2
	shift 2
	bundle "$@"
	expect 3 seal "$directory/varied.so" --target "$directory/host"
	has "^refused $reason: .*$sentence"
	grep -q E_SEAL "$errors" || fail 'another status'
	[ "$(grep -c ^refused "$output")" -eq 1 ] ||
		fail 'more than one refusal'
}

compile -fPIE -pie -Wl,--build-id=sha1 -rdynamic \
	-Wl,--unresolved-symbols=ignore-all \
	"$tests/integration/redirect_seal/host.c" \
	"$tests/integration/redirect_seal/more.c" -o "$directory/host"
printf '#define HOTPATCH_TARGET_BUILD_ID "%s"\n' \
	"$(build_id "$directory/host")" >"$directory/target.h"

promise=build_without_redirection_says_so
bundle
if ! "$command" seal --dry-run "$directory/varied.so" \
	--target "$directory/host" >"$output" 2>&1 &&
	grep -q 'without redirection' "$output"; then
	has '^refused immutable:weigh'
	exit 0
fi

promise=function_is_recorded_where_it_lies
expect 0 seal "$directory/varied.so" --target "$directory/host"
expect 0 --json inspect "$directory/varied.so"
address=$(nm "$directory/host" | sed -n 's/ T weigh$//p')
size=$(nm -S "$directory/host" | sed -n 's/.* \(.*\) T weigh$/\1/p')
has "\"offset\": $(printf %d "0x$address"),"
has "\"size\": $(printf %d "0x$size"),"
has '"redirect": true'
expect 0 inspect "$directory/varied.so"
has '^weigh .*redirect'
expect 0 check "$directory/varied.so" --target "$directory/host"

promise=static_function_is_found_by_its_file
bundle -DSTATIC
expect 0 seal "$directory/varied.so" --target "$directory/host"
address=$(nm "$directory/host" | sed -n 's/ t check$//p')
expect 0 --json inspect "$directory/varied.so"
has "\"offset\": $(printf %d "0x$address"),"
refuses no-function:check 'there is no such function' -DOTHER_FILE

promise=one_of_several_is_told_by_its_file
bundle '-DTWIN="host.c"'
expect 0 seal "$directory/varied.so" --target "$directory/host"
bundle '-DTWIN="more.c"'
expect 0 seal "$directory/varied.so" --target "$directory/host"
refuses no-function:twin 'several' '-DTWIN=""'

promise=layout_and_signature_are_compared
refuses layout:item.size 'size of struct item' -DSIZE_TYPE=char
refuses signature:weigh 'long' -DPARAMETER=long

promise=function_that_is_not_there_is_refused
refuses no-function:no_such_function 'there is no such function' -DMISSING
refuses no-function:dissolved 'inlined everywhere' -DDISSOLVED

promise=prepared_function_is_refused
refuses prepared:ready 'prepared' -DPREPARED

promise=function_that_cannot_be_redirected_is_refused_with_the_reason
refuses immutable:loops 'a loop of its own leads back' -DLOOPS

promise=copies_are_told
refuses copy:small 'main has a copy' -DSMALL

promise=separate_debugging_information_is_found
mkdir -p "$directory/debug"
objcopy --only-keep-debug "$directory/host" "$directory/debug/host.debug"
objcopy --strip-all --add-gnu-debuglink="$directory/debug/host.debug" \
	"$directory/host" "$directory/stripped"
bundle -DSTATIC
expect 1 seal "$directory/varied.so" --target "$directory/stripped"
expect 0 seal "$directory/varied.so" --target "$directory/stripped" \
	--debug-dir "$directory/debug"
expect 0 --json inspect "$directory/varied.so"
has "\"offset\": $(printf %d "0x$address"),"

promise=sealing_again_changes_nothing
cp "$directory/varied.so" "$directory/again.so"
expect 0 seal "$directory/again.so" --target "$directory/host"
cmp "$directory/varied.so" "$directory/again.so"

echo 'all promises kept'
