/* SPDX-License-Identifier: MIT */
/*
 * Functions of two modules are redirected and released, with every call of the
 * library made to fail in turn. A failure leaves the code, and what is mapped
 * where with which rights, as it was.
 */
#include "../../lib/status.h"
#include "picture.h"

#include <hotpatch/inventory.h>
#include <malloc.h>

/* What this child makes fail. */
static enum fault fault;

/* The pages of the first module were in place already when those of the second
 * could not be put there. */
static bool was_visible(void)
{
	return fault == FAULT_mremap && strcmp(injection.object, " #2") == 0;
}

static void checked_look(void)
{
	static struct picture before;
	struct hotpatch_function_info info;
	enum hotpatch_status status;

	take_picture(&before);
	if (armed_step(STEP_LOOK, status,
		       hotpatch_redirect_look(names, &info, &err)) &&
	    status != OK) {
		demand_unchanged(&before);
		status = hotpatch_redirect_look(names, &info, NULL);
	}
	demand(status == OK, "looking is %s", hotpatch_status_name(status));
	demand(info.refusal == HOTPATCH_REFUSAL_NONE, "it is refused");
}

/* A thread may be in what was visible, so that stays mapped; and if the way
 * back is refused as well, functions stay as they have become. */
static void demand_consistent(const struct picture *before, size_t of_first)
{
	static struct picture now;
	size_t wanted = injection.lasting ? of_first : before->slots;

	take_picture(&now);
	demand(now.slots == wanted, "%zu slots", now.slots);
	demand(injection.lasting || before->code == now.code,
	       "code has changed");
}

static void checked_redirect(void)
{
	static struct picture before;
	enum hotpatch_status status;

	take_picture(&before);
	if (armed_step(STEP_REDIRECT, status,
		       hotpatch_redirect(names, COUNT, &err)) &&
	    status != OK) {
		if (was_visible())
			demand_consistent(&before, OF_PROGRAM);
		else
			demand_unchanged(&before);
		demand_results(5);
		status = hotpatch_redirect(names, COUNT, NULL);
	}
	demand(status == OK, "redirecting is %s", hotpatch_status_name(status));
	demand(hotpatch_slot_list(NULL, 0) == COUNT, "not all are slots");
	demand_results(5);
}

static void checked_release(void)
{
	static struct picture before;
	enum hotpatch_status status;

	take_picture(&before);
	if (armed_step(STEP_RELEASE, status,
		       hotpatch_redirect_release(names, COUNT, &err)) &&
	    status != OK) {
		if (was_visible())
			demand_consistent(&before, COUNT - OF_PROGRAM);
		else
			demand_unchanged(&before);
		demand_results(5);
		status = hotpatch_redirect_release(names, COUNT, NULL);
	}
	demand(status == OK, "releasing is %s", hotpatch_status_name(status));
	demand(hotpatch_slot_list(NULL, 0) == 0, "some are slots");
	demand_results(5);
}

static void run_redirect(void)
{
	static struct picture before;
	static struct picture after;

	/* Else what an analysis keeps would show as mappings. */
	fault = injection.fault;
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	open_plugin();
	take_picture(&before);
	checked_look();
	checked_redirect();
	checked_release();
	demand(!hotpatch_redirect(names, COUNT, NULL), "afterwards");
	demand_results(5);
	demand(!hotpatch_redirect_release(names, COUNT, NULL), "afterwards");
	demand_results(5);
	take_picture(&after);
	demand(before.code == after.code, "code has changed");
	report_blocks();
}

/* ---- What is given back ---- */

static size_t bytes_now(void)
{
	struct hotpatch_memory_info info = {.size = sizeof(info)};

	demand(hotpatch_memory_info(&info) == OK, "no figures");
	return info.redirect_bytes;
}

static enum hotpatch_status poll_often(int turns, struct hotpatch_error *err)
{
	while (turns--) {
		hotpatch_poll();
		if (!bytes_now())
			return OK;
		nanosleep(&(struct timespec){0, 2000000}, NULL);
	}
	return hp_error(err, HOTPATCH_E_TIMEOUT, 0, "redirect",
			"it is not given back");
}

/* Two that want relays of their own, and one without. */
static void run_reclaim(void)
{
	static const struct hotpatch_function_name some[] = {
		{.name = "shape_push_one"},
		{.name = "shape_push_two"},
		{.name = "shape_move_five"}};
	enum hotpatch_status status;

	demand(!hotpatch_redirect(some, 3, NULL), "at first");
	demand(!hotpatch_redirect_release(some, 3, NULL), "at first");
	if (armed_step(STEP_UNMAP, status, poll_often(4, &err)) &&
	    status != OK) {
		demand(bytes_now() > 0, "nothing is left");
		status = poll_often(2000, NULL);
	}
	demand(status == OK, "memory is %s", hotpatch_status_name(status));
	demand(!hotpatch_redirect(some, 3, NULL), "afterwards");
	demand(shape_push_one(41) == 42 && shape_move_five(41) == 42,
	       "it gives something else");
	demand(!hotpatch_redirect_release(some, 3, NULL), "afterwards");
	report_blocks();
}

#define UNANALYSED(fault, object, step)                                        \
	REFUSED(fault, object, step, HOTPATCH_E_NOT_FOUND)
#define UNCHANGED(fault, object)                                               \
	REFUSED(fault, object, STEP_REDIRECT, HOTPATCH_E_TEXT),                \
		REFUSED(fault, object, STEP_RELEASE, HOTPATCH_E_TEXT)
#define NO_MEMORY(fault, object)                                               \
	REFUSED(fault, object, STEP_LOOK, HOTPATCH_E_NO_MEMORY),               \
		REFUSED(fault, object, STEP_REDIRECT, HOTPATCH_E_NO_MEMORY),   \
		REFUSED(fault, object, STEP_RELEASE, HOTPATCH_E_NO_MEMORY)
#define NOT_FOUND(fault, object, status)                                       \
	REFUSED(fault, object, STEP_LOOK, status),                             \
		REFUSED(fault, object, STEP_REDIRECT, status),                 \
		REFUSED(fault, object, STEP_RELEASE, status)

static const struct expectation redirect_table[] = {
	TOLERATED(open, ".debug", STEP_LOOK, "names in it are not known"),
	{FAULT_open, ".debug", STEP_REDIRECT, OK, HOTPATCH_E_TEXT,
	 "names in it are not known"},
	UNANALYSED(open, NULL, STEP_LOOK),
	UNANALYSED(open, "plugin.so #1", STEP_REDIRECT),
	UNCHANGED(open, NULL),
	UNANALYSED(fstat, NULL, STEP_LOOK),
	UNANALYSED(fstat, "#1", STEP_REDIRECT),
	UNCHANGED(fstat, NULL),
	UNCHANGED(fopen, "/maps"),
	UNCHANGED(fgets, NULL),
	UNCHANGED(pwrite, NULL),
	UNCHANGED(mprotect, NULL),
	TOLERATED(memfd_create, NULL, STEP_REDIRECT,
		  "each page of relays has memory of its own"),
	UNCHANGED(mremap, NULL),
	REFUSED(mmap, "place", STEP_REDIRECT, HOTPATCH_E_NO_MEMORY),
	UNCHANGED(mmap, "code"),
	UNANALYSED(mmap, NULL, STEP_LOOK),
	UNANALYSED(mmap, NULL, STEP_REDIRECT),
	NO_MEMORY(malloc, NULL),
	NO_MEMORY(calloc, NULL),
	NO_MEMORY(realloc, NULL),
	NO_MEMORY(strdup, NULL),
	NOT_FOUND(readlink, "/proc/self/exe", HOTPATCH_E_TEXT),
	TOLERATED(dlopen, "libgcc_s", STEP_REDIRECT,
		  "where it cannot be loaded nobody unwinds"),
	{FAULT_dlopen, "#1", STEP_REDIRECT, HOTPATCH_E_NO_FUNCTION,
	 HOTPATCH_E_NO_FUNCTION, NULL},
	REFUSED(dlopen, "plugin.so", STEP_REDIRECT, HOTPATCH_E_NO_MODULE),
	NOT_FOUND(dlopen, "plugin.so", HOTPATCH_E_NO_FUNCTION),
	TOLERATED(dlsym, "__register_frame", STEP_REDIRECT,
		  "it is looked for elsewhere, too"),
	NOT_FOUND(dlsym, "plugin_chosen", HOTPATCH_E_NO_FUNCTION),
	TOLERATED(dlclose, NULL, STEP_REDIRECT, "a module stays loaded"),
	TOLERATED(dlclose, NULL, STEP_RELEASE, "a module stays loaded"),
	TOLERATED(pthread_atfork, NULL, STEP_LOOK,
		  "a child made in the middle of a batch cannot redirect"),
	TABLE_END,
};

#define PUT_OFF(fault)                                                         \
	{                                                                      \
		FAULT_##fault, NULL, STEP_UNMAP, OK_OR_TIMEOUT, OK_OR_TIMEOUT, \
			"it is kept, and tried again"                          \
	}

static const struct expectation reclaim_table[] = {
	PUT_OFF(dlclose),   PUT_OFF(dlopen),	   PUT_OFF(pread),
	PUT_OFF(open),	    PUT_OFF(openat),	   PUT_OFF(fopen),
	PUT_OFF(fgets),	    PUT_OFF(read),	   PUT_OFF(opendir),
	PUT_OFF(fdopendir), PUT_OFF(readdir),	   PUT_OFF(malloc),
	PUT_OFF(calloc),    PUT_OFF(realloc),	   PUT_OFF(membarrier),
	PUT_OFF(dlsym),	    PUT_OFF(rt_sigaction), PUT_OFF(backtrace),
	TABLE_END,
};

START_TEST(every_fault_keeps_what_is_given_back_later)
{
	static const enum fault required[] = {FAULT_open, FAULT_pread,
					      FAULT_opendir, FAULT_dlsym,
					      FAULT_NONE};
	static const struct scenario scenario = {
		"reclaim", run_reclaim, reclaim_table, required, false};

	exhaust(&scenario);
}
END_TEST

START_TEST(every_fault_leaves_code_rights_and_mappings)
{
	static const enum fault required[] = {
		FAULT_mremap, FAULT_mprotect, FAULT_memfd_create, FAULT_pwrite,
		FAULT_strdup, FAULT_mmap,     FAULT_NONE};
	static const struct scenario scenario = {
		"redirect", run_redirect, redirect_table, required, false};

	exhaust(&scenario);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_fault_leaves_code_rights_and_mappings,
		every_fault_keeps_what_is_given_back_later,
	};

	return run_tests("redirect_faults", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
