# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# One process of desired_host.c that a script starts again and again. Set $host,
# $directory and $store first, and empty $host_pid and $input; stop belongs into
# the script's clean-up.
set -eu

: "${host:?}" "${directory:?}" "${store:?}"
# shellcheck disable=SC2034 # for who includes this
outcomes=
answers=
through=()

# begin_start [KEYS]: only starts it, through the command "through", if any.
begin_start() {
	rm -f "$directory/to" "$directory/from"
	mkfifo "$directory/to" "$directory/from"
	"${through[@]}" "$host" serve "$store" "$@" \
		<"$directory/to" >"$directory/from" &
	host_pid=$!
	exec {input}>"$directory/to" {answers}<"$directory/from"
}

# start [KEYS]: $outcomes is what it said of what is desired.
start() {
	begin_start "$@"
	# shellcheck disable=SC2034 # for who includes this
	read -r outcomes <&"$answers" || fail 'it does not start'
	read -r socket <&"$answers" || fail 'it does not serve'
	[ -S "$socket" ] || fail "no socket: $socket"
}

# What its two functions answer.
call() {
	local reply

	echo call >&"$input"
	read -r reply <&"$answers"
	echo "$reply"
}

# Ends it as it should, or buries it.
stop() {
	[ -n "$host_pid" ] || return 0
	exec {input}>&- {answers}<&-
	{ wait "$host_pid" || true; } 2>/dev/null
	host_pid=
}
