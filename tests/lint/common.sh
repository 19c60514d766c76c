# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the lint tests share: they run in the source folder, which is their
# first argument.

set -eu
cd "$1"
shift

# sources NAME...: the project's files with such names, one a line
sources()
{
	local names=() name
	for name in "$@"; do
		names+=(-o -name "$name")
	done
	find . \( -path ./build -o -path ./.git \) -prune -o -type f \
		\( "${names[@]:1}" \) -print | sort
}

fail()
{
	echo "$*" >&2
	exit 1
}
