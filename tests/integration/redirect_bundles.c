/* SPDX-License-Identifier: MIT */
/*
 * Bundles that redirect functions nobody prepared, of the program and of a
 * library that comes and goes. redirect_bundles.sh runs the tests of sealed
 * bundles again in a program without symbols.
 */
#include "support.h"

#include <hotpatch/redirect.h>

#include <dlfcn.h>
#include <sys/wait.h>

#define LIBRARY HOTPATCH_TEST_MODULES "/library.so"
#define HEAD 16 /* bytes of a function that are compared */

#ifdef __clang__
#define ALONE __attribute__((noinline))
#else
#define ALONE __attribute__((noipa))
#endif

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net + 1;
}

int plain(int x);
int net_of(int gross);

ALONE int plain(int x)
{
	volatile int copy = x;

	return copy + 1;
}

int plain_again(int x) __attribute__((alias("plain")));

ALONE int net_of(int gross)
{
	volatile int copy = gross;

	return copy - 1;
}

static ALONE int hidden(int x)
{
	volatile int copy = x;

	return copy + 2;
}

int loops_first(int x);

__asm__(".pushsection .text\n"
	".globl loops_first\n"
	".type loops_first, @function\n"
	"loops_first:\n"
	".cfi_startproc\n"
	"incl %edi\n"
	"cmpl $10, %edi\n"
	"jne loops_first\n"
	"movl %edi, %eax\n"
	"ret\n"
	".cfi_endproc\n"
	".size loops_first, . - loops_first\n"
	".popsection\n");

static int (*volatile call_plain)(int x) = plain;
static int (*volatile call_hidden)(int x) = hidden;
static int (*volatile call_net_of)(int gross) = net_of;

/* Seen in one version the two undo each other. */
static bool saw_mixture(void)
{
	return call_net_of(price(5)) != 5;
}

static unsigned char heads[3][HEAD];

static void read_heads(unsigned char bytes[3][HEAD])
{
	memcpy(bytes[0], (const void *)call_plain, HEAD);
	memcpy(bytes[1], (const void *)call_hidden, HEAD);
	memcpy(bytes[2], (const void *)call_net_of, HEAD);
}

/* Nothing is left of any redirect. */
static void expect_untouched(void)
{
	unsigned char now[3][HEAD];

	read_heads(now);
	ck_assert_mem_eq(now, heads, sizeof(heads));
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 1); /* price */
}

struct library {
	void *handle;
	int (*sum)(int a, int b);
	int (*twice)(int a);
};

static struct library open_library(void)
{
	struct library library;

	library.handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(library.handle != NULL, "%s", dlerror());
	*(void **)&library.sum = dlsym(library.handle, "library_sum");
	*(void **)&library.twice = dlsym(library.handle, "library_twice");
	return library;
}

static void close_library(struct library *library)
{
	ck_assert_int_eq(dlclose(library->handle), 0);
	/* Nobody else holds it. */
	ck_assert_ptr_null(dlopen(LIBRARY, RTLD_NOW | RTLD_NOLOAD));
}

static unsigned int bound(const struct hotpatch_patch *patch)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	return info.bound;
}

static void expect_refused(const char *bundle, enum hotpatch_status expected,
			   const char *word)
{
	struct hotpatch_patch *patch = NULL;
	struct hotpatch_error err = {.sentence = ""};
	enum hotpatch_status status =
		hotpatch_patch_open(bundle_path(bundle), NULL, &patch, &err);

	ck_assert_msg(status == expected, "%s: %s, wanted %s: %s", bundle,
		      hotpatch_status_name(status),
		      hotpatch_status_name(expected), err.sentence);
	ck_assert_msg(strstr(err.sentence, word) != NULL, "%s", err.sentence);
	ck_assert_ptr_null(patch);
	ck_assert_uint_eq(count_copies(), 0);
	expect_untouched();
}

/* What another tool does: a breakpoint. */
static void write_byte(uintptr_t address, unsigned char byte)
{
	FILE *memory = fopen("/proc/self/mem", "r+e");

	ck_assert_ptr_nonnull(memory);
	ck_assert_int_eq(pwrite(fileno(memory), &byte, 1, (off_t)address), 1);
	fclose(memory);
}

START_TEST(bundle_redirects_and_gives_the_bytes_back)
{
	struct hotpatch_patch *patch = open_bundle("one");

	expect_untouched();
	apply(patch);
	ck_assert_int_eq(call_plain(1), 102);
	ck_assert_int_eq(call_hidden(1), 103);
	remove_patch(patch);
	ck_assert_int_eq(call_plain(1), 2);
	ck_assert_int_eq(call_hidden(1), 3);
	ck_assert_uint_eq(count_copies(), 0);
	expect_untouched();
}
END_TEST

START_TEST(opening_changes_no_code)
{
	struct hotpatch_patch *patch = open_bundle("one");

	expect_untouched();
	hotpatch_patch_close(patch);
	while (hotpatch_poll() > 0)
		;
	expect_untouched();
}
END_TEST

START_TEST(redirects_stack_and_leave_in_any_order)
{
	struct hotpatch_patch *one = apply_bundle("one");
	struct hotpatch_patch *two = apply_bundle("two");

	ck_assert_int_eq(call_plain(1), 202);
	ck_assert_int_eq(call_hidden(1), 103);
	remove_patch(one);
	ck_assert_int_eq(call_plain(1), 202);
	ck_assert_int_eq(call_hidden(1), 3);
	one = apply_bundle("one");
	ck_assert_int_eq(call_plain(1), 102);
	remove_patch(one);
	ck_assert_int_eq(call_plain(1), 202);
	remove_patch(two);
	expect_untouched();
}
END_TEST

START_TEST(function_that_another_patch_replaces_by_name_stays_redirected)
{
	struct hotpatch_patch *one = apply_bundle("one");
	struct hotpatch_patch *named = apply_bundle("by_name");

	ck_assert_int_eq(call_plain(1), 402);
	remove_patch(one);
	ck_assert_int_eq(call_plain(1), 402);
	remove_patch(named);
	ck_assert_int_eq(call_plain(1), 2);
	expect_untouched();
}
END_TEST

static const struct hotpatch_function_name plain_name = {.name = "plain"};

START_TEST(what_the_host_redirected_stays_until_the_host_releases_it)
{
	struct hotpatch_patch *patch;

	expect_ok(hotpatch_redirect(&plain_name, 1, &err));
	patch = apply_bundle("one");
	ck_assert_int_eq(call_plain(1), 102);
	expect_status(HOTPATCH_E_IN_USE,
		      hotpatch_redirect_release(&plain_name, 1, &err));
	remove_patch(patch);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 2);
	expect_ok(hotpatch_redirect_release(&plain_name, 1, &err));
	expect_untouched();
}
END_TEST

START_TEST(what_a_patch_redirected_stays_if_the_host_wants_it)
{
	struct hotpatch_patch *patch = apply_bundle("one");

	expect_ok(hotpatch_redirect(&plain_name, 1, &err));
	remove_patch(patch);
	ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 2);
	expect_ok(hotpatch_redirect_release(&plain_name, 1, &err));
	expect_untouched();
}
END_TEST

static void check_one_view(const char *bundle)
{
	struct hotpatch_patch *patch;
	struct workers workers;
	int i;

	workers_start(&workers, 3, saw_mixture);
	for (i = 0; i < 20; i++) {
		patch = apply_bundle(bundle);
		workers_await_progress(&workers);
		remove_patch(patch);
	}
	ck_assert_uint_eq(workers_stop(&workers), 0);
	expect_untouched();
}

START_TEST(prepared_and_redirected_functions_are_seen_in_one_version)
{
	check_one_view("mixed");
}
END_TEST

static void check_still_old(void *argument)
{
	(void)argument;
	ck_assert_int_eq(price(1), 2);
	ck_assert_int_eq(call_net_of(1), 0);
}

static void check_still_new(void *argument)
{
	(void)argument;
	ck_assert_int_eq(price(1), 101);
	ck_assert_int_eq(call_net_of(1), -99);
}

START_TEST(section_keeps_its_view_and_its_redirects)
{
	struct hotpatch_patch *patch = open_bundle("mixed");
	struct holder old;
	struct holder young;

	holder_start(&old);
	begin_apply(patch);
	holder_start(&young);
	holder_run(&old, check_still_old, NULL);
	holder_run(&young, check_still_new, NULL);
	holder_stop(&old);
	await_drained(patch);
	begin_revert(patch);
	holder_run(&young, check_still_new, NULL);
	ck_assert_int_eq(call_net_of(1), 0);
	holder_stop(&young);
	await_unmapped(patch);
	expect_untouched();
}
END_TEST

START_TEST(apply_that_is_turned_round_leaves_nothing)
{
	struct hotpatch_patch *patch = open_bundle("mixed");
	struct holder holder;

	holder_start(&holder);
	begin_apply(patch);
	begin_revert(patch);
	holder_stop(&holder);
	await_unmapped(patch);
	expect_untouched();
}
END_TEST

START_TEST(forced_transition_leaves_the_original_reachable)
{
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.deadline_ms = 1,
		.policy = HOTPATCH_FORCE,
	};
	struct hotpatch_patch *patch = apply_bundle("mixed");
	struct holder holder;

	holder_start(&holder);
	expect_ok(hotpatch_patch_revert(patch, &options, &err));
	await(state_of(patch) != HOTPATCH_REVERTING || hotpatch_poll() == 0);
	await_drained(patch);
	ck_assert_int_eq(call_net_of(1), 0);
	await((hotpatch_poll(), hotpatch_slot_list(NULL, 0) == 1));
	holder_run(&holder, check_still_old, NULL);
	holder_stop(&holder);
	expect_untouched();
}
END_TEST

START_TEST(immediate_bundle_redirects_too)
{
	struct hotpatch_patch *patch = apply_bundle("immediate");

	ck_assert_int_eq(call_plain(1), 102);
	remove_patch(patch);
	expect_untouched();
}
END_TEST

START_TEST(refused_prepare_gives_the_bytes_back)
{
	struct hotpatch_patch *patch = open_bundle("refuses");

	expect_status(HOTPATCH_E_PREPARE,
		      hotpatch_patch_apply(patch, NULL, &err));
	expect_untouched();
	expect_state(patch, HOTPATCH_LOADED);
	hotpatch_patch_close(patch);
}
END_TEST

START_TEST(each_refusal_has_its_status_and_changes_nothing)
{
	expect_refused("static", HOTPATCH_E_NOT_SEALED, "hidden");
	expect_refused("prepared", HOTPATCH_E_PREPARED, "price");
	expect_refused("loops", HOTPATCH_E_IMMUTABLE, "loops_first");
	expect_refused("missing", HOTPATCH_E_NO_FUNCTION, "no_such_function");
	expect_refused("twice", HOTPATCH_E_DUPLICATE, "plain_again");
	expect_refused("library/own", HOTPATCH_E_WRONG_TARGET, "library.so");
}
END_TEST

START_TEST(type_that_the_host_gave_is_compared)
{
	const struct hotpatch_function_name name = {.name = "plain",
						    .prototype = "int (int x)"};
	struct hotpatch_patch *patch = NULL;

	expect_ok(hotpatch_redirect(&name, 1, &err));
	expect_status(HOTPATCH_E_PROTOTYPE,
		      hotpatch_patch_open(bundle_path("typed"), NULL, &patch,
					  &err));
	expect_ok(hotpatch_redirect_release(&name, 1, &err));
	remove_patch(apply_bundle("one"));
	expect_untouched();
}
END_TEST

static void expect_foreign(const char *bundle)
{
	struct hotpatch_patch *patch = NULL;

	expect_status(HOTPATCH_E_FOREIGN,
		      hotpatch_patch_open(bundle_path(bundle), NULL, &patch,
					  &err));
}

START_TEST(code_that_somebody_changed_is_refused_at_opening_and_at_applying)
{
	uintptr_t address = (uintptr_t)call_hidden;
	unsigned char before = *(const unsigned char *)address;
	struct hotpatch_patch *patch;

	write_byte(address, 0xcc);
	expect_foreign("one");
	write_byte(address, before);
	patch = open_bundle("one");
	write_byte(address, 0xcc);
	expect_status(HOTPATCH_E_FOREIGN,
		      hotpatch_patch_apply(patch, NULL, &err));
	ck_assert_mem_eq(heads[0], (const void *)call_plain, HEAD);
	write_byte(address, before);
	expect_untouched();
	apply(patch);
	remove_patch(patch);
	expect_untouched();
}
END_TEST

START_TEST(listing_tells_the_module_of_a_redirected_function)
{
	struct library library = open_library();
	struct hotpatch_slot_info infos[8];
	size_t count;
	size_t i;

	apply_bundle("late");
	count = hotpatch_slot_list(infos, 8);
	ck_assert_uint_eq(count, 3);
	for (i = 0; strcmp(infos[i].name, "library_sum") != 0; i++)
		ck_assert_uint_lt(i, count);
	ck_assert_str_eq(infos[i].module, "library.so");
	ck_assert_str_eq(infos[i].patch, "late");
	ck_assert(infos[i].redirected);
	close_library(&library);
}
END_TEST

START_TEST(library_that_is_there_is_redirected_with_the_program)
{
	struct library library = open_library();
	struct hotpatch_patch *patch = apply_bundle("late");

	ck_assert_uint_eq(bound(patch), 2);
	ck_assert_int_eq(library.sum(1, 2), 1003);
	ck_assert_int_eq(call_plain(1), 102);
	remove_patch(patch);
	ck_assert_int_eq(library.sum(1, 2), 3);
	close_library(&library);
	expect_untouched();
}
END_TEST

START_TEST(library_that_comes_later_is_redirected_at_the_next_poll)
{
	struct hotpatch_patch *patch = apply_bundle("late");
	uint64_t start = events_now();
	struct library library;

	ck_assert_uint_eq(bound(patch), 1);
	library = open_library();
	hotpatch_poll();
	ck_assert_int_eq(library.sum(1, 2), 1003);
	ck_assert_uint_eq(bound(patch), 2);
	expect_events(start, "module-came library.so\n");
	remove_patch(patch);
	ck_assert_int_eq(library.sum(1, 2), 3);
	close_library(&library);
	expect_untouched();
}
END_TEST

START_TEST(library_that_goes_and_comes_again_follows)
{
	struct hotpatch_patch *patch = apply_bundle("late");
	struct library library;
	uint64_t start;
	int i;

	for (i = 0; i < 10; i++) {
		start = events_now();
		library = open_library();
		hotpatch_poll();
		ck_assert_int_eq(library.sum(1, 2), 1003);
		ck_assert_uint_eq(bound(patch), 2);
		close_library(&library);
		hotpatch_poll();
		ck_assert_uint_eq(bound(patch), 1);
		ck_assert_uint_eq(hotpatch_slot_list(NULL, 0), 2);
		ck_assert_int_eq(call_plain(1), 102);
		expect_events(start, "module-came library.so\n"
				     "module-went library.so\n");
	}
	remove_patch(patch);
	expect_untouched();
}
END_TEST

START_TEST(library_that_came_again_before_anybody_looked_follows)
{
	struct hotpatch_patch *patch = apply_bundle("late");
	struct library library = open_library();
	int i;

	hotpatch_poll();
	for (i = 0; i < 10; i++) {
		close_library(&library);
		library = open_library();
		ck_assert_int_eq(library.sum(1, 2), 3);
		hotpatch_poll();
		ck_assert_int_eq(library.sum(1, 2), 1003);
		ck_assert_uint_eq(bound(patch), 2);
	}
	remove_patch(patch);
	ck_assert_int_eq(library.sum(1, 2), 3);
	close_library(&library);
	expect_untouched();
}
END_TEST

START_TEST(patch_can_go_while_its_library_is_away)
{
	struct library library = open_library();
	struct hotpatch_patch *patch = apply_bundle("late");

	close_library(&library);
	remove_patch(patch);
	hotpatch_poll();
	expect_untouched();
	library = open_library();
	ck_assert_int_eq(library.sum(1, 2), 3);
	close_library(&library);
}
END_TEST

/* Nobody has noticed it yet. */
START_TEST(patch_is_described_while_its_library_is_away)
{
	struct library library = open_library();
	struct hotpatch_patch *patch = apply_bundle("late");
	struct hotpatch_blocker blocker;
	struct holder holder;

	close_library(&library);
	ck_assert_uint_eq(bound(patch), 2);
	holder_start(&holder);
	begin_revert(patch);
	ck_assert_uint_eq(hotpatch_blocker_list(&blocker, 1), 1);
	ck_assert_uint_eq(bound(patch), 2);
	holder_stop(&holder);
	await_unmapped(patch);
	expect_untouched();
}
END_TEST

START_TEST(library_that_comes_during_a_transition_follows_it)
{
	struct hotpatch_patch *patch = open_bundle("late");
	struct library library;
	struct holder holder;

	holder_start(&holder);
	begin_apply(patch);
	library = open_library();
	hotpatch_poll();
	ck_assert_int_eq(library.sum(1, 2), 3);
	holder_stop(&holder);
	await_drained(patch);
	hotpatch_poll();
	ck_assert_int_eq(library.sum(1, 2), 1003);
	remove_patch(patch);
	close_library(&library);
	expect_untouched();
}
END_TEST

START_TEST(library_alone_can_be_the_target)
{
	struct library library = open_library();
	struct hotpatch_patch *patch = apply_bundle("library/own");

	ck_assert_int_eq(library.sum(1, 2), 303);
	close_library(&library);
	hotpatch_poll();
	library = open_library();
	hotpatch_poll();
	ck_assert_int_eq(library.sum(1, 2), 303);
	remove_patch(patch);
	ck_assert_int_eq(library.sum(1, 2), 3);
	close_library(&library);
}
END_TEST

START_TEST(callbacks_of_a_library_come_in_pairs)
{
	struct hotpatch_patch *patch = apply_bundle("called");
	struct library library;
	uint64_t start = events_now();

	library = open_library();
	hotpatch_poll();
	ck_assert_int_eq(library.sum(1, 2), 2003);
	close_library(&library);
	hotpatch_poll();
	expect_events(start, "prepared called library.so\n"
			     "module-came library.so\n"
			     "committed called library.so\n"
			     "leaving called library.so\n"
			     "module-went library.so\n"
			     "left called library.so\n");
	library = open_library();
	hotpatch_poll();
	start = events_now();
	remove_patch(patch);
	expect_events(start, "leaving called library.so\n"
			     "staged called\n"
			     "detoured called\n"
			     "advanced called\n"
			     "drained called\n"
			     "settled called\n"
			     "left called library.so\n"
			     "reverted called\n"
			     "unmapped called\n");
	close_library(&library);
	expect_untouched();
}
END_TEST

/* The library of another build, at a path of its own. */
static void open_other_build(struct library *library)
{
	char folder[] = "/tmp/hotpatch-test-XXXXXX";
	char command[1024];
	char path[128];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/library.so", folder);
	snprintf(command, sizeof(command), "cp '%s' '%s'",
		 HOTPATCH_TEST_MODULES "/other.so", path);
	ck_assert_int_eq(system(command), 0);
	library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_ptr_nonnull(library->handle);
	*(void **)&library->sum = dlsym(library->handle, "library_sum");
	unlink(path);
	rmdir(folder);
}

START_TEST(library_of_another_build_is_refused)
{
	struct library library;

	open_other_build(&library);
	expect_refused("late", HOTPATCH_E_WRONG_TARGET, "library.so");
	dlclose(library.handle);
}
END_TEST

START_TEST(library_of_another_build_that_comes_is_refused_once)
{
	struct hotpatch_patch *patch = apply_bundle("late");
	uint64_t start = events_now();
	struct library library;

	open_other_build(&library);
	hotpatch_poll();
	hotpatch_poll();
	ck_assert_int_eq(library.sum(1, 2), 3);
	expect_events(start, "refused late\n");
	ck_assert_int_eq(find_event(start, HOTPATCH_PHASE_REFUSED).status,
			 HOTPATCH_E_WRONG_TARGET);
	ck_assert_int_eq(call_plain(1), 102);
	dlclose(library.handle);
	remove_patch(patch);
	expect_untouched();
}
END_TEST

static void fork_and_use(const struct hotpatch_patch *patch)
{
	struct hotpatch_patch *mine = NULL;
	int result;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child) {
		result = call_plain(1) == 102 &&
			 state_of(patch) == HOTPATCH_ACTIVE;
		if (hotpatch_patch_open(bundle_path("two"), NULL, &mine, NULL))
			_exit(2);
		if (hotpatch_patch_apply(mine, NULL, NULL))
			_exit(3);
		_exit(result && call_plain(1) == 202 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &result, 0), child);
	ck_assert_int_eq(result, 0);
}

START_TEST(child_of_a_fork_has_the_redirects_and_can_make_more)
{
	struct hotpatch_patch *patch = apply_bundle("one");

	fork_and_use(patch);
	ck_assert_int_eq(call_plain(1), 102);
	remove_patch(patch);
	expect_untouched();
}
END_TEST

#ifdef HOTPATCH_TEST_SEALED
START_TEST(sealed_bundle_finds_static_functions_by_their_file)
{
	struct hotpatch_patch *patch = apply_bundle("one_sealed");

	ck_assert_int_eq(call_plain(1), 102);
	ck_assert_int_eq(call_hidden(1), 103);
	remove_patch(patch);
	ck_assert_int_eq(call_hidden(1), 3);
	expect_untouched();
}
END_TEST

START_TEST(sealed_bundle_is_seen_in_one_version)
{
	check_one_view("mixed_sealed");
}
END_TEST

START_TEST(sealed_library_is_redirected_whenever_it_comes)
{
	struct hotpatch_patch *patch = apply_bundle("late_sealed");
	struct library library;
	int i;

	for (i = 0; i < 3; i++) {
		library = open_library();
		ck_assert_int_eq(library.twice(2), 4);
		hotpatch_poll();
		ck_assert_int_eq(library.sum(1, 2), 1003);
		ck_assert_int_eq(library.twice(2), 5);
		ck_assert_uint_eq(bound(patch), 3);
		close_library(&library);
	}
	library = open_library();
	hotpatch_poll();
	remove_patch(patch);
	ck_assert_int_eq(library.twice(2), 4);
	close_library(&library);
	expect_untouched();
}
END_TEST

/* Behind what a jump would need. */
#define INSIDE 10

START_TEST(any_byte_that_is_not_as_sealed_is_refused)
{
	uintptr_t address = (uintptr_t)call_hidden + INSIDE;
	unsigned char before = *(const unsigned char *)address;

	write_byte(address, (unsigned char)~before);
	expect_foreign("one_sealed");
	write_byte(address, before);
	remove_patch(apply_bundle("one_sealed"));
	expect_untouched();
}
END_TEST

START_TEST(library_with_other_bytes_is_refused_and_the_patch_stays)
{
	struct hotpatch_patch *patch = apply_bundle("late_sealed");
	struct library library = open_library();
	uintptr_t address = *(uintptr_t *)&library.sum + INSIDE;
	unsigned char before = *(const unsigned char *)address;
	uint64_t start = events_now();

	write_byte(address, (unsigned char)~before);
	hotpatch_poll();
	hotpatch_poll();
	expect_events(start, "refused late-sealed\n");
	ck_assert_int_eq(find_event(start, HOTPATCH_PHASE_REFUSED).status,
			 HOTPATCH_E_FOREIGN);
	ck_assert_int_eq(call_plain(1), 102);
	ck_assert_uint_eq(bound(patch), 1);
	ck_assert_int_eq(library.twice(2), 4);
	write_byte(address, before);
	remove_patch(patch);
	close_library(&library);
	expect_untouched();
}
END_TEST

START_TEST(own_jumps_are_not_taken_for_those_of_others)
{
	struct hotpatch_patch *one = apply_bundle("one_sealed");
	struct hotpatch_patch *late = apply_bundle("late_sealed");

	ck_assert_int_eq(call_plain(1), 102);
	remove_patch(one);
	ck_assert_int_eq(call_plain(1), 102);
	ck_assert_int_eq(call_hidden(1), 3);
	remove_patch(late);
	expect_untouched();
}
END_TEST

START_TEST(type_that_was_sealed_is_compared_with_other_bundles)
{
	struct hotpatch_patch *patch = apply_bundle("one_sealed");
	struct hotpatch_patch *other = NULL;

	expect_status(HOTPATCH_E_PROTOTYPE,
		      hotpatch_patch_open(bundle_path("typed"), NULL, &other,
					  &err));
	remove_patch(patch);
	expect_untouched();
}
END_TEST
#endif

static size_t resident(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return pages;
}

START_TEST(cycles_leave_nothing)
{
	int cycles = getenv("HOTPATCH_TEST_CYCLES") ?
			     atoi(getenv("HOTPATCH_TEST_CYCLES")) :
			     100;
	struct library library;
	unsigned int descriptors;
	unsigned int mappings;
	size_t pages = 0;
	int i;

	for (i = 0; i < 20 + cycles; i++) {
		library = open_library();
		remove_patch(apply_bundle("late"));
		close_library(&library);
		remove_patch(apply_bundle("mixed"));
		if (i == 20) {
			descriptors = count_descriptors();
			mappings = count_entries("/proc/self/map_files");
			pages = resident();
		}
	}
	ck_assert_uint_eq(count_descriptors(), descriptors);
	ck_assert_uint_eq(count_entries("/proc/self/map_files"), mappings);
	/* A page or two for the ring of events and the like. */
	ck_assert(SANITIZED || resident() <= pages + 64);
	expect_untouched();
}
END_TEST

int main(void)
{
	/* What needs no symbols of the program. */
	const TTest *const sealed[] = {
#ifdef HOTPATCH_TEST_SEALED
		sealed_bundle_finds_static_functions_by_their_file,
		sealed_bundle_is_seen_in_one_version,
		sealed_library_is_redirected_whenever_it_comes,
		any_byte_that_is_not_as_sealed_is_refused,
		library_with_other_bytes_is_refused_and_the_patch_stays,
		own_jumps_are_not_taken_for_those_of_others,
		type_that_was_sealed_is_compared_with_other_bundles,
#endif
		library_alone_can_be_the_target,
	};
	const TTest *const tests[] = {
		bundle_redirects_and_gives_the_bytes_back,
		opening_changes_no_code,
		redirects_stack_and_leave_in_any_order,
		function_that_another_patch_replaces_by_name_stays_redirected,
		what_the_host_redirected_stays_until_the_host_releases_it,
		what_a_patch_redirected_stays_if_the_host_wants_it,
		prepared_and_redirected_functions_are_seen_in_one_version,
		section_keeps_its_view_and_its_redirects,
		apply_that_is_turned_round_leaves_nothing,
		forced_transition_leaves_the_original_reachable,
		immediate_bundle_redirects_too,
		refused_prepare_gives_the_bytes_back,
		each_refusal_has_its_status_and_changes_nothing,
		type_that_the_host_gave_is_compared,
		code_that_somebody_changed_is_refused_at_opening_and_at_applying,
		listing_tells_the_module_of_a_redirected_function,
		library_that_is_there_is_redirected_with_the_program,
		library_that_comes_later_is_redirected_at_the_next_poll,
		library_that_goes_and_comes_again_follows,
		library_that_came_again_before_anybody_looked_follows,
		patch_can_go_while_its_library_is_away,
		patch_is_described_while_its_library_is_away,
		library_that_comes_during_a_transition_follows_it,
		callbacks_of_a_library_come_in_pairs,
		library_of_another_build_is_refused,
		library_of_another_build_that_comes_is_refused_once,
		child_of_a_fork_has_the_redirects_and_can_make_more,
		cycles_leave_nothing,
	};

	int failed;

	read_heads(heads);
	failed = run_tests("redirect_bundles_sealed", sealed,
			   sizeof(sealed) / sizeof(sealed[0]));
	if (!getenv("HOTPATCH_TEST_STRIPPED"))
		failed |= run_tests("redirect_bundles", tests,
				    sizeof(tests) / sizeof(tests[0]));
	return failed;
}
