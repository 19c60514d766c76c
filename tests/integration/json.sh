#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the command prints with --json is what its schemas say: every command,
# as wished and refused, of one process and of several. Arguments: the command,
# and the folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
here=$(cd "$(dirname "$0")" && pwd)
schemas=$here/../../lib/tools/schema
validator=$here/scripts/validate.py
directory=$(mktemp -d /tmp/hotpatch-json-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
good=
bad=

host_pid=

clean_up() {
	[ -z "$host_pid" ] || stop
	end_hosts
	rm -rf "$directory"
}
. "$here/scripts/common.sh"
. "$here/scripts/hosts.sh"
trap clean_up EXIT

if ! python3 -c 'import jsonschema' 2>/dev/null; then
	echo 'python3-jsonschema is not there'
	exit 77
fi

mkdir "$directory/outputs" "$directory/wrong"
count=0

# valid CODE COMMAND ARGUMENT...: as expect, and the output will be compared
# with the schema.
valid() {
	expect "$1" --json "${@:2}"
	count=$((count + 1))
	{ echo "${*:2}" && cat "$output"; } >"$directory/outputs/$2.$count"
	if [ "$1" -eq 0 ]; then good="$good $2 "; else bad="$bad $2 "; fi
}

validate() {
	python3 "$validator" "$schemas" "$1" 2>"$errors"
}

promise=schemas_refuse_what_they_do_not_name
printf 'version\n{"version":"1.2.3","more":1}\n' >"$directory/wrong/version.1"
! validate "$directory/wrong" || fail 'an unknown member is taken'
printf 'version\n{"version":"1.2.3"}\n' >"$directory/wrong/version.1"
validate "$directory/wrong" || fail 'the schemas are none'

promise=without_a_process_there_is_one_error
valid 8 status
valid 8 list --all
valid 2 status --pid 1 --all
valid 0 help
valid 0 version

start_host
promise=of_one_process
valid 0 list
valid 0 status
valid 0 apply --dry-run "$bundle"
valid 0 apply "$bundle"
valid 0 apply "$bundle"
valid 0 apply --dry-run "$bundle"
valid 0 list
valid 0 status
valid 0 wait fix-answer --wait=active
valid 1 wait fix-answer --wait=unmapped
valid 1 wait no-such-patch
valid 0 revert --dry-run fix-answer
valid 0 revert --dry-run --all-patches
valid 0 revert fix-answer --wait=drained
valid 0 wait fix-answer --wait=unmapped
valid 0 revert fix-answer
valid 1 revert no-such-patch
valid 1 revert --dry-run no-such-patch
valid 0 apply "$bundle" --wait=none
valid 0 revert --all-patches --wait=none
valid 0 revert --all-patches
valid 3 apply "$host"
valid 3 apply --dry-run "$host"
valid 7 list --socket "$directory/none"

promise=of_what_is_desired
valid 1 enable "$bundle"
valid 0 status
valid 0 verify
valid 1 disable fix-answer
valid 1 converge
desired=$directory/desired
mkdir -m 700 "$desired"
valid 0 enable --directory "$desired" --program x "$bundle"
valid 0 disable --directory "$desired" --program x fix-answer
valid 0 disable --directory "$desired" --program x --all-patches
valid 2 converge --keep

promise=of_what_is_desired_where_there_is_a_directory
other_host=$host
host=$2/test_integration_desired_host
store=$directory/store
host_pid=
. "$here/scripts/restart.sh"
# shellcheck disable=SC2119 # it has no keys
start
one=$2/bundles/integration-desired_host/one.so
valid 0 enable --pid "$host_pid" "$one"
valid 1 verify --pid "$host_pid"
valid 0 converge --pid "$host_pid" --dry-run
valid 0 converge --pid "$host_pid"
valid 0 status --pid "$host_pid"
valid 0 disable --pid "$host_pid" --all-patches --now
valid 0 apply --pid "$host_pid" --keep "$one"
valid 0 disable --pid "$host_pid" fix-one --now
valid 0 enable --program test_integration_desired_host --now "$one"
valid 0 verify --program test_integration_desired_host
valid 0 converge --pid "$host_pid"
valid 0 enable --directory "$store" --program "${host##*/}" "$bundle"
valid 1 converge --pid "$host_pid"
valid 1 converge --program "${host##*/}"
stop
host=$other_host

promise=of_what_happened
valid 0 log
valid 0 metrics
valid 0 metrics --output "$directory/metrics"
valid 1 log --verify "$directory/none"
valid 7 metrics --socket "$directory/none"

promise=of_a_transition_that_is_open
[ "$(tell_host 0 hold)" = hold ] || fail 'the host does not hold'
valid 5 apply "$bundle" --timeout 0.1
valid 0 apply "$bundle" --wait=none
valid 0 list
has '"moving": true'
valid 0 status
has '"advice"'
valid 5 wait fix-answer --timeout 0.1
valid 0 revert fix-answer --wait=none
[ "$(tell_host 0 release)" = release ] || fail 'the host does not release'
valid 0 revert --all-patches

promise=of_a_canary
valid 0 apply --canary 5% --canary-key 7 "$bundle"
valid 0 status
has '"canary": {'
valid 0 canary fix-answer 50%
valid 0 canary fix-answer 50%
valid 0 canary fix-answer all
valid 1 canary fix-answer 5%
valid 0 revert fix-answer

start_host
promise=of_several_processes
valid 2 status
valid 0 list --all
valid 0 status --all
valid 0 apply --all --dry-run "$bundle"
valid 0 apply --all --canary 5% "$bundle"
valid 0 canary --all fix-answer 0%
valid 0 revert --all fix-answer
valid 1 canary --all fix-answer all
valid 0 apply --all "$bundle" --wait=none
valid 0 apply --all "$bundle"
valid 0 apply --all "$bundle"
valid 0 wait --all fix-answer
valid 0 revert --all --dry-run fix-answer
valid 0 revert --all fix-answer
valid 1 revert --all fix-nothing
valid 1 wait --all fix-nothing
valid 0 revert --all --all-patches
valid 3 apply --all "$host"
[ "$(tell_host 1 hold)" = hold ] || fail 'the host does not hold'
valid 5 apply --all "$bundle" --timeout 0.1
[ "$(tell_host 1 release)" = release ] || fail 'the host does not release'

promise=of_files
valid 0 inspect "$bundle"
valid 3 inspect "$host"
if "$command" keygen x --no-password 2>&1 </dev/null |
	grep -q E_UNSUPPORTED; then
	good="$good keygen sign verify-signature "
	bad="$bad keygen sign verify-signature "
else
	rm -f x.key x.pub
	cp "$bundle" "$directory/copy.so"
	valid 0 keygen --no-password "$directory/key"
	valid 1 keygen --no-password "$directory/key"
	valid 0 sign --key "$directory/key.key" "$directory/copy.so"
	valid 1 sign --key "$directory/none" "$directory/copy.so"
	valid 0 verify-signature --key "$directory/key.pub" "$directory/copy.so"
	echo >>"$directory/copy.so"
	valid 4 verify-signature --key "$directory/key.pub" "$directory/copy.so"
fi
if "$command" assess "$0" 2>&1 | grep -q E_UNSUPPORTED; then
	good="$good assess seal check "
	bad="$bad assess seal check "
else
	valid 0 assess "$host"
	valid 3 assess "$0"
	valid 0 check --target "$host" "$bundle"
	valid 3 check --target "$command" "$bundle"
	cp "$bundle" "$directory/sealed.so"
	valid 0 seal --dry-run --target "$host" --explain answer \
		"$directory/sealed.so"
	valid 0 seal --target "$host" "$directory/sealed.so"
	valid 0 inspect "$directory/sealed.so"
	valid 1 seal --target "$directory/none" "$directory/sealed.so"
fi

promise=output_is_as_in_the_schemas
validate "$directory/outputs" || fail 'see the errors'

promise=no_command_is_left_out
for name in $("$command" help --json | python3 -c '
import json, sys
print(*(command["name"] for command in json.load(sys.stdin)["commands"]))'); do
	[ -f "$schemas/$name.json" ] || fail "$name has no schema"
	case $good in *" $name "*) ;; *) fail "$name never succeeded" ;; esac
	case $name in
	help | version) ;;
	*) case $bad in *" $name "*) ;; *) fail "$name never failed" ;; esac ;;
	esac
done

echo 'all promises kept'
