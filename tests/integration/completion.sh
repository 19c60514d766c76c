#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The completion for bash offers what the command takes: every command, every
# option, values, and what processes there are. Arguments: the command, and the
# folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d /tmp/hotpatch-completion-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"

clean_up() {
	end_hosts
	rm -rf "$directory"
}
. "$here/scripts/common.sh"
. "$here/scripts/hosts.sh"
trap clean_up EXIT
# The completion asks the command itself for the names of patches.
mkdir "$directory/bin"
ln -s "$(realpath "$command")" "$directory/bin/hotpatch"
PATH=$directory/bin:$PATH
# Only bash's own completion knows compopt's context.
compopt() { :; }
. "$here/../../lib/tools/completion/hotpatch"

# offered WORD...: what is offered for the last of the words, sorted.
offered() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_hotpatch
	printf '%s\n' "${COMPREPLY[@]}" | sort
}

# told EXPRESSION: words that the command tells of itself, sorted.
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

promise=commands_are_offered
told '(c["name"] for c in help["commands"])' >"$directory/told"
offered hotpatch '' >"$directory/offered"
same commands
[ "$(offered hotpatch --json veri)" = "$(printf 'verify\nverify-signature')" ] ||
	fail "$(offered hotpatch --json veri)"

promise=options_of_each_command_are_offered
while read -r name; do
	told '{"--" + o for o in help["options"] + [o for c in help["commands"]
		if c["name"] == "'"$name"'" for o in c["options"]]}' \
		>"$directory/told"
	offered hotpatch --pid 1 "$name" - >"$directory/offered"
	same "$name"
done < <(told '(c["name"] for c in help["commands"])')

promise=values_are_offered
[ "$(offered hotpatch apply x --policy r)" = reverse ] || fail policy
[ "$(offered hotpatch apply x --wait = a)" = active ] || fail goal
[ "$(offered hotpatch wait x --wait = | wc -l)" -eq 5 ] || fail goals

promise=files_are_offered
touch "$directory/fix-one.so"
[ "$(offered hotpatch apply "$directory/fi")" = "$directory/fix-one.so" ] ||
	fail "$(offered hotpatch apply "$directory/fi")"

promise=processes_and_their_patches_are_offered
start_host
[ "$(offered hotpatch --pid '')" = "${host_pids[0]}" ] || fail pid
[ "$(offered hotpatch --program test_)" = test_integration_command_host ] ||
	fail program
expect 0 apply "$bundle"
[ "$(offered hotpatch --pid "${host_pids[0]}" revert f)" = fix-answer ] ||
	fail 'patch'
[ -z "$(offered hotpatch --pid 1 revert f)" ] || fail 'another process'

echo 'all promises kept'
