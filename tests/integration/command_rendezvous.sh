#!/bin/sh
# SPDX-License-Identifier: MIT
# A bundle for which all tasks have to meet, from the command: how long they
# may wait, who did not come, and trying again. Arguments: the command, and the
# folder in which the tests were built.
# shellcheck source-path=SCRIPTDIR
set -eu

command=$1
host=$2/test_integration_command_host
bundle=$2/bundles/integration-command_host/meet.so
. "$(dirname "$0")/scripts/host.sh"

promise=inspect_says_that_tasks_meet
expect 0 inspect "$bundle"
has 'rendezvous'

promise=who_does_not_come_is_named_and_all_go_on
[ "$(tell hold)" = hold ] || fail 'the host does not hold'
expect 5 apply "$bundle" --rendezvous 0.05
complains 'E_RENDEZVOUS'
complains 'after 50 ms'
complains 'thread holder ('
[ "$(tell call)" = 41 ] || fail 'the function changed'

promise=without_the_option_it_is_a_tenth_of_a_second
expect 5 apply "$bundle"
complains 'after 100 ms'

promise=machines_are_told_the_same
expect 5 --json apply "$bundle" --rendezvous 0.05
has '"E_RENDEZVOUS"'
has '"thread holder ('

promise=what_failed_can_be_tried_again
[ "$(tell release)" = release ] || fail 'the host does not release'
expect 0 apply "$bundle" --rendezvous 30
has 'meet-answer is active'
[ "$(tell call)" = 43 ] || fail 'the function did not change'

promise=who_does_not_come_keeps_the_patch_active
[ "$(tell hold)" = hold ] || fail 'the host does not hold'
expect 5 revert meet-answer --rendezvous 0.05
complains 'thread holder ('
expect 0 status
has 'meet-answer.*active'
[ "$(tell call)" = 43 ] || fail 'the function changed'
[ "$(tell release)" = release ] || fail 'the host does not release'
expect 0 revert meet-answer --rendezvous 30
[ "$(tell call)" = 41 ] || fail 'the function is not back'

promise=value_that_is_no_time_is_refused
expect 2 apply "$bundle" --rendezvous soon
complains 'is no number of seconds'
expect 2 wait meet-answer --rendezvous 1
complains 'takes no --rendezvous'
