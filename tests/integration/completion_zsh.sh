#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The completion for zsh offers what the command takes: every command, every
# option, values, and what processes there are; and zsh finds it. Arguments:
# the command, and the folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v zsh >/dev/null; then
	echo "there is no zsh"
	exit 77
fi
directory=$(mktemp -d /tmp/hotpatch-zsh-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"

clean_up() {
	end_hosts
	rm -rf "$directory"
}
. "$here/scripts/common.sh"
. "$here/scripts/hosts.sh"
trap clean_up EXIT
mkdir "$directory/bin"
ln -s "$(realpath "$command")" "$directory/bin/hotpatch"
export PATH="$directory/bin:$PATH"
export completions="$here/../../lib/tools/completion"

# offered WORD...: what is offered for the last of the words, sorted. Only a
# line editor has zsh's own commands for that.
offered() {
	# shellcheck disable=SC2016 # zsh's
	zsh -fc '
		fpath=($completions $fpath)
		autoload -Uz _hotpatch
		compadd() { shift; print -rl -- ${(M)@:#$PREFIX*} }
		compset() { PREFIX=${PREFIX#*=} }
		_files() { print -r -- files $* }
		words=("$@")
		CURRENT=$#
		PREFIX=$words[CURRENT]
		_hotpatch' zsh "$@" | sed '/^$/d' | sort
}

told() {
	"$command" help --json | python3 -c '
import json, sys
help = json.load(sys.stdin)
print(*('"$1"'), sep="\n")' | sort
}

# same NAME: the two files have the same.
same() {
	diff "$directory/told" "$directory/offered" >"$output" ||
		fail "$1: told and offered differ"
}

# is OFFERED WORD...
is() {
	local wanted=$1

	shift
	[ "$(offered "$@")" = "$wanted" ] || fail "$* gets $(offered "$@")"
}

promise=commands_are_offered
told '(c["name"] for c in help["commands"])' >"$directory/told"
offered hotpatch '' >"$directory/offered"
same commands
is "$(printf 'verify\nverify-signature\nversion')" hotpatch --json ver
is status hotpatch --program list --unit wait sta

promise=options_of_a_command_are_offered
for name in apply revert seal version; do
	told '{"--" + o for o in help["options"] + [o for c in help["commands"]
		if c["name"] == "'"$name"'" for o in c["options"]]}' \
		>"$directory/told"
	offered hotpatch --pid 1 "$name" - >"$directory/offered"
	same "$name"
done

promise=values_are_offered
is reverse hotpatch apply x --policy r
is active hotpatch apply x --wait=a
is "$(printf 'active\ndrained\nhealthy\nnone\nunmapped')" hotpatch wait x --goal ''
is 'files' hotpatch apply ''
is 'files' hotpatch apply --dry-run ''
is 'files -/' hotpatch verify-signature x --keys ''

promise=processes_and_their_patches_are_offered
start_host
is "${host_pids[0]}" hotpatch --pid ''
is test_integration_command_host hotpatch --program test_
expect 0 apply "$bundle"
is fix-answer hotpatch --pid "${host_pids[0]}" revert f
is fix-answer hotpatch revert --socket="${host_sockets[0]}" ''
is '' hotpatch --pid 1 revert f

promise=zsh_finds_it_and_types_it
# What it shows is waited for, and not what it was told.
cat >"$directory/typing" <<'EOF'
zmodload zsh/zpty
zpty shell "zsh -f -i"
zpty -w shell "fpath=($completions \$fpath); autoload -Uz compinit"
zpty -w shell "compinit -D -u; hotpatch() { print -r sa''id: \$@ }"
zpty -w shell "bindkey -e; print be''gin"
zpty -r shell seen "*begin*"
zpty -wn shell $'hotpatch insp\t x\n'
zpty -r shell seen "*said: inspect x*"
print -r -- $seen
zpty -d shell
EOF
timeout 60 zsh -f "$directory/typing" >"$output" 2>"$errors" ||
	fail 'zsh does not'
has 'said: inspect x'

echo 'all promises kept'
