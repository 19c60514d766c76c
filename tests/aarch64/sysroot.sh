#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Unpacks what the tests need for aarch64 beyond Debian's cross compiler into
# the folder that the argument names. Uses package lists of its own, so that
# the system's configuration and list of architectures stay as they are.

set -eu

sysroot=$1
work=$sysroot/.apt
packages=(check libsubunit0 libsubunit-dev)

[ ! -e "$sysroot/.complete" ] || exit 0
rm -rf "$sysroot"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"

apt_options=(
	-oAPT::Architecture=arm64 -oAPT::Architectures=arm64
	-oDir::State::Lists="$work/lists" -oDir::Cache="$work/cache"
	-oDebug::NoLocking=1 -oAPT::Sandbox::User=root -qq
)
apt-get "${apt_options[@]}" update
(cd "$work" && apt-get "${apt_options[@]}" download "${packages[@]}")
for package in "$work"/*.deb; do
	dpkg-deb -x "$package" "$sysroot"
done
rm -rf "$work"
touch "$sysroot/.complete"
