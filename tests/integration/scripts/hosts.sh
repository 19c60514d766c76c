# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
# Several processes that a script has obey: those of command_host.c. Set $host
# and $directory first; end_hosts belongs into the script's clean-up. What
# launcher holds, if anything, is put before the program.
set -eu

: "${host:?}" "${directory:?}"
[ -n "${launcher+set}" ] || launcher=()
host_pids=()
host_inputs=()
host_outputs=()
host_sockets=()

# start_host: one more; its place in the arrays is the number of those before.
start_host() {
	local place=${#host_pids[@]} input output socket

	mkfifo "$directory/to-$place" "$directory/from-$place"
	${launcher[@]+"${launcher[@]}"} "$host" serve \
		<"$directory/to-$place" >"$directory/from-$place" &
	host_pids+=($!)
	exec {input}>"$directory/to-$place" {output}<"$directory/from-$place"
	host_inputs+=("$input")
	host_outputs+=("$output")
	read -r socket <&"$output"
	host_sockets+=("$socket")
}

# tell_host PLACE WORD: has it obey, and prints what it answered.
tell_host() {
	local reply

	echo "$2" >&"${host_inputs[$1]}"
	read -r reply <&"${host_outputs[$1]}"
	echo "$reply"
}

# all_answer TEXT: what each of them answers to "call".
all_answer() {
	local place reply

	for place in "${!host_pids[@]}"; do
		reply=$(tell_host "$place" call)
		[ "$reply" = "$1" ] || fail "host $place answers $reply"
	done
}

# Closing their inputs ends them; each has those of the ones before it, too.
end_hosts() {
	local place input

	for input in "${host_inputs[@]}"; do
		exec {input}>&-
	done
	for place in "${!host_pids[@]}"; do
		wait "${host_pids[place]}" 2>/dev/null || true
	done
	for input in "${host_outputs[@]}"; do
		exec {input}<&-
	done
	rm -f "$directory"/to-* "$directory"/from-*
	host_inputs=()
	host_outputs=()
	host_sockets=()
	host_pids=()
}
