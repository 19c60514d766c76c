#!/bin/sh
# SPDX-License-Identifier: MIT
# What the command tells of a state of data, and of a patch whose code stays.
# Arguments: the command, and the folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/keep.so
. "$(dirname "$0")/scripts/host.sh"

promise=state_is_told_while_it_is_there
expect 0 apply "$bundle"
[ "$(tell call)" = 44 ] || fail 'the function did not change'
expect 0 --json status
has '"answer-form"'

promise=code_that_stays_is_told_with_the_reason
expect 5 revert keep-answer --timeout 20
complains 'E_RETAINED'
[ "$(tell call)" = 41 ] || fail 'the function is not back'
expect 0 status
has '^RETAINED  *BYTES  *REASON'
has '^keep-answer  *[1-9][0-9]* .*key'
expect 0 --json status
has '"E_RETAINED"'
lacks '"answer-form"'
