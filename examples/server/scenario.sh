# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the demonstration and the stress test share: one server and one load
# client on the loopback device, and the reading of their facts. To be sourced;
# the file that CMake wrote as examples/paths.sh in the build tree must have
# been sourced before. Whoever sources it calls scenario_start, load_start and
# load_finish; the processes end with the shell.

set -eu

scenario_dir=
server_pid=
load_pid=

# Ends a child that is still there: politely, and after 5 s for good.
process_end() {
	[ -n "$1" ] || return 0
	kill -TERM "$1" 2>/dev/null || return 0
	(
		trap 'kill "$nap" 2>/dev/null; exit 0' TERM
		sleep 5 &
		nap=$!
		wait "$nap"
		kill -KILL "$1" 2>/dev/null
	) &
	process_end_watch=$!
	wait "$1" 2>/dev/null || true
	kill -TERM "$process_end_watch" 2>/dev/null || true
	wait "$process_end_watch" 2>/dev/null || true
}

scenario_end() {
	exec 3>&-
	process_end "$load_pid"
	process_end "$server_pid"
	load_pid=
	server_pid=
	[ -z "$scenario_dir" ] || rm -rf "$scenario_dir"
	scenario_dir=
}

# scenario_start THREADS
scenario_start() {
	trap scenario_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	scenario_dir=$(mktemp -d)
	mkfifo "$scenario_dir/server" "$scenario_dir/phases"
	"$SERVER" --port 0 --threads "$1" \
		--socket "$scenario_dir/control/server.sock" \
		>"$scenario_dir/server" &
	server_pid=$!
	exec 4<"$scenario_dir/server"
	read -r _ port <&4 || fail "the server did not start"
	read -r _ control <&4 || fail "the server did not start"
}

# load_start OPTIONS...
load_start() {
	"$LOAD" --port "$port" "$@" <"$scenario_dir/phases" \
		>"$scenario_dir/load" 4<&- &
	load_pid=$!
	exec 3>"$scenario_dir/phases"
}

fail() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# Requests from here on count for the named phase.
phase() {
	echo "$1" >&3
}

# Ends the load and waits until it has written its facts.
load_finish() {
	exec 3>&-
	wait "$load_pid" || fail "the load client failed"
	load_pid=
}

# fact PHASE KEY: of the load client, or the sum of all phases for PHASE "all"
fact() {
	awk -v phase="$1" -v key="$2" '
		phase == "all" || $1 == phase {
			for (i = 2; i <= NF; i++) {
				split($i, pair, "=")
				if (pair[1] == key)
					sum += pair[2]
			}
		}
		END { printf "%.0f\n", sum }' "$scenario_dir/load"
}

# One answer of the server, as text.
get() {
	"$LOAD" --port "$port" --get "$@"
}

# The command, for this server.
hotpatch() {
	"$HOTPATCH" --socket "$control" "$@"
}

# The number named $1 in the JSON object on standard input.
json_number() {
	tr ',' '\n' | sed -n "s/^ *\"$1\" *: *\([0-9][0-9]*\) *$/\1/p" |
		head -n 1
}
