#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Keys and signatures as people use them: made, interchanged with the minisign
# tool, and asked for by a process. Arguments: the command, and the folder in
# which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_signatures_host
bundles=$2/bundles/integration-signatures_host
directory=$(mktemp -d /tmp/hotpatch-signatures-XXXXXX)
export HOTPATCH_RUNTIME_DIR="$directory/run"
pid=

clean_up() {
	exec 3>&- || true
	[ -z "$pid" ] || wait "$pid" || true
	rm -rf "$directory"
}
trap clean_up EXIT
. "$(dirname "$0")/scripts/common.sh"

promise=build_without_signatures_says_so
if "$command" keygen x --no-password 2>&1 </dev/null |
	grep -q E_UNSUPPORTED; then
	echo 'built without signatures'
	exit 77
fi
rm -f x.key x.pub

umask 022
cd "$directory"
printf 'some bytes\n' >file

promise=keygen_makes_two_files_and_none_twice
expect 0 keygen ours --no-password
has '^key [0-9A-F]\{16\}$'
[ "$(stat -c %a ours.key)" = 600 ] || fail 'the secret key is open to others'
expect 1 keygen ours --no-password
complains 'ours.key'

promise=public_file_that_is_there_leaves_no_secret_behind
touch half.pub
expect 1 keygen half --no-password
[ ! -e half.key ] || fail 'the secret key is there'

promise=keygen_without_a_terminal_wants_a_password_file
expect 1 keygen other
complains 'E_PASSWORD'
[ ! -e other.key ] || fail 'a key was made'

promise=signature_is_verified_by_key_file_text_and_directory
expect 0 sign file --key ours.key
expect 0 verify-signature file --key ours.pub
has 'timestamp:'
expect 0 --json verify-signature file --key "$(tail -1 ours.pub)"
has '"authentic": true'
mkdir keys
cp ours.pub keys
expect 0 verify-signature file --keys keys
expect 0 sign file --key ours.key --comment 'said so' --signature elsewhere
expect 0 verify-signature file --key ours.pub --signature elsewhere
has 'said so'

promise=what_is_not_authentic_is_exit_4
expect 4 verify-signature file --key ours.pub --signature file
complains 'E_SIGNATURE'
printf 'other bytes\n' >other
cp file.minisig other.minisig
expect 4 verify-signature other --key ours.pub
complains 'E_FORGED'
rm other.minisig
expect 4 verify-signature other --key ours.pub
complains 'E_UNSIGNED'
expect 0 keygen strange --no-password
expect 4 --json verify-signature file --key strange.pub
has '"code": "E_UNTRUSTED_KEY"'
sed -n 's/.* \([0-9A-F]\{16\}\)$/\1/p' ours.pub >keys/revoked
expect 4 verify-signature file --keys keys
complains 'E_REVOKED_KEY'
rm keys/revoked

promise=what_cannot_be_done_says_why
expect 2 sign file
expect 2 verify-signature file
expect 2 verify-signature file --key a --keys b
expect 2 sign file --key ours.key --comment 'two
lines'
expect 1 sign none --key ours.key
complains 'E_NOT_FOUND'
expect 1 sign file --key ours.pub
complains 'E_UNSAFE_PATH'
chmod 600 ours.pub
expect 1 sign file --key ours.pub
complains 'E_KEY'
chmod 644 ours.pub keys
expect 1 verify-signature file --key other
complains 'E_KEY'
chmod 775 keys
expect 1 verify-signature file --keys keys
complains 'E_UNSAFE_PATH'
chmod 755 keys

tool() {
	minisign "$@" >"$output" 2>"$errors" </dev/null ||
		fail "minisign refuses: $*"
}

if command -v minisign >/dev/null; then
	promise=tool_verifies_ours
	tool -V -p ours.pub -m file

	promise=tool_signs_with_our_key
	tool -S -W -s ours.key -m file -x by-tool
	expect 0 verify-signature file --key ours.pub --signature by-tool

	promise=we_verify_and_sign_with_the_tools_key
	tool -G -W -p tools.pub -s tools.key
	tool -S -W -s tools.key -m file -x by-tool -t 'from the tool'
	expect 0 verify-signature file --key tools.pub --signature by-tool
	has 'from the tool'
	expect 0 sign file --key tools.key --signature by-us
	tool -V -p tools.pub -m file -x by-us

	promise=tools_signature_of_the_old_kind_is_refused
	tool -S -l -W -s tools.key -m file -x legacy
	expect 4 verify-signature file --key tools.pub --signature legacy
	complains 'E_SIGNATURE_LEGACY'
fi

# Passwords, where the memory that their function takes can be bounded; a
# sanitizer's own memory cannot.
with_passwords() {
	ulimit -v 200000
	printf 'secret\n' >password
	printf 'wrong\n' >not-password

	promise=key_with_a_password_wants_it
	expect 0 keygen locked --password-file password
	expect 0 sign file --key locked.key --password-file password \
		--signature locked.sig
	expect 0 verify-signature file --key locked.pub --signature locked.sig
	expect 1 sign file --key locked.key --password-file not-password
	complains 'E_PASSWORD'
	expect 1 sign file --key locked.key
	complains 'E_PASSWORD'

	promise=password_is_read_from_the_terminal_and_not_shown
	if command -v script >/dev/null; then
		mkfifo typed shown
		script -qec "$command keygen typed-key" /dev/null <typed >shown \
			2>"$errors" &
		exec 7>typed 8<shown
		# Each prompt ends in a colon, and what is typed before it is
		# thrown away.
		for _ in first again; do
			read -r -d : -u 8 || fail 'no prompt came'
			printf 'secret\n' >&7
		done
		cat <&8 >"$output"
		exec 7>&- 8<&-
		wait
		grep -q '^secret: typed-key.key' "$output" ||
			fail 'no key was made'
		! grep -q -e ' secret' -e '^secret.\?$' "$output" ||
			fail 'the password was shown'
		expect 0 sign file --key typed-key.key \
			--password-file password --signature typed.sig
	fi

	command -v minisign >/dev/null || return 0
	promise=tool_takes_our_password
	printf 'secret\n' | minisign -S -s locked.key -m file -x by-tool \
		>"$output" 2>"$errors" || fail 'minisign refuses the key'
	expect 0 verify-signature file --key locked.pub --signature by-tool
	promise=we_take_the_tools_password
	printf 'secret\nsecret\n' | minisign -G -p t.pub -s t.key \
		>"$output" 2>"$errors" || fail 'minisign makes no key'
	expect 0 sign file --key t.key --password-file password \
		--signature by-us
	expect 0 verify-signature file --key t.pub --signature by-us
}

if (ulimit -v 200000 && "$command" --version) >/dev/null 2>&1; then
	(with_passwords)
else
	echo 'left out: passwords'
fi

# ---- A process that takes signed bundles only ----

cp "$bundles/older.so" "$bundles/newer.so" .
mkfifo to from
"$host" serve "$directory/keys" "$directory/store" <to >from &
pid=$!
exec 3>to 4<from
read -r socket <&4
[ -S "$socket" ] || fail 'there is no socket'

promise=unsigned_bundle_is_exit_4
expect 4 apply newer.so
complains 'E_UNSIGNED'
[ "$(tell call)" = 41 ] || fail 'the function changed'

# foresees CODE ARGUMENT...: what --dry-run answers; the process is as it was
# and remembers nothing that it did not before.
recorded() {
	cat "$directory/store/sequences" 2>/dev/null || echo 'none'
}
patches() {
	expect 0 --json status
	sed -n '/"patches"/,$p' "$output"
}
foresees() {
	foreseen=$1
	shift
	sequences=$(recorded)
	known=$(patches)
	called=$(tell call)
	expect "$foreseen" apply --dry-run "$@"
	cp "$output" "$directory/foreseen"
	cp "$errors" "$directory/refused"
	[ "$(tell call)" = "$called" ] || fail 'the function changed'
	[ "$(recorded)" = "$sequences" ] || fail 'the sequence was recorded'
	[ "$(patches)" = "$known" ] || fail 'the process knows other patches'
	cp "$directory/foreseen" "$output"
	cp "$directory/refused" "$errors"
}

promise=dry_run_of_an_unsigned_bundle_is_exit_4
foresees 4 newer.so
complains 'E_UNSIGNED'

promise=dry_run_of_a_good_bundle_applies_and_records_nothing
expect 0 sign newer.so --key ours.key
foresees 0 newer.so
[ "$(tell call)" = 41 ] || fail 'the function changed'
[ "$(recorded)" = none ] || fail 'a sequence is recorded'
rm newer.so.minisig

promise=signature_beside_the_bundle_is_passed_along
expect 0 sign older.so --key ours.key
expect 0 sign newer.so --key ours.key
# That the newer one was looked at does not make this one old.
expect 0 apply older.so
[ "$(recorded)" != none ] || fail 'no sequence is recorded'
[ "$(tell call)" = 42 ] || fail 'the function did not change'
expect 0 --json status
has "\"key_id\": \"$(sed -n 's/.* \([0-9A-F]\{16\}\)$/\1/p' ours.pub)\""
expect 0 revert older

promise=signature_may_be_named
mv newer.so.minisig elsewhere
expect 0 apply newer.so --signature elsewhere
[ "$(tell call)" = 43 ] || fail 'the function did not change'
expect 0 revert newer
mv elsewhere newer.so.minisig

promise=older_bundle_is_refused_unless_it_is_a_rollback
expect 4 apply older.so
complains 'E_REPLAYED'

promise=dry_run_of_a_replayed_bundle_is_exit_4
foresees 4 older.so
complains 'E_REPLAYED'

promise=rollback_is_foreseen_and_done
foresees 0 older.so --rollback
expect 0 apply older.so --rollback
[ "$(tell call)" = 42 ] || fail 'the function did not change'
expect 0 revert older

promise=strange_and_damaged_signatures_are_exit_4
expect 0 sign newer.so --key strange.key
expect 4 apply newer.so
complains 'E_UNTRUSTED_KEY'
cp older.so.minisig newer.so.minisig
expect 4 apply newer.so
complains 'E_FORGED'
[ "$(tell call)" = 41 ] || fail 'the function changed'

promise=key_that_is_revoked_now_is_refused_now
expect 0 sign newer.so --key ours.key
sed -n 's/.* \([0-9A-F]\{16\}\)$/\1/p' ours.pub >keys/revoked
expect 4 apply newer.so
complains 'E_REVOKED_KEY'

promise=dry_run_of_a_revoked_key_is_exit_4
foresees 4 newer.so
complains 'E_REVOKED_KEY'
rm keys/revoked
foresees 0 newer.so
expect 0 apply newer.so
expect 0 revert newer

exec 3>&-
wait "$pid"
pid=
echo 'all promises kept'
