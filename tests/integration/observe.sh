#!/bin/sh
# SPDX-License-Identifier: MIT
# The promises of "hotpatch log" and "hotpatch metrics": events as they were and
# as they come, a log whose first broken line is named, and figures that the
# parsers of those who collect them accept. Arguments: the command, and the
# folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/fix.so
directory=$(mktemp -d /tmp/hotpatch-observe-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
host_pid=
follower_pid=

clean_up() {
	exec 3>&- || true
	[ -z "$host_pid" ] || wait "$host_pid" || true
	[ -z "$follower_pid" ] || kill "$follower_pid" 2>/dev/null || true
	rm -rf "$directory"
}
trap clean_up EXIT
. "$(dirname "$0")/scripts/common.sh"

# A library without hashes has no log.
log=$directory/host.log
hashes=yes
"$command" log --verify /dev/null >"$output" 2>&1 || true
if grep -q E_UNSUPPORTED "$output"; then
	hashes=no
else
	export HOTPATCH_TEST_LOG="$log"
fi

start_host() {
	rm -f "$directory/to" "$directory/from"
	mkfifo "$directory/to" "$directory/from"
	"$host" serve <"$directory/to" >"$directory/from" &
	host_pid=$!
	exec 3>"$directory/to" 4<"$directory/from"
	read -r _ <&4 # its socket
}

# Who is started meanwhile must not keep its input open.
stop_host() {
	exec 3>&- 4<&-
	wait "$host_pid"
	host_pid=
}

# accepted_as_open_metrics: prints the figures, which their parser accepts.
accepted_as_open_metrics() {
	expect 0 metrics
	/usr/bin/python3 -c 'import prometheus_client' 2>"$errors" || {
		echo "there is no python3-prometheus-client"
		return 0
	}
	/usr/bin/python3 - "$output" <<-'PYTHON' 2>"$errors" ||
		import sys
		from prometheus_client.openmetrics import parser
		text = open(sys.argv[1], encoding="utf-8").read()
		families = list(parser.text_string_to_metric_families(text))
		assert len(families) > 15, families
		assert all(f.name.startswith("hotpatch") for f in families)
		assert all(f.documentation and f.type != "unknown" for f in families)
	PYTHON
		fail 'they are not'
}

accepted_by_promtool() {
	expect 0 metrics --output "$directory/host.prom"
	grep -q "^hotpatch_working{program=\".*\",process=\"$host_pid\"} 1\$" \
		"$directory/host.prom" || fail 'no label'
	command -v promtool >/dev/null || {
		echo "there is no promtool"
		return 0
	}
	promtool check metrics <"$directory/host.prom" >"$output" 2>&1 ||
		fail 'it is not'
	[ ! -s "$output" ] || fail 'it complains'
}

promise=log_follows_what_happens
start_host
mkfifo "$directory/events"
"$command" log --follow >"$directory/events" 2>"$errors" 3>&- 4<&- &
follower_pid=$!
exec 5<"$directory/events"
expect 0 apply "$bundle"
# It ends when the event has come, or the follower has gone.
grep -q -m 1 ' active  *fix-answer' <&5 || fail 'no event came'
kill "$follower_pid"
wait "$follower_pid" || true
follower_pid=
exec 5<&-

promise=log_shows_what_happened
expect 0 log
has ' opened  *fix-answer'
has ' active  *fix-answer'
expect 0 log --json
has '"phase": "active"'

promise=log_ends_with_the_process
"$command" log --follow --json >"$output" 2>"$errors" 3>&- 4<&- &
follower_pid=$!
until grep -q '"phase":"active"' "$output"; do
	kill -0 "$follower_pid" || fail 'the follower is gone'
done
stop_host
code=0
wait "$follower_pid" || code=$?
follower_pid=
[ "$code" -eq 7 ] || fail "exit $code"

start_host
expect 1 apply "$directory/none"
expect 0 apply "$bundle"

promise=open_metrics_are_accepted_by_their_parser
accepted_as_open_metrics
has '^hotpatch_functions_replaced 1$'
has '^hotpatch_patch_info{patch="fix-answer",state="active",'
has '^# EOF$'

promise=file_for_a_node_exporter_is_accepted_by_promtool
accepted_by_promtool
[ "$(find "$directory" -name '.host.prom*')" = "" ] || fail 'a file is left'
expect 1 metrics --output "$directory/none/host.prom"
complains E_NOT_FOUND
expect 0 metrics --json
has '"text": '

promise=share_of_a_canary_is_a_ratio_while_it_is_open
expect 0 metrics
lacks '^hotpatch_canary_share_ratio{'
expect 0 revert fix-answer
expect 0 apply --canary 0.5% --canary-key 7 "$bundle"
accepted_as_open_metrics
has '^hotpatch_canary_share_ratio{patch="fix-answer"} 0.0050$'
accepted_by_promtool
expect 0 canary fix-answer 100%
expect 0 metrics
has '^hotpatch_canary_share_ratio{patch="fix-answer"} 1.0000$'
expect 0 canary fix-answer 0%
expect 0 metrics
has '^hotpatch_canary_share_ratio{patch="fix-answer"} 0.0000$'
expect 0 canary fix-answer all
expect 0 metrics
lacks '^hotpatch_canary_share_ratio{'

promise=usage_of_log
expect 2 log --verify x --follow
expect 2 metrics x

stop_host
[ "$hashes" = yes ] || exit 0

promise=log_over_two_lives_is_whole
expect 0 log --verify "$log"
has 'lines are whole, from number 1 to '
[ "$(grep -c '"phase":"logging"' "$log")" -eq 2 ] || fail 'not two lives'
expect 0 log --json --verify "$log"
has '"first": 1,'

promise=hashes_are_what_b2sum_makes
line=$(tail -n 1 "$log")
body=${line%,\"hash\":*}
hash=${line##*\"hash\":\"}
[ "$(printf %s "$body" | b2sum | cut -d ' ' -f 1)" = "${hash%\"\}}" ] ||
	fail 'they are not'

promise=first_broken_line_is_named
sed '3s/"pid":[0-9]*/"pid":1/' "$log" >"$directory/changed"
expect 4 log --verify "$directory/changed"
complains "E_LOG_BROKEN: line 3 of $directory/changed was changed"
sed 4d "$log" >"$directory/changed"
expect 4 log --verify "$directory/changed"
complains 'line 4 of .* does not follow the one before it'
expect 4 log --json --verify "$directory/changed"
has '"broken_line": 4'

promise=each_line_is_json
if /usr/bin/python3 -c '' 2>"$errors"; then
	/usr/bin/python3 -c 'import json, sys
for line in open(sys.argv[1]): json.loads(line)' "$log" 2>"$errors" ||
		fail 'one is not'
fi

promise=missing_log_is_not_found
expect 1 log --verify "$directory/none"
complains E_NOT_FOUND
