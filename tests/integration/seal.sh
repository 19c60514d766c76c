#!/bin/sh
# SPDX-License-Identifier: MIT
# The promises of hotpatch seal, check and assess: what is refused, by which
# name, and that a sealed bundle is what it was. Compiles a host and variations
# of a bundle. Arguments: the command, and the folder in which the tests were
# built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
tests=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$2/.." && pwd)

"$command" --help | grep -q '^  seal' || exit 2
if "$command" assess "$0" 2>&1 | grep -q E_UNSUPPORTED; then
	echo "skipped: the command was built without seal"
	exit 77
fi

directory=$(mktemp -d /tmp/hotpatch-seal-XXXXXX)
trap 'rm -rf "$directory"' EXIT
. "$(dirname "$0")/scripts/common.sh"
compiler=cc

compile() {
	"$compiler" -g -O2 -I"$tests/../include" -I"$build/include" \
		-I"$tests/integration/seal" "$@"
}

# host NAME OPTION...: a program; nothing runs it, so it links no library.
host() {
	name=$1
	shift
	compile -fPIE -pie -Wl,--build-id=sha1 -rdynamic \
		-Wl,--unresolved-symbols=ignore-all \
		"$tests/integration/seal/host.c" -o "$directory/$name" "$@"
}

# bundle NAME OPTION...: of the one source, with variations.
bundle() {
	name=$1
	shift
	compile -fPIC -shared -fvisibility=hidden -Wl,--build-id=sha1 \
		-include "$directory/target.h" \
		"$tests/integration/seal/bundle.c" -o "$directory/$name" "$@"
}

build_id() {
	LC_ALL=C readelf -n "$1" | sed -n 's/.*Build ID: //p'
}

# refuses REASON:NAME SENTENCE OPTION...: a bundle with this variation.
refuses() {
	reason=$1
	sentence=$2
	shift 2
	bundle varied.so "$@"
	expect 3 seal "$directory/varied.so" --target "$directory/host"
	has "^refused $reason: .*$sentence"
	grep -q E_SEAL "$errors" || fail 'another status'
	[ -n "$also" ] || [ "$(grep -c ^refused "$output")" -eq 1 ] ||
		fail 'more than one refusal'
}
also=

# warns REASON:NAME SENTENCE OPTION...: it is sealed nevertheless.
warns() {
	reason=$1
	sentence=$2
	shift 2
	bundle varied.so "$@"
	expect 0 seal "$directory/varied.so" --target "$directory/host"
	has "^warning $reason: .*$sentence"
}

accepts() {
	bundle varied.so "$@"
	expect 0 seal "$directory/varied.so" --target "$directory/host"
	lacks '^refused'
}

set_target() {
	printf '#define HOTPATCH_TARGET_BUILD_ID "%s"\n' \
		"$(build_id "$directory/host")" >"$directory/target.h"
}

for compiler in cc gcc:clang clang:gcc; do
	host_compiler=${compiler%:*}
	bundle_compiler=${compiler#*:}
	command -v "$host_compiler" >/dev/null || continue
	command -v "$bundle_compiler" >/dev/null || continue
	compiler=$host_compiler
	host host
	set_target
	compiler=$bundle_compiler

	promise=unchanged_types_are_sealed
	accepts
	has 'is sealed for 1 build'

	promise=member_that_is_new_is_named
	refuses layout:session.note 'note of struct session is new' -DNOTE
	refuses layout:session.note 'new.*at offset 0;' -DNOTE_FIRST

	promise=member_that_is_gone_is_named
	refuses layout:session.total 'total of struct session is gone' \
		-DNO_TOTAL

	promise=array_that_got_longer_is_named
	refuses layout:session.name \
		'grew: char \[16\] in the host, char \[20\]' -DNAME_SIZE=20

	promise=array_that_got_shorter_is_named
	refuses layout:session.name 'shrank' -DNAME_SIZE=12

	promise=member_that_moved_is_named
	also=1
	refuses layout:session.id 'id of struct session moved' -DSWAPPED
	also=

	promise=member_of_another_type_is_named
	refuses layout:session.id 'changed its type: int in the host, float' \
		-DID_TYPE=float
	refuses layout:session.count 'grew: int in the host, long' \
		-DCOUNT_TYPE=long
	refuses layout:session.call 'changed its type' -DCALL_TYPE=long

	promise=bit_field_of_another_width_is_named
	refuses layout:session.mode 'mode of struct session grew' -DMODE_BITS=5

	promise=struct_inside_is_named_and_not_the_outer_one
	refuses layout:inner.value 'value of struct inner grew' \
		-DINNER_TYPE=long

	promise=struct_behind_a_pointer_is_named
	refuses layout:far_away.distance 'distance of struct far_away' \
		-DFAR_TYPE=long

	promise=unnamed_union_is_searched
	refuses layout:.*number 'grew: int in the host, long' \
		-DNUMBER_TYPE='long long'

	promise=changed_value_of_an_enum_is_named
	refuses enum:state.DONE \
		'DONE of enum state is 9 in the host and 8 in the bundle' \
		-DDONE_VALUE=8

	promise=new_value_of_an_enum_is_a_warning
	warns enum-member:state.FRESH_STATE 'FRESH_STATE of enum state is new' -DFRESH

	promise=other_parameter_is_refused
	refuses signature:handle 'parameter 2 of handle is int.*long' \
		-DPARAMETER=long
	refuses signature:handle 'the result of handle is int.*' \
		-DRESULT=float

	promise=import_of_another_type_is_refused
	refuses import-type:hidden 'is int in the host and long' -DIMPORT=long

	promise=type_that_is_known_by_name_only_is_a_warning
	warns 'opaque:struct inner' 'complete on one side only' -DNO_INNER
done
compiler=cc
host host
set_target

promise=thread_local_variable_is_refused
refuses thread-local:fresh_local 'fresh_local' -DTHREAD_LOCAL

promise=static_that_the_host_has_is_refused
refuses duplicate-static:hidden 'hidden of host.c would be there twice' \
	-DDUPLICATE
refuses duplicate-static:calls 'calls in handle of' -DDUPLICATE_LOCAL
accepts -DOWN_STATIC
expect 0 seal "$directory/varied.so" --target "$directory/host" \
	--explain own_count
has "included own_count: .*bundle's own"

promise=what_has_no_debugging_information_is_refused
compile -c -fPIC -fvisibility=hidden -g0 -include "$directory/target.h" \
	"$tests/integration/seal/bundle.c" -o "$directory/bare.o"
echo 'static int with_debug; int *with_debug_(void) { return &with_debug; }' \
	>"$directory/more.c"
compile -fPIC -shared -fvisibility=hidden -Wl,--build-id=sha1 \
	"$directory/bare.o" "$directory/more.c" -o "$directory/bare.so"
expect 3 seal "$directory/bare.so" --target "$directory/host"
has '^refused no-debug:handle'
has '^refused no-debug:hidden'

promise=function_that_was_not_prepared_is_refused
refuses no-slot:plain 'plain is not prepared for replacement' -DNO_SLOT
refuses no-slot:nowhere 'nowhere is not a function' -DNO_FUNCTION

promise=copy_in_the_host_is_refused_with_its_caller
host direct -DDIRECT
printf '#define HOTPATCH_TARGET_BUILD_ID "%s"\n' \
	"$(build_id "$directory/direct")" >"$directory/target.h"
bundle varied.so
expect 3 seal "$directory/varied.so" --target "$directory/direct"
has '^refused copy:handle: .*shortcut'

promise=copy_in_a_caller_that_is_replaced_is_covered
bundle varied.so -DREPLACE_SHORTCUT
expect 0 seal "$directory/varied.so" --target "$directory/direct"
set_target

promise=clone_that_the_compiler_made_is_found
host cloned -DCLONED
printf '#define HOTPATCH_TARGET_BUILD_ID "%s"\n' \
	"$(build_id "$directory/cloned")" >"$directory/target.h"
bundle varied.so
expect 3 seal "$directory/varied.so" --target "$directory/cloned"
has '^refused copy:handle: .*handle__original.constprop.0'
set_target

# Copies that a compiler does make, if there is one that makes them.
# made COMPILER NAME PATTERN OPTION...: a host with such a symbol.
made() {
	command -v "$1" >/dev/null || return 1
	compiler=$1
	name=$2
	pattern=$3
	shift 3
	host "$name" "$@"
	compiler=cc
	printf '#define HOTPATCH_TARGET_BUILD_ID "%s"\n' \
		"$(build_id "$directory/$name")" >"$directory/target.h"
	LC_ALL=C nm "$directory/$name" | grep -q "$pattern" ||
		fail "there is no $pattern"
}

promise=part_that_the_compiler_split_off_is_refused_with_its_callers
if made gcc split ' handle__original\.part\.0' -DSPLIT -fpartial-inlining; then
	bundle varied.so
	expect 3 seal "$directory/varied.so" --target "$directory/split"
	has '^refused copy:handle: shortcut has'
	grep -q E_SEAL "$errors" || fail 'another status'

	promise=part_is_covered_by_replacing_its_caller
	bundle varied.so -DREPLACE_SHORTCUT
	expect 0 seal "$directory/varied.so" --target "$directory/split"
	lacks '^refused'
fi

promise=copy_with_other_parameters_is_refused_with_its_callers
if made gcc shortened ' scan\.isra\.0' -DSHORTENED -fipa-sra -fno-ipa-ra; then
	bundle varied.so -DSCAN
	expect 3 seal "$directory/varied.so" --target "$directory/shortened"
	has '^refused immutable:scan: '
	if ! grep -q 'without redirection' "$output"; then
		has 'only scan.isra.0, .*called by scan_both'
	fi

	promise=assess_says_not_patchable_and_why
	expect 0 assess "$directory/shortened"
	has '^scan  .*unprepared  *\(immutable: of scan there is only scan.isra.0.*called by scan_both\|built without redirection\)'
	expect 0 --json assess "$directory/shortened"
	has '"way": "unprepared"'
fi
set_target

promise=helper_that_both_have_is_a_warning_with_the_callers
warns helper:check 'its own of check; .*other in the host' -DHELPER

promise=symbol_that_nobody_has_is_refused
refuses unresolved:no_such_function 'neither' -DUNRESOLVED
accepts -DRESOLVED

promise=import_that_is_nowhere_is_refused
refuses import:no_such_static 'host.c:no_such_static is nowhere' \
	-DIMPORT_MISSING

promise=what_outlives_the_code_is_a_warning
warns constructor:varied '1 constructor' -DCONSTRUCTOR
warns atexit:.*atexit 'exit' -DAT_EXIT
warns thread:pthread_create 'starts a thread' -DTHREAD
warns signal:sigaction 'handles a signal' -DSIGNAL
warns key:pthread_key_create 'key of threads' -DKEY

promise=library_that_the_host_has_not_is_a_warning
warns library:libm.so.6 'does not load' -DLIBM -Wl,--no-as-needed -lm

promise=all_problems_are_told_at_once
bundle varied.so -DNOTE -DDONE_VALUE=8 -DTHREAD_LOCAL -DDUPLICATE \
	-DUNRESOLVED -DKEY
expect 3 seal "$directory/varied.so" --target "$directory/host"
[ "$(grep -c ^refused "$output")" -eq 5 ] || fail 'not all of them'
has '^warning key'

promise=json_is_one_object_also_for_a_refusal
expect 3 --json seal "$directory/varied.so" --target "$directory/host"
[ "$(grep -c '^}' "$output")" -eq 1 ] || fail 'more than one object'
has '"reason": "layout"'
has '"name": "session.note"'
has '"code": "E_SEAL"'

promise=refused_bundle_is_not_written
cp "$directory/varied.so" "$directory/before.so"
expect 3 seal "$directory/varied.so" --target "$directory/host"
cmp "$directory/varied.so" "$directory/before.so" || fail 'it changed'

promise=explain_tells_what_to_do
expect 3 seal "$directory/varied.so" --target "$directory/host" \
	--explain session
has 'keep the layout'
lacks 'enum:'

promise=what_is_allowed_is_recorded
bundle varied.so -DNOTE
expect 0 seal "$directory/varied.so" --target "$directory/host" \
	--allow layout:session.note
has '^allowed layout:session.note'
expect 0 inspect "$directory/varied.so"
has 'accepted layout:session.note'
expect 0 seal "$directory/varied.so" --target "$directory/host" \
	--allow layout:session
expect 0 --json inspect "$directory/varied.so"
has '"name": "session"'

promise=allowance_of_nothing_is_refused
expect 2 seal "$directory/varied.so" --target "$directory/host" \
	--allow layout:session --allow enum:state
grep -q 'enum:state' "$errors" || fail 'it is not named'
expect 2 seal "$directory/varied.so" --target "$directory/host" \
	--allow nonsense

promise=seal_replaces_the_one_before
bundle varied.so
expect 0 seal "$directory/varied.so" --target "$directory/host" \
	--output "$directory/once.so"
expect 0 seal "$directory/once.so" --target "$directory/host" \
	--output "$directory/twice.so"
cmp "$directory/once.so" "$directory/twice.so" || fail 'it changed'

promise=facts_of_several_builds_are_kept
host second -DSECOND
expect 0 seal "$directory/varied.so" --target "$directory/host" \
	--target "$directory/second" --output "$directory/both.so"
has 'sealed for 2 builds'
for name in host second; do
	expect 0 check "$directory/both.so" --target "$directory/$name"
	has '^hotpatchable'
done
expect 2 seal "$directory/varied.so" --target "$directory/host" \
	--target "$directory/host"
bundle several.so -DNOTE
expect 3 seal "$directory/several.so" --target "$directory/host" \
	--target "$directory/second"
has "^refused layout:session.note: .*(.*/host)"
has "^refused layout:session.note: .*(.*/second)"
expect 0 inspect "$directory/both.so"
has "$(build_id "$directory/second").*sealed"

promise=build_that_was_not_given_is_a_warning
expect 0 seal "$directory/varied.so" --target "$directory/second" \
	--output "$directory/other.so"
has '^warning unsealed:program'

promise=stripped_host_is_enough_to_check
cp "$directory/host" "$directory/stripped"
strip "$directory/stripped"
expect 0 check "$directory/once.so" --target "$directory/stripped"
has '^hotpatchable'
expect 0 check "$directory/varied.so" --target "$directory/stripped"
has 'not sealed'

promise=debugging_information_is_missing
expect 1 seal "$directory/varied.so" --target "$directory/stripped"
grep -q E_NO_DEBUG "$errors" || fail 'another status'

promise=debug_file_is_found_by_build_id
id=$(build_id "$directory/host")
mkdir -p "$directory/debug/.build-id/${id%"${id#??}"}"
objcopy --only-keep-debug "$directory/host" \
	"$directory/debug/.build-id/${id%"${id#??}"}/${id#??}.debug"
expect 0 seal "$directory/varied.so" --target "$directory/stripped" \
	--debug-dir "$directory/debug" --output "$directory/debug.so"
cmp "$directory/once.so" "$directory/debug.so" || fail 'other facts'

promise=debug_file_is_found_by_its_link
objcopy --only-keep-debug "$directory/host" "$directory/host.debug"
(cd "$directory" && objcopy --add-gnu-debuglink=host.debug stripped linked)
expect 0 seal "$directory/varied.so" --target "$directory/linked" \
	--output "$directory/debug.so"
cmp "$directory/once.so" "$directory/debug.so" || fail 'other facts'

promise=debug_file_of_another_build_is_not_taken
cp "$directory/second" "$directory/host.debug"
expect 1 seal "$directory/varied.so" --target "$directory/linked"

promise=sealed_file_is_accepted_by_tools
LC_ALL=C readelf -Wa "$directory/once.so" 2>"$errors" >/dev/null
[ ! -s "$errors" ] || fail 'readelf complains'
cp "$directory/once.so" "$directory/small.so"
strip "$directory/small.so" 2>"$errors" || fail 'strip refuses'
[ ! -s "$errors" ] || fail 'strip complains'
expect 0 check "$directory/small.so" --target "$directory/host"
has '^hotpatchable'
expect 0 inspect "$directory/small.so"

promise=room_that_does_not_suffice_is_told
bundle varied.so -DHOTPATCH_SEAL_ROOM=64
cp "$directory/varied.so" "$directory/before.so"
expect 1 seal "$directory/varied.so" --target "$directory/host"
grep -q 'HOTPATCH_SEAL_ROOM=' "$errors" || fail 'it does not say how'
room=$(sed -n 's/.*HOTPATCH_SEAL_ROOM=\([0-9]*\).*/\1/p' "$errors")
cmp "$directory/varied.so" "$directory/before.so" || fail 'it changed'
accepts -DHOTPATCH_SEAL_ROOM="$room"

promise=bundle_without_a_target_gets_its_own_by_the_seal
cp "$directory/target.h" "$directory/kept.h"
: >"$directory/target.h"
bundle free.so
expect 3 inspect "$directory/free.so"
expect 0 seal "$directory/free.so" --target "$directory/host"
expect 0 check "$directory/free.so" --target "$directory/host"
has '^hotpatchable'
cp "$directory/kept.h" "$directory/target.h"

promise=check_tells_another_build_apart
expect 3 check "$directory/once.so" --target "$directory/second"
has '^not-for-this-build'
grep -q E_WRONG_TARGET "$errors" || fail 'another status'
expect 3 --json check "$directory/once.so" --target "$directory/second"
has '"verdict": "not-for-this-build"'
has '"reason": "build"'

promise=check_of_what_cannot_be_sealed_says_restart_and_why
bundle varied.so -DNOTE
expect 3 --json check "$directory/varied.so" --target "$directory/host"
has '"verdict": "restart-required"'
has '"name": "session.note"'
has '"code": "E_RESTART"'

promise=bundle_of_kind_restart_gives_that_answer
bundle restart.so -DRESTART
expect 0 seal "$directory/restart.so" --target "$directory/host" \
	--target "$directory/second"
for name in stripped second; do
	expect 3 check "$directory/restart.so" --target "$directory/$name"
	has '^restart-required'
done

promise=check_of_a_process_reads_its_program
sleep 600 &
pid=$!
code=0
"$command" check "$directory/once.so" --target "$pid" >"$output" 2>&1 ||
	code=$?
kill "$pid"
wait "$pid" 2>/dev/null || true
[ "$code" -eq 3 ] || fail "exit $code of another program's process"
has '^not-for-this-build'
expect 8 check "$directory/once.so" --target 99999999

promise=assess_tells_how_each_function_can_be_patched
expect 0 assess "$directory/direct"
has '^handle .*table .*inlined past the entry .*shortcut'
has '^plain .*\(redirect, tier\|unprepared .*built without redirection\)'
expect 0 --json assess "$directory/direct"
has '"way": "table"'
expect 1 assess "$directory/stripped"

promise=sealed_bundle_is_signed_along
if "$command" keygen "$directory/key" --no-password >"$output" 2>"$errors"; then
	expect 0 seal "$directory/once.so" --target "$directory/host" \
		--output "$directory/signed.so" --sign "$directory/key.key"
	has ' is sealed for 1 build in .*signed.so$'
	has 'signed.so is signed by the key '
	expect 0 verify-signature "$directory/signed.so" \
		--key "$directory/key.pub"
	expect 1 seal "$directory/once.so" --target "$directory/host" \
		--output "$directory/other.so" --sign "$directory/none.key"
	[ ! -e "$directory/other.so.minisig" ] || fail 'a signature of no key'
else
	grep -q E_UNSUPPORTED "$errors" || fail 'no key'
fi

promise=usage_is_checked
expect 2 seal "$directory/once.so"
expect 2 check "$directory/once.so"
expect 2 assess
expect 2 seal "$directory/once.so" --target x --policy wait
expect 1 seal "$directory/once.so" --target "$directory/none"
expect 1 seal "$directory/none" --target "$directory/host"
expect 3 seal "$directory/host" --target "$directory/host"
expect 3 seal "$directory/once.so" --target "$0"

echo 'all promises kept'
