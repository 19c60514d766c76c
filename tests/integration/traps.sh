#!/bin/sh
# SPDX-License-Identifier: MIT
# What compilers and linkers do to functions that nobody prepared, and that
# redirecting one would not reach or would break: each is found by its name, and
# what is said to break does break. Arguments: the command, and the folder in
# which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
tests=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$2/.." && pwd)
source=$tests/integration/traps

directory=$(mktemp -d /tmp/hotpatch-traps-XXXXXX)
trap 'rm -rf "$directory"' EXIT
. "$(dirname "$0")/scripts/common.sh"

"$command" assess "$0" >"$output" 2>&1 || true
if grep -q E_UNSUPPORTED "$output"; then
	echo 'skipped: the command was built without seal'
	exit 77
fi
if ! command -v gcc >/dev/null || [ "$(uname -m)" != x86_64 ]; then
	echo 'skipped: there is no gcc for x86-64'
	exit 77
fi

# compile COMPILER NAME OPTION...: a program that nobody runs.
compile() {
	compiler=$1
	name=$2
	shift 2
	"$compiler" -g -O2 -DQUIET -I"$tests/../include" -I"$build/include" \
		-Wl,--build-id=sha1 -Wl,--unresolved-symbols=ignore-all \
		-o "$directory/$name" "$@"
}

# assess NAME: what is said of its functions.
assess() {
	expect 0 assess "$directory/$1"
}

if compile gcc plain "$source/host.c" && assess plain &&
	grep -q 'built without redirection' "$output"; then
	echo 'skipped: the command was built without redirection'
	exit 77
fi

promise=caller_that_keeps_registers_is_named
assess plain
has '^leaf .*unprepared .*ipa-ra: direct keeps values in rsi, rdx across'
has '^count .*unprepared .*ipa-ra: result keeps values in .* its call of count'

promise=caller_further_up_is_named
has '^inner .*ipa-ra: indirect keeps values in .*middle, which leads to inner'

promise=every_such_caller_is_in_the_report
expect 0 --json assess "$directory/plain"
has '"reason": "ipa-ra"'
has '"sentence": "direct keeps values in rsi, rdx across its call of leaf'
has '"sentence": "branched .*keep.* values in .* across its call of leaf'
has '"redirect": '

promise=function_whose_callers_rely_on_nothing_is_accepted_with_its_tier
assess plain
has '^lonely .*redirect, tier [012] *$'
has '^show .*redirect, tier [012] *$'

promise=flag_that_forbids_it_is_believed
for flag in -fno-ipa-ra -O1 -O0 -pg; do
	compile gcc strict "$flag" "$source/host.c"
	assess strict
	lacks ipa-ra
	has '^leaf .*redirect, tier [012]'
done
compile gcc again -O0 -O2 -fipa-ra "$source/host.c"
assess again
has '^leaf .*ipa-ra'

promise=compiler_that_does_not_rely_on_it_is_believed
if command -v clang >/dev/null; then
	compile clang clang "$source/host.c"
	assess clang
	lacks ipa-ra
	has '^leaf .*redirect, tier [012]'
fi

promise=copies_are_named
assess plain
has '^small .*redirect, tier .*copy: with_a_copy has a copy of the body of'

promise=alias_of_the_source_is_no_trap
compile gcc strict -fno-ipa-ra "$source/host.c"
assess strict
has '^aliased .*redirect, tier [012] *$'
has '^forward .*redirect, tier [012] *$'

promise=functions_that_the_compiler_folded_are_named
has '^local_twin .*unprepared .*folded: local_twin and other_local_twin are'
has '^other_local_twin .*folded: .*no body of its own.*as local_twin'
compile gcc apart -fno-ipa-ra -fno-ipa-icf "$source/host.c"
assess apart
lacks folded

promise=function_that_became_a_jump_to_its_twin_is_named
compile gcc jump -fPIC -rdynamic -fno-ipa-ra "$source/jump.c"
LC_ALL=C objdump -d "$directory/jump" >"$directory/code"
grep -A1 '<second>:' "$directory/code" | grep -q 'jmp.*<first>' ||
	fail 'the compiler does otherwise'
assess jump
has '^first .*folded: first and second are the same code'
has '^second .*folded: second has no body of its own.*first'
has '^wrapper .*redirect, tier [012] *$'

promise=functions_that_the_linker_folded_are_named
for linker in gold lld; do
	command -v ld.$linker >/dev/null || continue
	compile gcc icf -fuse-ld=$linker -Wl,--icf=all -ffunction-sections \
		-fno-ipa-icf -fno-ipa-ra "$source/host.c"
	assess icf
	has '^twin .*folded: .*twin'
	has '^other_twin .*folded: .*twin'
	has '^lonely .*redirect, tier [012] *$'
done

promise=what_link_time_optimisation_hides_is_said
compile gcc lto -flto -fno-ipa-ra "$source/host.c"
assess lto
has '^lonely .*redirect, tier .*lto: lonely was optimised together with other'
compile gcc no-lto -flto -fno-lto -fno-ipa-ra "$source/host.c"
assess no-lto
lacks lto:

promise=clone_is_named_with_those_who_call_it
compile gcc clone -O3 -fno-ipa-ra "$source/clone.c" "$source/jump.c"
LC_ALL=C nm "$directory/clone" | grep -q 'cloned.constprop' ||
	fail 'the compiler makes none'
assess clone
has '^cloned .*copy: .*cloned.constprop.*called by .*use_one'

# bundle FUNCTION OPTION...: that redirects it, for any host.
bundle() {
	function=$1
	shift
	gcc -g -O2 -fPIC -shared -fvisibility=hidden -Wl,--build-id=sha1 \
		-I"$tests/../include" -I"$build/include" -D"$function" \
		-o "$directory/$function.so" "$source/bundle.c" "$@"
}

promise=seal_refuses_what_would_break_by_the_name_of_the_caller
bundle LEAF
expect 3 seal "$directory/LEAF.so" --target "$directory/plain"
has '^refused ipa-ra:leaf: direct keeps values in rsi, rdx across its call of'
grep -q E_SEAL "$errors" || fail 'another status'
expect 3 seal "$directory/LEAF.so" --target "$directory/plain" --explain leaf
has 'compile that file with -fno-ipa-ra'

promise=what_is_allowed_is_sealed_and_recorded
expect 0 seal "$directory/LEAF.so" --target "$directory/plain" \
	--allow ipa-ra:leaf
has '^allowed ipa-ra:leaf: direct keeps'
expect 0 inspect "$directory/LEAF.so"
has 'accepted ipa-ra:leaf'

promise=seal_takes_what_was_compiled_with_the_flag
bundle LEAF
expect 0 seal "$directory/LEAF.so" --target "$directory/strict"
lacks ipa-ra

promise=callers_that_the_bundle_brings_along_are_no_trap
bundle COUNT -DRESULT
expect 3 seal "$directory/COUNT.so" --target "$directory/plain"
lacks 'ipa-ra:count: result'
has '^refused ipa-ra:count: show'

promise=seal_refuses_what_was_folded
bundle TWIN
expect 3 seal "$directory/TWIN.so" --target "$directory/strict"
has '^refused folded:local_twin: .*other_local_twin'
bundle OTHER_TWIN
expect 3 seal "$directory/OTHER_TWIN.so" --target "$directory/strict"
has '^refused folded:other_local_twin: .*no body of its own'
expect 0 seal "$directory/TWIN.so" --target "$directory/apart"

promise=seal_warns_of_link_time_optimisation
bundle LONELY
expect 0 seal "$directory/LONELY.so" --target "$directory/lto"
has '^warning lto:lonely'

# The bundle's bodies change every register that a call may change.
# run_with NAME FUNCTION: what the host's functions return before and with it.
run_with() {
	id=$(LC_ALL=C readelf -n "$directory/$1" | sed -n 's/.*Build ID: //p')
	bundle "$2" -DHOTPATCH_TARGET_BUILD_ID="\"$id\""
	"$directory/$1" "$directory/$2.so" >"$output" \
		2>"$errors" || fail "the host refuses $2"
	sed -n 's/^before: //p' "$output" >"$directory/before"
	sed -n 's/^after: //p' "$output" >"$directory/after"
}

library=$build/lib/libhotpatch.so
if [ ! -e "$library" ] || readelf -Ws "$library" | grep -q ' __[at]san_init'; then
	echo 'the rest is left out: no library that a plain program can use'
	exit 0
fi
for flag in -fipa-ra -fno-ipa-ra; do
	gcc -g -O2 "$flag" -I"$tests/../include" -I"$build/include" -rdynamic \
		-Wl,--build-id=sha1 -o "$directory/run$flag" "$source/host.c" \
		"$library" -Wl,-rpath,"$build/lib"
done

promise=caller_that_was_named_does_break
for function in LEAF COUNT INNER; do
	run_with run-fipa-ra $function
	! cmp -s "$directory/before" "$directory/after" ||
		fail "nothing broke with $function"
done

promise=what_is_accepted_does_not_break
run_with run-fipa-ra LONELY
cmp "$directory/before" "$directory/after" || fail 'LONELY broke it'
for function in LEAF COUNT INNER LONELY; do
	run_with run-fno-ipa-ra $function
	cmp "$directory/before" "$directory/after" || fail "$function broke it"
done

echo 'all promises kept'
