#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# clang-tidy has nothing to say about the library and the command. Its second
# argument is the build folder, which has the compile commands: several for a
# file that tests build in their own ways, of which the first one is enough. The
# analyzer follows a function's paths for a while only, a quarter of its default,
# unless HOTPATCH_TEST_THOROUGH is set.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

clang-tidy --version | grep -q 'version 14' || exit 77
[ -e "$1/compile_commands.json" ] || exit 77
once=$(mktemp -d)
trap 'rm -rf "$once"' EXIT
python3 - "$1/compile_commands.json" >"$once/compile_commands.json" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    commands = {entry["file"]: entry for entry in reversed(json.load(file))}
json.dump(list(commands.values()), sys.stdout)
PYTHON
depth=()
if [ -z "${HOTPATCH_TEST_THOROUGH-}" ]; then
	for word in -Xclang -analyzer-config -Xclang max-nodes=50000; do
		depth+=("--extra-arg=$word")
	done
fi
find lib -name '*.c' ! -path '*/aarch64/*' ! -name '*disabled.c' | sort |
	xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$once" \
		"${depth[@]}" --warnings-as-errors='*' 2>/dev/null
