#!/bin/sh
# SPDX-License-Identifier: MIT
# Imports in hosts that have lost their symbols, and by a bundle that is sealed
# for several builds. Arguments: the command, and the folder in which the tests
# were built.
set -eu

command=$1
host=$2/test_integration_imports
bundles=$2/bundles/integration-imports
directory=$(mktemp -d /tmp/hotpatch-imports-XXXXXX)
trap 'rm -rf "$directory"' EXIT

[ -e "$bundles/all_sealed.so" ] || {
	echo "skipped: nothing is sealed in this build"
	exit 77
}
run=
if readelf -Ws --dyn-syms "$host" | grep -q ' __tsan_'; then
	# As ctest does: the sanitizer wants a narrow address space.
	setarch -R true 2>/dev/null && run="setarch -R"
fi

mkdir "$directory/bundles"
strip -o "$directory/stripped" "$host"
[ "$(readelf -WS "$directory/stripped" | grep -c 'debug_info\|symtab')" -eq 0 ]
echo "promise: stripped_host_is_patched_as_the_other"
$run "$directory/stripped"

# The same code under another number.
objcopy --dump-section .note.gnu.build-id="$directory/id" "$host" \
	"$directory/other"
printf '\252\273\314\335' | dd of="$directory/id" bs=1 seek=16 conv=notrunc \
	status=none
objcopy --update-section .note.gnu.build-id="$directory/id" "$host" \
	"$directory/other"
for bundle in all_sealed library_sealed; do
	cp "$bundles/$bundle.so" "$directory/bundles/"
	echo "promise: several_builds_are_patched_by_one_bundle ($bundle)"
	"$command" seal "$directory/bundles/$bundle.so" --target "$host" \
		--target "$directory/other" --target "$bundles/modules/part.so"
done
export CK_RUN_CASE=sealed HOTPATCH_TEST_OTHER_BUNDLES="$directory/bundles"
$run "$host"
$run "$directory/other"

echo "promise: build_that_was_not_sealed_is_refused"
printf '\001\002\003\004' | dd of="$directory/id" bs=1 seek=16 conv=notrunc \
	status=none
objcopy --update-section .note.gnu.build-id="$directory/id" "$host" \
	"$directory/third"
if $run "$directory/third" >"$directory/output"; then
	echo "failed: it was taken for a build that it is not" >&2
	exit 1
fi
grep -q E_WRONG_TARGET "$directory/output"
echo 'all promises kept'
