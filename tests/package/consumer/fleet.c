/* SPDX-License-Identifier: MIT */
/*
 * A unit test as a user writes it: rolls the bundle out to four processes of
 * the host, one of which dies in the second wave. Its arguments are the
 * hotpatch command and the bundle.
 */
#include "answer.h"

#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>
#include <hotpatch/rollout.h>
#include <stdio.h>
#include <unistd.h>

HOTPATCH_FUNCTION(int, answer, (int question))
{
	return question + 1;
}

int topic;

int helper(int number)
{
	return number * 10;
}

static int serve(const struct hotpatch_rollout_instance *instance)
{
	struct hotpatch_control *control;

	(void)instance;
	if (hotpatch_control_start(NULL, &control, NULL))
		return 1;
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const struct hotpatch_rollout_injection injection = {
		.number = 1,
		.failure = HOTPATCH_ROLLOUT_DIES,
		.step = HOTPATCH_ROLLOUT_AT_HEALTH,
	};
	struct hotpatch_rollout_options options = {
		.size = sizeof(options),
		.main = serve,
		.count = 4,
		.waves = "1 2",
		.policy = HOTPATCH_ROLLOUT_REVERT_WAVE,
		.injections = &injection,
		.injection_count = 1,
	};
	struct hotpatch_rollout_report *report;
	struct hotpatch_error err;
	int as_wished;

	if (argc != 3)
		return 2;
	options.command = argv[1];
	options.bundle = argv[2];
	if (hotpatch_rollout_run(&options, &report, &err)) {
		fprintf(stderr, "%s\n", err.sentence);
		return 1;
	}
	hotpatch_rollout_print(report, stdout);
	as_wished = report->completed == 1 &&
		    report->results[0].outcome == HOTPATCH_ROLLOUT_PATCHED &&
		    report->results[1].outcome == HOTPATCH_ROLLOUT_DEAD &&
		    report->results[2].outcome == HOTPATCH_ROLLOUT_REVERTED &&
		    report->results[3].outcome == HOTPATCH_ROLLOUT_UNTOUCHED;
	hotpatch_rollout_release(report);
	return as_wished ? 0 : 1;
}
