#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Rolls patches out to eight servers that are being asked all the time, with
# the commands of README.md. One of them depends on what fix-all mends, so its
# health check fails: its wave is taken back and nothing follows.
#
# usage: check.sh BUILD-DIRECTORY
set -eu

root=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$1/examples/paths.sh"
work=
server_pids=()
load_pids=()
ports=()
promise=setup

command -v ansible-playbook >/dev/null || {
	echo "ansible-core is missing"
	exit 77
}

fail() {
	echo "failed: $promise: $*" >&2
	[ ! -s "$work/output" ] || sed 's/^/  /' "$work/output" >&2
	exit 1
}

clean_up() {
	local pid

	exec 3>&-
	for pid in "${load_pids[@]}" "${server_pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${load_pids[@]}" "${server_pids[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

work=$(mktemp -d /tmp/hotpatch-rollout-XXXXXX)
# Nothing of Ansible's own lies anywhere else, and no settings but these count.
mkdir "$work/tmp"
: >"$work/ansible.cfg"
export TMPDIR=$work/tmp ANSIBLE_HOME=$work/ansible \
	ANSIBLE_LOCAL_TEMP=$work/ansible/local \
	ANSIBLE_REMOTE_TEMP=$work/ansible/remote \
	ANSIBLE_CONFIG=$work/ansible.cfg ANSIBLE_FORKS=8 ANSIBLE_NOCOLOR=1 \
	ANSIBLE_PIPELINING=1 LC_ALL=C.UTF-8

# start_server NAME: one more host, that is, a server and its client.
start_server() {
	local folder=$work/hosts/$1 port

	mkdir -p "$folder"
	mkfifo "$folder/server"
	HOTPATCH_RUNTIME_DIR=$folder/run "$SERVER" --port 0 --threads 1 \
		>"$folder/server" 3>&- &
	server_pids+=($!)
	read -r _ port <"$folder/server" || fail "$1 did not start"
	ports+=("$port")
	"$LOAD" --port "$port" --threads 1 --connections 2 --rate 20 \
		<"$work/phases" >"$folder/load" 3>&- &
	load_pids+=($!)
	cat >"$work/rollout/host_vars/$1.yml" <<-END
		ansible_connection: local
		ansible_python_interpreter: /usr/bin/python3
		hotpatch_command: $HOTPATCH
		hotpatch_environment: {HOTPATCH_RUNTIME_DIR: $folder/run}
		hotpatch_directory: $folder/bundles
		hotpatch_health_url: http://127.0.0.1:$port/item/2
		hotpatch_health_tries: 2
		hotpatch_health_pause_s: 0
	END
}

# readme PATTERN [SED]: the command of README.md that matches, changed by SED.
readme() {
	local line

	line=$(grep "^ansible-playbook.*$1" "$root/README.md" | sed "${2-}")
	[ "$(wc -l <<<"$line")" -eq 1 ] || fail "README.md has not one: $1"
	echo "$line"
}

# expect CODE COMMAND
expect() {
	local code=0

	(cd "$work/rollout" && sh -c "$2") >"$work/output" 2>&1 || code=$?
	[ "$code" -eq "$1" ] || fail "exit $code, not $1, of: $2"
}

has() {
	grep -q -e "$1" "$work/output" || fail "no '$1' in the output"
}

# recap WORD=NUMBER PLACE...: of each of these hosts.
recap() {
	local place

	for place in "${@:2}"; do
		has "^server-$place .* $1 "
	done
}

# recapped NUMBER: so many hosts are in the recap, the others were not reached.
recapped() {
	[ "$(grep -c '^server-.* : ok=' "$work/output")" -eq "$1" ] ||
		fail "the recap has not $1 hosts"
}

# recaps: shows what Ansible tells at the end of a run.
recaps() {
	sed -n '/^PLAY RECAP/,$p' "$work/output"
}

# runs PATCH PLACE...: these run it and nothing else; "" is the original.
runs() {
	local place effective

	for place in "${@:2}"; do
		effective=$(HOTPATCH_RUNTIME_DIR=$work/hosts/server-$place/run \
			"$HOTPATCH" status | sed -n 's/^running *[^+]*//p')
		[ "$effective" = "$1" ] ||
			fail "server-$place runs '$effective', not '$1'"
	done
}

# answers TEXT PLACE...: what these say to "/item/2junk".
answers() {
	local place answer

	for place in "${@:2}"; do
		answer=$("$LOAD" --port "${ports[place - 1]}" --get /item/2junk)
		[[ $answer == "$1"* ]] || fail "server-$place: '$answer'"
	done
}

# asked PLACE: the command that verifies was run there, of this patch.
asked() {
	grep -q '^fix-two$' "$work/hosts/server-$1/asked" ||
		fail "server-$1 was not verified"
}

# logs PHASE PLACE: the process passed this phase.
logs() {
	HOTPATCH_RUNTIME_DIR=$work/hosts/server-$2/run "$HOTPATCH" log |
		grep -q " $1  *fix-two" || fail "server-$2 logs no $1"
}

# What a play could leave on the hosts.
files() {
	find "$work/hosts" "$work/tmp" -path '*/bundles*' -o -path "$work/tmp/*"
}

mkdir "$work/rollout"
cp -R "$root"/*.yml "$root"/*.ini "$root/tasks" "$root/group_vars" \
	"$work/rollout"
mkdir "$work/rollout/host_vars"
cp "$FIX_TWO" "$FIX_ALL" "$DOUBLE" "$work/rollout"
mkfifo "$work/phases"
# Both ends, so that opening it waits for nobody; no client reads a phase.
exec 3<>"$work/phases"
for place in 1 2 3 4 5 6 7 8; do
	start_server "server-$place"
done
all=(1 2 3 4 5 6 7 8)
roll_out=$(readme 'rollout.yml.*two.so$')
all_instead='s/fix-two/fix-all/'

# Where the library has signatures.
! "$HOTPATCH" keygen "$work/key" --no-password >"$work/output" 2>&1 ||
	"$HOTPATCH" sign "$work/rollout/fix-all.so" --key "$work/key.key" \
		>"$work/output"

promise=one_sick_host_takes_its_wave_back_and_stops
sick=$work/rollout/host_vars/server-3.yml
cp "$sick" "$work/well.yml"
sed -i 's,/item/2,&junk,' "$sick"
expect 2 "$(readme 'rollout.yml.*two.so$' "$all_instead")"
has 'server-3: Ask the address for its health: .*404'
recap failed=0 1
recap failed=1 2 3
recap rescued=1 3
recap rescued=0 1 2
recapped 3
runs +fix-all@2 1
runs '' 2 3 4 5 6 7 8
[ ! -e "$work/rollout/fix-all.so.minisig" ] ||
	cmp "$work/rollout/fix-all.so.minisig" \
		"$work/hosts/server-2/bundles/fix-all.so.minisig"
answers 404 1
answers 200 2 3 4
recaps
cp "$work/well.yml" "$sick"

promise=back_that_is_only_tried_changes_nothing
expect 0 "$(readme back.yml "$all_instead") --check --limit canary:early"
recap changed=1 1
recap changed=0 2 3
runs +fix-all@2 1

promise=back_reverts_where_it_is
expect 0 "$(readme back.yml "$all_instead")"
recap changed=1 1
recap changed=0 2 3 4 5 6 7 8
runs '' "${all[@]}"

promise=check_mode_changes_nothing
files >"$work/before"
expect 0 "$(readme --check) --limit canary:early"
recap changed=2 1 2 3
has 'Judge the patch'
runs '' "${all[@]}"
files | diff "$work/before" - || fail 'there are other files'

promise=rollout_reaches_every_host
expect 0 "$roll_out"
recap failed=0 "${all[@]}"
recap changed=2 "${all[@]}"
runs +fix-two@1 "${all[@]}"
[ "$(grep -c '^TASK .Apply the patch' "$work/output")" -eq 5 ] ||
	fail 'these are not five waves'

promise=second_rollout_changes_nothing
expect 0 "$roll_out"
recap changed=0 "${all[@]}"

promise=limit_is_respected
expect 0 "$(readme back.yml) --limit early"
recapped 2
runs '' 2 3
runs +fix-two@1 1 4 5 6 7 8

promise=host_that_cannot_be_reached_takes_its_wave_back
printf '#!/bin/sh\nexit 255\n' >"$work/no-ssh"
chmod +x "$work/no-ssh"
sed -i 's/: local$/: ssh/' "$sick"
echo "ansible_ssh_executable: $work/no-ssh" >>"$sick"
expect 2 "$roll_out --limit early"
recap unreachable=1 3
recap failed=1 2
has 'server-3: lost'
runs '' 2 3
expect 2 "$(readme back.yml)"
has 'it cannot be reached'
runs '' "${all[@]}"
cp "$work/well.yml" "$sick"

promise=bundle_for_another_build_is_refused_with_a_sentence
expect 2 "$roll_out --limit canary -e hotpatch_bundle=$(basename "$DOUBLE")"
has 'server-1: Apply the patch: it is not for this process'
runs '' 1

promise=variables_reach_the_command_and_the_gate
expect 2 "$roll_out --limit canary \
	-e '{hotpatch_apply_options: [--there-is-none]}'"
has 'server-1: Apply the patch: the command line was not understood'
expect 2 "$roll_out --limit canary -e hotpatch_soak_s=1 \
	-e '{hotpatch_health_command: [\"false\"]}'"
has 'Let it run for a while'
has 'server-1: Ask the command for its health'
runs '' 1

promise=probation_that_is_passed_lets_the_next_wave_begin
cat >"$work/rollout/probation.yml" <<'END'
hotpatch_probation_s: 0.2
hotpatch_verify: >-
  echo "$HOTPATCH_PATCH" >>"$HOTPATCH_RUNTIME_DIR/../asked"
  && [ ! -e "$HOTPATCH_RUNTIME_DIR/../sick" ]
END
expect 0 "$roll_out --limit canary:early -e @probation.yml"
recap changed=1 1 2 3
recap failed=0 1 2 3
runs +fix-two@1 1 2 3
for place in 1 2 3; do
	asked "$place"
	logs healthy "$place"
done

promise=one_host_that_is_not_verified_takes_its_wave_back_and_stops
touch "$work/hosts/server-5/sick"
expect 2 "$roll_out --limit rest -e @probation.yml"
has 'server-5: Apply the patch: its health check failed and it was taken back'
recap rescued=1 5
recap failed=1 4 5
recapped 2
asked 4
asked 5
logs unhealthy 5
runs +fix-two@1 1 2 3
runs '' 4 5 6 7 8
for place in 6 7 8; do
	[ ! -e "$work/hosts/server-$place/asked" ] ||
		fail "server-$place came after it"
done

promise=no_client_noticed
exec 3>&-
for pid in "${load_pids[@]}"; do
	wait "$pid" || fail 'a client failed'
done
load_pids=()
for place in "${all[@]}"; do
	grep -q ' failed=0 mixed=0 ' "$work/hosts/server-$place/load" ||
		fail "server-$place: $(cat "$work/hosts/server-$place/load")"
done

echo 'all promises kept'
