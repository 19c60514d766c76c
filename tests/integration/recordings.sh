#!/bin/sh
# SPDX-License-Identifier: MIT
# The recorded terminal sessions in recordings/ are what a person sees today.
# Arguments: the command, and the folder in which the tests were built; with
# --update before them the recordings are made anew.
set -eu

update=
if [ "$1" = --update ]; then
	update=$1
	shift
fi
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC2086 # none is no argument
python3 "$here/scripts/terminal.py" $update "$1" "$2" "$here"/recordings/*.txt
