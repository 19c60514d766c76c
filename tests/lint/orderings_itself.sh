#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The lint of orderings is not blind: copies of the sources with one thing
# wrong each do not pass it, and an untouched copy does.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

lint=$PWD/tests/lint/orderings.sh
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

fresh()
{
	rm -rf "${copy:?}"/*
	mkdir "$copy/tests"
	cp -r lib include "$copy"
	cp -r tests/model "$copy/tests"
}

# refused WHAT FILE EDIT: the lint names WHAT after sed EDIT of FILE
refused()
{
	fresh
	sed -i "$3" "$copy/$2"
	cmp -s "$2" "$copy/$2" && fail "nothing to edit by $3 in $2"
	if bash "$lint" "$copy" >"$copy/said"; then
		fail "passes: $3 in $2"
	fi
	grep -qF "$1" "$copy/said" || fail "says something else: $3 in $2"
}

fresh
bash "$lint" "$copy" || fail "does not pass as it is"
refused 'no row has task.c clean(): store_release' lib/task.c \
	'/^static void clean(/,/^}/s/hp_store_relaxed/hp_store_release/'
refused 'nothing in the code is slot.c hp_slot_detour(): store_release' \
	lib/slot.c '/^void hp_slot_detour/,/^}/s/hp_store_release/hp_store_relaxed/'
refused 'nothing in the code is aarch64/dispatch.S hotpatch_dispatch(): dmb' \
	lib/arch/aarch64/dispatch.S '/^\tdmb/d'
refused 'nothing in the code is section.h hotpatch_leave(): store_release' \
	include/hotpatch/section.h 's/__ATOMIC_RELEASE/__ATOMIC_RELAXED/'
refused 'there is no section.pml:publish' tests/model/section.pml \
	's/^inline publish(/inline announce(/'
refused 'no mutant is called NO_RECHECK' tests/model/mutants.txt \
	'/| NO_RECHECK |/d'
refused 'more than one row has' lib/README.md \
	'/^| .transition.c barrier(): barrier./p'
refused 'nothing models a row' lib/README.md \
	'/^| .transition.c barrier(): barrier./s/| [^|]* |$/| |/'
