#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# All C is as clang-format writes it; with --fix, makes it so.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

# Another version has other opinions.
clang-format --version | grep -q 'version 14' || exit 77
if [ "${1:-}" = --fix ]; then
	sources '*.c' '*.h' '*.cc' | xargs clang-format -i
	exit 0
fi
sources '*.c' '*.h' '*.cc' | xargs clang-format --dry-run -Werror
