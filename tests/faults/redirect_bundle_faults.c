/* SPDX-License-Identifier: MIT */
/*
 * A bundle that redirects functions of two modules comes and goes, with every
 * call of the library made to fail in turn. A failure leaves the code, what is
 * mapped where with which rights, and all answers as they were.
 */
#include "picture.h"
#include "rows.h"
#include "steps.h"

#include <hotpatch/inventory.h>

#include <malloc.h>

#define SLOTS 2 /* what the host prepared */
#define ORIGINAL 5
#define REPLACED 105

/* What this child makes fail, and whether it came. */
static enum fault fault;

static struct picture untouched;

/* What one step, which failed, began with. */
static struct picture before;

/* Mappings of files stay what they are; what was visible once leaves mappings of
 * its own, for a thread may be there. */
static void demand_files_mapped(void)
{
	static struct picture now;
	size_t k = 0;
	size_t i;

	take_picture(&now);
	for (i = 0; i < untouched.mapping_count; i++) {
		if (!untouched.mappings[i].inode)
			continue;
		while (k < now.mapping_count &&
		       memcmp(&now.mappings[k], &untouched.mappings[i],
			      sizeof(now.mappings[k])) != 0)
			k++;
		demand(k < now.mapping_count, "mapping %zu has changed", i);
	}
	for (i = 0; i < now.mapping_count; i++)
		demand(!(now.mappings[i].rights[1] == 'w' &&
			 now.mappings[i].rights[2] == 'x'),
		       "something is writable and executable");
}

static void demand_untouched(void)
{
	static struct picture now;

	take_picture(&now);
	demand(now.code == untouched.code, "code has changed");
	demand(now.slots == SLOTS, "%zu slots", now.slots);
	demand_files_mapped();
	demand_results(ORIGINAL);
	demand(version() == 0, "version %d", version());
}

/* Pages were exchanged in this step, by calls that did not fail. */
static bool was_visible(void)
{
	unsigned int calls =
		injection.calls[FAULT_mremap] - injection.before[FAULT_mremap];

	return calls > (fault == FAULT_mremap ? 1 : 0);
}

static struct hotpatch_patch *open_redirects(void)
{
	const char *path = bundle_path("redirects");
	struct hotpatch_patch *patch = NULL;
	enum hotpatch_status status;

	take_picture(&before);
	if (armed_step(STEP_OPEN, status,
		       hotpatch_patch_open(path, NULL, &patch, &err)) &&
	    status != OK) {
		demand(!patch, "a handle of nothing");
		demand_unchanged(&before);
		demand_untouched();
		status = hotpatch_patch_open(path, NULL, &patch, NULL);
	}
	demand(status == OK, "opening is %s", hotpatch_status_name(status));
	demand_untouched();
	return patch;
}

static void apply_redirects(struct hotpatch_patch *patch)
{
	enum hotpatch_status status;

	take_picture(&before);
	if (armed_step(STEP_APPLY, status,
		       hotpatch_patch_apply(patch, NULL, &err)) &&
	    status != OK) {
		demand(state_of(patch) == HOTPATCH_LOADED, "not loaded");
		demand_results(ORIGINAL);
		if (!was_visible())
			demand_unchanged(&before);
		/* Where the way back fails, too, functions stay redirected to
		 * their originals. */
		if (!injection.lasting)
			demand_untouched();
		status = hotpatch_patch_apply(patch, NULL, NULL);
	}
	demand(status == OK, "applying is %s", hotpatch_status_name(status));
	demand(version() == 5, "version %d", version());
	demand_results(REPLACED);
	demand_files_mapped();
}

static void revert_redirects(struct hotpatch_patch *patch)
{
	enum hotpatch_status status;

	take_picture(&before);
	if (armed_step(STEP_REVERT, status,
		       hotpatch_patch_revert(patch, NULL, &err)) &&
	    status != OK) {
		demand_unchanged(&before);
		demand(state_of(patch) == HOTPATCH_ACTIVE, "not active");
		demand_results(REPLACED);
		status = hotpatch_patch_revert(patch, NULL, NULL);
	}
	demand(status == OK, "reverting is %s", hotpatch_status_name(status));
	demand(version() == 0, "version %d", version());
	demand_results(ORIGINAL);
	demand_files_mapped();
}

/* The next apply works, and so does the way back. */
static void redirect_again(void)
{
	struct hotpatch_patch *patch = NULL;

	demand(!hotpatch_patch_open(bundle_path("redirects"), NULL, &patch,
				    NULL),
	       "afterwards");
	demand(!hotpatch_patch_apply(patch, NULL, NULL), "afterwards");
	demand_results(REPLACED);
	demand(!hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS, NULL),
	       "afterwards");
	demand(!hotpatch_patch_revert(patch, NULL, NULL), "afterwards");
	demand(!hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS,
				    NULL),
	       "afterwards");
	hotpatch_patch_close(patch);
	demand_untouched();
}

/* As long as one function of a module is redirected, nothing that lies behind
 * others is given back: when that happens is for redirect_faults.c. */
static const struct hotpatch_function_name held_back[] = {
	{.name = "shape_push_two"},
	{.module = "plugin.so", .name = "plugin_kept"},
};

/* Also the blocks that it has. */
static void await_reclaimed(void)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	struct hotpatch_memory_info info = {.size = sizeof(info)};
	int turns;

	for (turns = 0; turns < 2000; turns++) {
		hotpatch_poll();
		demand(hotpatch_memory_info(&info) == OK, "no figures");
		if (!info.redirect_bytes)
			return;
		nanosleep(&pause, NULL);
	}
	demand(false, "%zu bytes stay", info.redirect_bytes);
}

static void run_redirects(void)
{
	struct hotpatch_error err = {.sentence = ""};
	enum hotpatch_status status;
	struct hotpatch_patch *patch;

	/* Else what an analysis keeps would show as mappings. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	fault = injection.fault;
	use_private_directory();
	start_stranger();
	take_picture(&untouched);
	patch = open_redirects();
	apply_redirects(patch);
	checked_drain(patch, HOTPATCH_ACTIVE);
	status = hotpatch_redirect(held_back, 2, &err);
	demand(status == OK, "holding back is %s: %s",
	       hotpatch_status_name(status), err.sentence);
	revert_redirects(patch);
	checked_unmap(patch);
	demand_results(ORIGINAL);
	demand_files_mapped();
	checked_close(patch);
	demand(!hotpatch_redirect_release(held_back, 2, NULL), "releasing");
	/* What was left when the fault came is given back with any change. */
	clean_cycle();
	demand_untouched();
	redirect_again();
	if (!kept)
		await_reclaimed();
	report_blocks();
}

#define NOT_TAKEN(fault, object, status)                                       \
	REFUSED(fault, object, STEP_APPLY, status)
#define NOT_FOUND(fault, object, status)                                       \
	REFUSED(fault, object, STEP_OPEN, status),                             \
		NOT_TAKEN(fault, object, status)
#define NOT_GIVEN_BACK(fault, object)                                          \
	TOLERATED(fault, object, STEP_REVERT,                                  \
		  "functions stay redirected to their originals until the "    \
		  "next change")

static const struct expectation redirects_table[] = {
	/* Finding the functions. */
	NOT_FOUND(readlink, NULL, HOTPATCH_E_TEXT),
	NOT_FOUND(dlopen, "plugin.so #1", HOTPATCH_E_NO_MODULE),
	NOT_FOUND(dlopen, "plugin.so", HOTPATCH_E_NO_FUNCTION),
	NOT_FOUND(dlinfo, NULL, HOTPATCH_E_NO_MODULE),
	NOT_FOUND(dlsym, "plugin_chosen", HOTPATCH_E_NO_FUNCTION),
	TOLERATED(dlclose, NULL, STEP_OPEN, "a module stays loaded"),
	/* Taking them. */
	NOT_TAKEN(calloc, NULL, HOTPATCH_E_NO_MEMORY),
	NOT_TAKEN(strdup, NULL, HOTPATCH_E_NO_MEMORY),
	NOT_TAKEN(mmap, "place", HOTPATCH_E_NO_MEMORY),
	NOT_TAKEN(mmap, NULL, HOTPATCH_E_TEXT),
	NOT_TAKEN(open, NULL, HOTPATCH_E_TEXT),
	NOT_TAKEN(fstat, NULL, HOTPATCH_E_TEXT),
	NOT_TAKEN(fopen, NULL, HOTPATCH_E_TEXT),
	NOT_TAKEN(fgets, NULL, HOTPATCH_E_TEXT),
	NOT_TAKEN(pwrite, NULL, HOTPATCH_E_TEXT),
	NOT_TAKEN(mprotect, NULL, HOTPATCH_E_TEXT),
	NOT_TAKEN(mremap, NULL, HOTPATCH_E_TEXT),
	TOLERATED(memfd_create, NULL, STEP_APPLY,
		  "each page of relays has memory of its own"),
	TOLERATED(dlopen, "libgcc_s", STEP_APPLY,
		  "where it cannot be loaded nobody unwinds"),
	TOLERATED(dlsym, "__register_frame", STEP_APPLY,
		  "it is looked for elsewhere, too"),
	TOLERATED(dlclose, NULL, STEP_APPLY, "a module stays loaded"),
	/* Giving them back. */
	NOT_GIVEN_BACK(calloc, NULL),
	NOT_GIVEN_BACK(realloc, NULL),
	NOT_GIVEN_BACK(dlopen, NULL),
	NOT_GIVEN_BACK(dlinfo, NULL),
	NOT_GIVEN_BACK(mmap, NULL),
	NOT_GIVEN_BACK(open, NULL),
	NOT_GIVEN_BACK(fstat, NULL),
	NOT_GIVEN_BACK(fopen, NULL),
	NOT_GIVEN_BACK(fgets, NULL),
	NOT_GIVEN_BACK(pwrite, NULL),
	NOT_GIVEN_BACK(mprotect, NULL),
	NOT_GIVEN_BACK(mremap, NULL),
	TOLERATED(dlclose, NULL, STEP_REVERT, "a module stays loaded"),
	/* What all bundles have. */
	QUARANTINE_ROWS,
	OPEN_ROWS,
	CONFIGURED_ROWS,
	CHANGE_ROWS,
	UNMAP_ROWS,
	TABLE_END,
};

/* What comes of failures in an analysis is for redirect_faults.c: here, all
 * children have its results. */
static void warm_up(void)
{
	struct hotpatch_function_info info;
	size_t i;

	open_plugin();
	for (i = 0; i < COUNT; i++)
		ck_assert_int_eq(hotpatch_redirect_look(&names[i], &info, NULL),
				 OK);
}

START_TEST(every_fault_of_a_bundle_leaves_code_rights_and_mappings)
{
	static const enum fault required[] = {FAULT_mremap, FAULT_mprotect,
					      FAULT_pwrite, FAULT_mmap,
					      FAULT_NONE};
	static const struct scenario scenario = {
		"redirects", run_redirects, redirects_table, required, false};

	warm_up();
	exhaust(&scenario);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_fault_of_a_bundle_leaves_code_rights_and_mappings,
	};

	return run_tests("redirect_bundle_faults", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
