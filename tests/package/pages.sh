#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Does what the pages of the documentation say, each with an installed library
# and from nothing. The last arguments are the build that is installed, and the
# pages.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

if ! command -v python3 >/dev/null; then
	echo 'python3 is not there'
	exit 77
fi
quietly cmake --install "$1" --prefix "$work/prefix"
shift
export CC=$cc
export PATH=$work/prefix/bin:$PATH
export MANPATH=$work/prefix/share/man:
export PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig
export CMAKE_PREFIX_PATH=$work/prefix
export LD_LIBRARY_PATH=$work/prefix/lib
export HOTPATCH_SOURCE=$source_folder
for page; do
	folder=$work/$(echo "${page%.md}" | tr / -)
	# A socket's path has to be short.
	HOTPATCH_RUNTIME_DIR=$(mktemp -d /tmp/hotpatch-page-XXXXXX)
	export HOTPATCH_RUNTIME_DIR
	mkdir "$folder"
	result=0
	python3 "$source_folder/tests/package/pages.py" \
		"$source_folder/$page" "$source_folder" "$folder" || result=$?
	rm -rf "$HOTPATCH_RUNTIME_DIR"
	[ $result = 0 ] || exit $result
done
