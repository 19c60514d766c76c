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

become=
if [ "$(id -u)" -ne 0 ]; then
	become=sudo
fi
export DEBIAN_FRONTEND=noninteractive

# promtool comes with a server that would be started, and is all that is wanted
# of it.
install_promtool() {
	folder=$(mktemp -d)
	(cd "$folder" && apt-get -qq download prometheus 2>/dev/null &&
		dpkg-deb -x prometheus_*.deb . &&
		$become install usr/bin/promtool /usr/local/bin) ||
		echo "there is no promtool; figures are checked without"
	rm -rf "$folder"
}

if [ -n "$missing" ]; then
	echo "installing:$missing"
	$become apt-get -qq update
	# Unquoted: one word for each package.
	# shellcheck disable=SC2086
	$become apt-get -qq -y --no-install-recommends install $missing
fi
if [ $# -eq 0 ] && ! command -v promtool >/dev/null; then
	install_promtool
fi
