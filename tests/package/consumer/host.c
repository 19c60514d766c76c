/* SPDX-License-Identifier: MIT */
/*
 * A host as a user writes it: applies the bundle that its argument names,
 * reverts it, and exits with 0 if each step changed what it should.
 */
#include "answer.h"

#include <hotpatch/hotpatch.h>
#include <stdio.h>

HOTPATCH_FUNCTION(int, answer, (int question))
{
	return question + 1;
}

HOTPATCH_SHADOW(int, questions, 1)

int topic;

int helper(int number)
{
	return number * 10;
}

static int ask(int question)
{
	int value;

	hotpatch_enter();
	value = answer(question);
	hotpatch_safe_point();
	hotpatch_leave();
	return value;
}

static int complain(const char *step, const struct hotpatch_error *err)
{
	fprintf(stderr, "%s: %s: %s\n", step, hotpatch_status_name(err->status),
		err->sentence);
	return 1;
}

static int patch_and_back(struct hotpatch_patch *patch)
{
	struct hotpatch_error err = {0};

	if (hotpatch_patch_apply(patch, NULL, &err) ||
	    hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 10000, &err))
		return complain("apply", &err);
	if (ask(1) != 20) {
		fprintf(stderr, "the replacement was not called\n");
		return 1;
	}
	if (!questions_get(&topic) || *questions_get(&topic) != 1) {
		fprintf(stderr, "the question was not counted\n");
		return 1;
	}
	if (hotpatch_patch_revert(patch, NULL, &err) ||
	    hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, 10000, &err))
		return complain("revert", &err);
	return ask(1) != 2 || hotpatch_shadow_detach_object(&topic) != 1;
}

int main(int argc, char **argv)
{
	struct hotpatch_patch *patch;
	struct hotpatch_error err = {0};
	int failed;

	if (argc != 2 || ask(1) != 2)
		return 2;
	if (hotpatch_patch_open(argv[1], NULL, &patch, &err))
		return complain("open", &err);
	failed = patch_and_back(patch);
	hotpatch_patch_close(patch);
	return failed;
}
