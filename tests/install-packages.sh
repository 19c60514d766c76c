#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs those packages of packages.txt that are missing; with arguments,
# those of them that the arguments name.

set -eu

list=$(dirname "$0")/packages.txt
if [ $# -gt 0 ]; then
	wanted=$*
else
	wanted=$(sed 's/#.*//' "$list")
fi

missing=
for package in $wanted; do
	case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true) in
	*" installed") ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

become=
if [ "$(id -u)" -ne 0 ]; then
	become=sudo
fi
export DEBIAN_FRONTEND=noninteractive
echo "installing:$missing"
$become apt-get -qq update
# Unquoted: one word for each package.
# shellcheck disable=SC2086
$become apt-get -qq -y --no-install-recommends install $missing
