/* SPDX-License-Identifier: MIT */
/*
 * A module comes while tasks move to a patch for it, with every lack of memory
 * on the way; then the transition goes back and the patch is unmapped. The
 * module has the patch, all of it, or has not and an event says so; afterwards
 * it has nothing that leads to what is gone.
 */
#include "steps.h"

#include <dlfcn.h>

struct late {
	void *handle;
	int (*price)(int net);
	int (*tax)(int net);
};

/* The program's own call, which is not made to fail. */
void *__real_dlopen(const char *path, int flags);

static struct late open_late(void)
{
	const struct hotpatch_error none = {HOTPATCH_OK, 0, "", ""};
	struct late late;

	faults_arm(STEP_START);
	late.handle = __real_dlopen(HOTPATCH_TEST_LATE, RTLD_NOW | RTLD_LOCAL);
	end_step(HOTPATCH_OK, &none);
	demand(late.handle != NULL, "%s", dlerror());
	*(void **)&late.price = dlsym(late.handle, "late_price");
	*(void **)&late.tax = dlsym(late.handle, "late_tax");
	return late;
}

/* A task that keeps the view of now, whoever runs. */
static struct hotpatch_task *hold_view(void)
{
	struct hotpatch_task *task = hotpatch_task_create(NULL);

	hotpatch_task_switch(task);
	hotpatch_enter();
	hotpatch_task_switch(NULL);
	return task;
}

static void release_view(struct hotpatch_task *task)
{
	hotpatch_task_switch(task);
	hotpatch_leave();
	hotpatch_task_switch(NULL);
	hotpatch_task_destroy(task);
}

static void expect_all_or_none(const struct late *late)
{
	bool has = late->price(0) == 101;

	demand(late->price(0) == (has ? 101 : 1), "price %d", late->price(0));
	demand(late->tax(0) == (has ? 102 : 2), "tax %d", late->tax(0));
	demand(has || faults_hit(), "nothing failed, and it is not patched");
	demand(has || was_refused(HOTPATCH_E_NO_MEMORY),
	       "not patched, and nothing tells of it");
}

static void run_late(void)
{
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_error err;
	struct hotpatch_task *task;
	struct late late;

	use_private_directory();
	demand(!hotpatch_patch_open(bundle_path("late"), NULL, &patch, &err),
	       "%s", err.sentence);
	task = hold_view();
	demand(!hotpatch_patch_apply(patch, NULL, NULL), "cannot be applied");
	late = open_late();
	expect_all_or_none(&late);
	demand(!hotpatch_patch_revert(patch, NULL, NULL), "cannot go back");
	demand(late.price(0) == 1 && late.tax(0) == 2, "it did not turn");
	release_view(task);
	demand(!hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS,
				    NULL),
	       "it is not unmapped");
	hotpatch_patch_close(patch);
	demand(late.price(0) == 1 && late.tax(0) == 2, "it leads nowhere");
	dlclose(late.handle);
	clean_cycle();
	report_blocks();
}

START_TEST(module_that_comes_without_memory_has_no_part_of_the_patch)
{
	static const struct expectation table[] = {
		TOLERATED(malloc, NULL, STEP_START, "an event tells"),
		TOLERATED(calloc, NULL, STEP_START, "an event tells"),
		TOLERATED(realloc, NULL, STEP_START, "an event tells"),
		TABLE_END,
	};
	static const enum fault required[] = {FAULT_malloc, FAULT_calloc,
					      FAULT_realloc, FAULT_NONE};
	static const struct scenario scenario = {"late", run_late, table,
						 required, false};

	exhaust(&scenario);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		module_that_comes_without_memory_has_no_part_of_the_patch,
	};

	return run_tests("late_faults", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
