#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# untraced.sh SOURCE BUILD LIBRARY CC OBJECT... - the library as it is built and its
# objects have no trace of the torture's steps: no symbol, and no statement in
# what the preprocessor makes of the sources but an empty one. The macro that
# turns them on is the torture's own.

set -eu

source_folder=$1
build=$2
library=$3
cc=$4
shift 4

fail()
{
	echo "$*" >&2
	exit 1
}

# The last argument is a list, as CMake has them.
IFS=';' read -ra objects <<<"$*"
[ "${#objects[@]}" -gt 10 ] || fail "these are not the library's objects"
if nm "$library" "${objects[@]}" | awk 'NF > 1 { print $NF }' |
	grep -iE 'hp_step|torture'; then
	fail "a symbol of the torture's"
fi
if grep -laE 'hp_step_(pass|dispatch)' "$library" "${objects[@]}"; then
	fail "a name of the torture's"
fi

users=$(cd "$source_folder/lib" && grep -lE 'hp_step\(|HP_(KEEP|ORDER)\(' ./*.c)
[ "$(echo "$users" | wc -w)" -gt 4 ] || fail "where are the steps?"
for user in $users; do
	text=$("$cc" -E -P -D_GNU_SOURCE -I"$source_folder/include" \
		-I"$build/include" "$source_folder/lib/$user")
	if grep -E 'hp_step|HP_STEP|HP_KEEP|HP_ORDER|HP_WITHOUT' <<<"$text"; then
		fail "$user: a step that is not nothing"
	fi
done

# One place in the build turns them on.
cd "$source_folder"
if grep -rl HP_TORTURE CMakeLists.txt CMakePresets.json cmake \
	lib/CMakeLists.txt include; then
	fail "HP_TORTURE outside of the torture"
fi
