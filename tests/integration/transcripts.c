/* SPDX-License-Identifier: MIT */
/*
 * The whole ordered list of phases of each scenario, and what callers see
 * meanwhile. Every list is compared from the first phase to the last, so that
 * a phase too much fails as one too few does.
 */
#include "support.h"

#include <dlfcn.h>

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net + 1;
}

HOTPATCH_FUNCTION(int, net_of, (int gross))
{
	return gross - 1;
}

HOTPATCH_FUNCTION(int, stock, (void))
{
	return 0;
}

/* Used by the bundles' constructors. */
int constructed;
static pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;
void take_host_lock(void);

void take_host_lock(void)
{
	pthread_mutex_lock(&host_lock);
}

/* Seen in one version the two undo each other. */
static bool saw_mixture(void)
{
	return net_of(price(5)) != 5;
}

static void read_price(void *place)
{
	*(int *)place = price(0);
}

static int price_seen_by(struct holder *holder)
{
	int seen = 0;

	holder_run(holder, read_price, &seen);
	return seen;
}

#define TRANSITION(patch)                                                      \
	"staged " patch "\ndetoured " patch "\nadvanced " patch "\n"
#define SETTLING(patch) "drained " patch "\nsettled " patch "\n"
#define APPLIED(patch) TRANSITION(patch) SETTLING(patch) "active " patch "\n"
#define REVERTED(patch) TRANSITION(patch) SETTLING(patch) "reverted " patch "\n"

START_TEST(one_function_goes_there_and_back)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = apply_bundle("third");

	ck_assert_int_eq(stock(), 30);
	remove_patch(patch);
	ck_assert_int_eq(stock(), 0);
	expect_events(start, "opened third\n" APPLIED("third")
				     REVERTED("third") "unmapped third\n");
}
END_TEST

START_TEST(newer_patch_wins_and_the_older_returns)
{
	struct hotpatch_patch *older = apply_bundle("first");
	uint64_t start = events_now();
	struct hotpatch_patch *newer = apply_bundle("second");

	ck_assert_int_eq(price(0), 200);
	ck_assert_int_eq(net_of(100), 0);
	remove_patch(newer);
	ck_assert_int_eq(price(0), 100);
	remove_patch(older);
	ck_assert_int_eq(price(0), 1);
	expect_events(start,
		      "opened second\n" APPLIED("second")
			      REVERTED("second") "unmapped second\n" REVERTED(
				      "first") "unmapped first\n");
}
END_TEST

START_TEST(cumulative_patch_takes_over_from_three_which_are_unmapped)
{
	uint64_t start;

	hotpatch_patch_close(apply_bundle("first"));
	hotpatch_patch_close(apply_bundle("second"));
	hotpatch_patch_close(apply_bundle("third"));
	start = events_now();
	apply_bundle("all");
	ck_assert_int_eq(price(0), 400);
	ck_assert_int_eq(net_of(1), 0);
	ck_assert_int_eq(stock(), 0);
	await(hotpatch_poll() == 0);
	ck_assert_uint_eq(count_copies(), 1);
	ck_assert_str_eq(patch_list_text(), "all active\n");
	expect_events(
		start,
		"opened all\n"
		"staged first\nstaged second\nstaged third\nstaged all\n"
		"detoured first\ndetoured second\ndetoured third\n"
		"detoured all\n"
		"advanced first\nadvanced second\nadvanced third\n"
		"advanced all\n"
		"drained first\ndrained second\ndrained third\ndrained all\n"
		"settled first\nsettled second\nsettled third\nsettled all\n"
		"reverted first\nreverted second\nreverted third\nactive all\n"
		"unmapped first\nunmapped second\nunmapped third\n");
}
END_TEST

/* The module's function, while it is loaded. */
struct plugin {
	void *handle;
	int (*price)(int net);
};

static struct plugin open_plugin(void)
{
	struct plugin plugin;

	plugin.handle = dlopen(HOTPATCH_TEST_MODULES "/plugin.so",
			       RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(plugin.handle != NULL, "%s", dlerror());
	*(void **)&plugin.price = dlsym(plugin.handle, "plugin_price");
	ck_assert_ptr_nonnull(plugin.price);
	return plugin;
}

START_TEST(modules_function_follows_a_patch_that_comes_after_it)
{
	uint64_t start = events_now();
	struct plugin plugin = open_plugin();
	struct hotpatch_patch *patch;

	ck_assert_int_eq(plugin.price(0), 1);
	patch = apply_bundle("late");
	ck_assert_int_eq(plugin.price(0), 500);
	remove_patch(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	dlclose(plugin.handle);
	expect_events(start,
		      "module-came plugin.so\nopened late\n" APPLIED("late")
			      REVERTED("late") "unmapped late\n"
					       "module-went plugin.so\n");
}
END_TEST

START_TEST(modules_function_follows_a_patch_that_came_before_it)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = apply_bundle("late");
	struct plugin plugin = open_plugin();

	ck_assert_int_eq(plugin.price(0), 500);
	dlclose(plugin.handle);
	remove_patch(patch);
	expect_events(start, "opened late\n" APPLIED(
				     "late") "module-came plugin.so\n"
					     "module-went plugin.so\n" REVERTED(
						     "late") "unmapped late\n");
}
END_TEST

/* What is listed for the module's function: its replacements, -1 if absent. */
static int listed_replacements(const char *name)
{
	struct hotpatch_slot_info infos[16];
	size_t count = hotpatch_slot_list(infos, 16);
	size_t i;

	ck_assert_uint_le(count, 16);
	for (i = 0; i < count; i++)
		if (strcmp(infos[i].name, name) == 0)
			return (int)infos[i].replacements;
	return -1;
}

static void expect_bound(const struct hotpatch_patch *patch, unsigned int bound)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	ck_assert_uint_eq(info.functions, 2);
	ck_assert_uint_eq(info.bound, bound);
}

START_TEST(patched_is_listed_while_the_module_is_there)
{
	struct hotpatch_patch *patch = apply_bundle("late");
	struct plugin plugin;

	ck_assert_int_eq(listed_replacements("plugin_price"), -1);
	ck_assert_int_eq(listed_replacements("price"), 1);
	expect_bound(patch, 1);
	plugin = open_plugin();
	ck_assert_int_eq(listed_replacements("plugin_price"), 1);
	expect_bound(patch, 2);
	dlclose(plugin.handle);
	ck_assert_int_eq(listed_replacements("plugin_price"), -1);
	expect_bound(patch, 1);
	expect_state(patch, HOTPATCH_ACTIVE);
}
END_TEST

START_TEST(busy_task_keeps_the_transition_open_until_it_moves)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch;
	struct holder holder;

	holder_start(&holder);
	patch = open_bundle("second");
	begin_apply(patch);
	expect_status(HOTPATCH_E_TIMEOUT,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 0, &err));
	ck_assert_int_eq(price(0), 200);
	ck_assert_int_eq(price_seen_by(&holder), 1);
	expect_state(patch, HOTPATCH_APPLYING);
	expect_events(start, "opened second\n" TRANSITION("second"));
	holder_move(&holder);
	ck_assert_int_eq(price_seen_by(&holder), 200);
	expect_state(patch, HOTPATCH_ACTIVE);
	expect_events(start, "opened second\n" APPLIED("second"));
	holder_stop(&holder);
}
END_TEST

START_TEST(reverting_turns_an_open_transition_round)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch;
	struct holder holder;

	holder_start(&holder);
	patch = open_bundle("second");
	begin_apply(patch);
	ck_assert_int_eq(price(0), 200);
	begin_revert(patch);
	/* Nobody is in a section that began with the new view. */
	await_unmapped(patch);
	ck_assert_int_eq(price(0), 1);
	ck_assert_int_eq(price_seen_by(&holder), 1);
	holder_stop(&holder);
	expect_events(
		start,
		"opened second\n" TRANSITION("second") "turned second\n" SETTLING(
			"second") "reverted second\nunmapped second\n");
}
END_TEST

START_TEST(turned_transition_waits_for_those_who_had_moved)
{
	struct hotpatch_patch *patch;
	struct holder old;
	struct holder moved;

	holder_start(&old);
	patch = open_bundle("second");
	begin_apply(patch);
	holder_start(&moved);
	begin_revert(patch);
	expect_status(HOTPATCH_E_TIMEOUT,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 0, &err));
	ck_assert_int_eq(price_seen_by(&old), 1);
	ck_assert_int_eq(price_seen_by(&moved), 200);
	ck_assert_int_eq(price(0), 1);
	holder_move(&moved);
	ck_assert_int_eq(price_seen_by(&moved), 1);
	await_drained(patch);
	/* Unmapping wants one more view of everybody who had the patch. */
	holder_move(&moved);
	await_unmapped(patch);
	holder_stop(&moved);
	holder_stop(&old);
}
END_TEST

START_TEST(revert_can_be_reversed)
{
	struct hotpatch_patch *patch = apply_bundle("second");
	uint64_t start = events_now();
	struct holder holder;

	holder_start(&holder);
	begin_revert(patch);
	ck_assert_int_eq(price(0), 1);
	ck_assert_int_eq(price_seen_by(&holder), 200);
	begin_apply(patch);
	await_drained(patch);
	expect_state(patch, HOTPATCH_ACTIVE);
	ck_assert_int_eq(price(0), 200);
	holder_stop(&holder);
	expect_events(start, TRANSITION("second") "turned second\n" SETTLING(
				     "second") "active second\n");
	remove_patch(patch);
	ck_assert_int_eq(price(0), 1);
}
END_TEST

START_TEST(transition_may_turn_any_number_of_times)
{
	struct hotpatch_patch *patch = open_bundle("second");
	struct holder old;
	struct holder holders[8];
	int i;

	holder_start(&old);
	begin_apply(patch);
	for (i = 0; i < 8; i++) {
		holder_start(&holders[i]);
		if (i % 2)
			begin_apply(patch);
		else
			begin_revert(patch);
		ck_assert_int_eq(price_seen_by(&old), 1);
		ck_assert_int_eq(price_seen_by(&holders[i]), i % 2 ? 1 : 200);
		ck_assert_int_eq(price(0), i % 2 ? 200 : 1);
	}
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(price_seen_by(&holders[i]), i % 2 ? 1 : 200);
	for (i = 0; i < 8; i++)
		holder_stop(&holders[i]);
	expect_state(patch, HOTPATCH_APPLYING);
	holder_stop(&old);
	await_drained(patch);
	ck_assert_int_eq(price(0), 200);
	remove_patch(patch);
}
END_TEST

static void begin_with(struct hotpatch_patch *patch,
		       enum hotpatch_policy policy)
{
	struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.deadline_ms = 1,
		.policy = policy,
	};

	expect_ok(hotpatch_patch_apply(patch, &options, &err));
}

START_TEST(missed_deadline_reverses_by_policy)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = open_bundle("second");
	struct hotpatch_patch_info info;
	struct holder holder;

	needs_proc();
	holder_start(&holder);
	begin_with(patch, HOTPATCH_REVERSE);
	expect_status(HOTPATCH_E_STALLED,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, PATIENCE_MS,
					  &err));
	hotpatch_patch_info(patch, &info);
	ck_assert_int_eq(info.status, HOTPATCH_E_STALLED);
	ck_assert_ptr_nonnull(strstr(info.reason, "deadline"));
	ck_assert_int_eq(price(0), 1);
	await_unmapped(patch);
	holder_stop(&holder);
	expect_events(
		start,
		"opened second\n" TRANSITION("second") "stalled second\nturned second\n" SETTLING(
			"second") "reverted second\nunmapped second\n");
}
END_TEST

START_TEST(missed_deadline_waits_on_by_policy)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = open_bundle("second");
	struct holder holder;

	holder_start(&holder);
	begin_with(patch, HOTPATCH_WAIT);
	await((hotpatch_poll(),
	       strstr(events_text(start), "stalled second\n")));
	expect_state(patch, HOTPATCH_APPLYING);
	ck_assert_int_eq(price_seen_by(&holder), 1);
	holder_stop(&holder);
	await_drained(patch);
	ck_assert_int_eq(price(0), 200);
	expect_events(
		start,
		"opened second\n" TRANSITION("second") "stalled second\n" SETTLING(
			"second") "active second\n");
}
END_TEST

START_TEST(missed_deadline_forces_by_policy)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = open_bundle("second");
	struct hotpatch_process_info info;
	struct holder holder;

	holder_start(&holder);
	begin_with(patch, HOTPATCH_FORCE);
	await_drained(patch);
	expect_state(patch, HOTPATCH_ACTIVE);
	/* That is what forcing means: the section saw both. */
	ck_assert_int_eq(price_seen_by(&holder), 200);
	hotpatch_process_info(&info);
	ck_assert(info.forced);
	holder_stop(&holder);
	expect_events(start,
		      "opened second\n" TRANSITION(
			      "second") "stalled second\nforced second\n"
					"settled second\nactive second\n");
}
END_TEST

START_TEST(forced_revert_keeps_the_old_code_for_good)
{
	struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.deadline_ms = 1,
		.policy = HOTPATCH_FORCE,
	};
	struct hotpatch_patch *patch = apply_bundle("second");
	struct holder holder;

	needs_proc();
	holder_start(&holder);
	expect_ok(hotpatch_patch_revert(patch, &options, &err));
	await_drained(patch);
	holder_stop(&holder);
	expect_status(HOTPATCH_E_RETAINED,
		      hotpatch_patch_wait(patch, HOTPATCH_UNMAPPED, PATIENCE_MS,
					  &err));
	ck_assert_int_eq(price(0), 1);
	ck_assert_uint_eq(count_copies(), 1);
}
END_TEST

static enum hotpatch_status open_with(const char *name, bool allow,
				      struct hotpatch_patch **patch,
				      struct hotpatch_error *err)
{
	struct hotpatch_open_options options = {
		.size = sizeof(options),
		.allow_constructors = allow,
		.rehearsal_ms = 300,
	};

	return hotpatch_patch_open(bundle_path(name), &options, patch, err);
}

START_TEST(constructor_that_nobody_asked_for_is_refused)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = NULL;

	expect_status(HOTPATCH_E_CONSTRUCTOR,
		      open_with("constructor", false, &patch, &err));
	ck_assert_ptr_null(patch);
	ck_assert_int_eq(constructed, 0);
	ck_assert_uint_eq(count_copies(), 0);
	expect_events(start, "refused constructor\n");
}
END_TEST

START_TEST(constructor_runs_once_if_the_caller_allows_it)
{
	struct hotpatch_patch *patch = NULL;

	expect_ok(open_with("constructor", true, &patch, &err));
	ck_assert_int_eq(constructed, 1);
	apply(patch);
	ck_assert_int_eq(price(0), 600);
	remove_patch(patch);
}
END_TEST

START_TEST(constructor_runs_once_if_the_author_wants_it)
{
	apply_bundle("wanted");
	ck_assert_int_eq(constructed, 1);
	ck_assert_int_eq(price(0), 700);
}
END_TEST

START_TEST(constructor_that_crashes_is_refused_and_the_next_patch_works)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch = NULL;

	expect_status(HOTPATCH_E_CONSTRUCTOR,
		      open_with("crash", false, &patch, &err));
	ck_assert_uint_eq(count_copies(), 0);
	ck_assert_str_eq(patch_list_text(), "");
	apply_bundle("second");
	ck_assert_int_eq(price(0), 200);
	expect_events(start,
		      "refused crash\nopened second\n" APPLIED("second"));
}
END_TEST

START_TEST(constructor_that_waits_for_a_workers_lock_harms_nobody)
{
	struct hotpatch_patch *patch = NULL;
	struct workers workers;
	uint64_t before_ms;
	uint64_t calls;

	workers_start(&workers, 2, saw_mixture);
	take_host_lock();
	before_ms = now_ms();
	calls = hp_load_relaxed(&workers.calls); /* relaxed: a counter */
	expect_status(HOTPATCH_E_CONSTRUCTOR,
		      open_with("block", false, &patch, &err));
	ck_assert_uint_ge(now_ms() - before_ms, 300);
	/* Workers got on meanwhile; relaxed: as above. */
	ck_assert_uint_gt(hp_load_relaxed(&workers.calls), calls + 100);
	pthread_mutex_unlock(&host_lock);
	ck_assert_uint_eq(count_copies(), 0);
	apply_bundle("first");
	ck_assert_uint_eq(workers_stop(&workers), 0);
	ck_assert_int_eq(price(0), 100);
}
END_TEST

/* The thread sanitizer has a thread of its own, which is in no section and can
 * be looked at only while nothing keeps the looking thread from its turn. */
#define HAMMERS (UNDER_TSAN ? 3 : 16)

START_TEST(many_threads_that_hammer_all_move_and_back)
{
	struct workers workers;
	uint64_t start;
	int i;

	workers_start(&workers, HAMMERS, saw_mixture);
	start = events_now();
	for (i = 0; i < 20; i++) {
		struct hotpatch_patch *patch = apply_bundle("first");

		workers_await_progress(&workers);
		remove_patch(patch);
	}
	ck_assert_uint_eq(workers_stop(&workers), 0);
	ck_assert_uint_eq(count_copies(), 0);
	ck_assert_ptr_null(strstr(events_text(start), "retained"));
	ck_assert_ptr_null(strstr(events_text(start), "stalled"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_function_goes_there_and_back,
		newer_patch_wins_and_the_older_returns,
		cumulative_patch_takes_over_from_three_which_are_unmapped,
		modules_function_follows_a_patch_that_comes_after_it,
		modules_function_follows_a_patch_that_came_before_it,
		patched_is_listed_while_the_module_is_there,
		busy_task_keeps_the_transition_open_until_it_moves,
		reverting_turns_an_open_transition_round,
		turned_transition_waits_for_those_who_had_moved,
		revert_can_be_reversed,
		transition_may_turn_any_number_of_times,
		missed_deadline_reverses_by_policy,
		missed_deadline_waits_on_by_policy,
		missed_deadline_forces_by_policy,
		forced_revert_keeps_the_old_code_for_good,
		constructor_that_nobody_asked_for_is_refused,
		constructor_runs_once_if_the_caller_allows_it,
		constructor_runs_once_if_the_author_wants_it,
		constructor_that_crashes_is_refused_and_the_next_patch_works,
		constructor_that_waits_for_a_workers_lock_harms_nobody,
		many_threads_that_hammer_all_move_and_back,
	};

	return run_tests("transcripts", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
