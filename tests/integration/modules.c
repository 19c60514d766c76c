/* SPDX-License-Identifier: MIT */
/*
 * Modules with tables of their own that come and go, before, while and after a
 * patch for them is active.
 */
#include "support.h"

#include <dlfcn.h>
#include <sys/stat.h>

HOTPATCH_FUNCTION(int, price, (int net))
{
	return net + 1;
}

HOTPATCH_FUNCTION(int, net_of, (int gross))
{
	return gross - 1;
}

/* Seen in one version the two undo each other. */
static bool saw_mixture(void)
{
	return net_of(price(5)) != 5;
}

struct plugin {
	void *handle;
	int (*price)(int net);
	int (*stock)(void);
};

static struct plugin open_file(const char *path)
{
	struct plugin plugin;

	plugin.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(plugin.handle != NULL, "%s", dlerror());
	*(void **)&plugin.price = dlsym(plugin.handle, "plugin_price");
	*(void **)&plugin.stock = dlsym(plugin.handle, "plugin_stock");
	ck_assert_ptr_nonnull(plugin.price);
	ck_assert_ptr_nonnull(plugin.stock);
	return plugin;
}

static struct plugin open_plugin(void)
{
	return open_file(HOTPATCH_TEST_MODULES "/plugin.so");
}

static struct plugin open_second(void)
{
	return open_file(HOTPATCH_TEST_MODULES "/second.so");
}

/* What the module's constructor got from its own function. */
static int price_at_start(const struct plugin *plugin)
{
	const int *seen = (const int *)dlsym(plugin->handle, "plugin_at_start");

	ck_assert_ptr_nonnull(seen);
	return *seen;
}

static void close_plugin(struct plugin *plugin)
{
	ck_assert_int_eq(dlclose(plugin->handle), 0);
	/* The address may not be called any more, and nothing may hold it. */
	ck_assert_ptr_null(dlopen(HOTPATCH_TEST_MODULES "/plugin.so",
				  RTLD_NOW | RTLD_NOLOAD));
}

static void expect_bound(const struct hotpatch_patch *patch, unsigned int bound)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	ck_assert_uint_eq(info.bound, bound);
}

static void *plugin_price_place; /* the entry that a holder calls */

static void read_plugin_price(void *place)
{
	int (*entry)(int);

	*(void **)&entry = plugin_price_place;
	*(int *)place = entry(0);
}

static int price_seen_by(struct holder *holder, const struct plugin *plugin)
{
	int seen = 0;

	plugin_price_place = *(void *const *)&plugin->price;
	holder_run(holder, read_plugin_price, &seen);
	return seen;
}

START_TEST(module_that_is_there_is_patched_with_the_program)
{
	struct plugin plugin = open_plugin();
	struct hotpatch_patch *patch;

	ck_assert_int_eq(plugin.price(0), 1);
	patch = apply_bundle("both");
	ck_assert_int_eq(plugin.price(0), 101);
	ck_assert_int_eq(plugin.stock(), 1);
	ck_assert_int_eq(price(0), 100);
	remove_patch(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	close_plugin(&plugin);
}
END_TEST

START_TEST(late_module_is_replaced_before_its_own_constructor_runs)
{
	struct plugin plugin;

	apply_bundle("both");
	plugin = open_plugin();
	ck_assert_int_eq(price_at_start(&plugin), 101);
	ck_assert_int_eq(plugin.price(0), 101);
	close_plugin(&plugin);
}
END_TEST

START_TEST(module_that_goes_and_comes_again_follows)
{
	struct hotpatch_patch *patch = apply_bundle("both");
	struct plugin plugin;
	int i;

	expect_bound(patch, 2);
	for (i = 0; i < 3; i++) {
		plugin = open_plugin();
		ck_assert_int_eq(plugin.price(0), 101);
		expect_bound(patch, 3);
		close_plugin(&plugin);
		expect_bound(patch, 2);
		ck_assert_int_eq(price(0), 100);
	}
	remove_patch(patch);
	plugin = open_plugin();
	ck_assert_int_eq(plugin.price(0), 1);
	close_plugin(&plugin);
}
END_TEST

START_TEST(patch_can_go_while_its_module_is_away)
{
	struct plugin plugin = open_plugin();
	struct hotpatch_patch *patch = apply_bundle("both");

	close_plugin(&plugin);
	remove_patch(patch);
	ck_assert_uint_eq(count_copies(), 0);
	ck_assert_int_eq(price(0), 1);
	plugin = open_plugin();
	ck_assert_int_eq(plugin.price(0), 1);
	close_plugin(&plugin);
}
END_TEST

START_TEST(module_alone_can_be_the_target)
{
	struct hotpatch_patch *patch = NULL;
	struct plugin plugin;

	expect_status(HOTPATCH_E_WRONG_TARGET,
		      hotpatch_patch_open(bundle_path("plugin/own"), NULL,
					  &patch, &err));
	plugin = open_plugin();
	patch = apply_bundle("plugin/own");
	ck_assert_int_eq(plugin.price(0), 301);
	close_plugin(&plugin);
	plugin = open_plugin();
	ck_assert_int_eq(plugin.price(0), 301);
	remove_patch(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	close_plugin(&plugin);
}
END_TEST

START_TEST(module_that_went_after_opening_keeps_apply_from_working)
{
	struct plugin plugin = open_plugin();
	struct hotpatch_patch *patch = open_bundle("plugin/own");

	close_plugin(&plugin);
	expect_status(HOTPATCH_E_WRONG_TARGET,
		      hotpatch_patch_apply(patch, NULL, &err));
	expect_state(patch, HOTPATCH_LOADED);
	plugin = open_plugin();
	apply(patch);
	ck_assert_int_eq(plugin.price(0), 301);
	close_plugin(&plugin);
}
END_TEST

/* A module of the plugin's name that is another build of it. */
static struct plugin open_other_build(void)
{
	char folder[] = "/tmp/hotpatch-test-XXXXXX";
	char command[1024];
	char path[128];
	struct plugin plugin;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/plugin.so", folder);
	snprintf(command, sizeof(command), "cp '%s' '%s'",
		 HOTPATCH_TEST_MODULES "/second.so", path);
	ck_assert_int_eq(system(command), 0);
	plugin = open_file(path);
	unlink(path);
	rmdir(folder);
	return plugin;
}

START_TEST(late_module_of_another_build_is_refused_and_the_patch_stays)
{
	struct hotpatch_patch *patch = apply_bundle("both");
	uint64_t start = events_now();
	struct plugin plugin = open_other_build();
	struct hotpatch_event event = find_event(start, HOTPATCH_PHASE_REFUSED);

	ck_assert_int_eq(event.status, HOTPATCH_E_WRONG_TARGET);
	ck_assert_str_eq(event.patch, "both");
	ck_assert_str_eq(event.object, "plugin.so");
	expect_events(start, "module-came plugin.so\nrefused both\n");
	ck_assert_int_eq(plugin.price(0), 2);
	ck_assert_int_eq(price(0), 100);
	expect_state(patch, HOTPATCH_ACTIVE);
	close_plugin(&plugin);
	remove_patch(patch);
}
END_TEST

START_TEST(module_of_another_build_that_is_there_refuses_the_patch)
{
	struct plugin plugin = open_other_build();
	struct hotpatch_patch *patch = NULL;

	expect_status(HOTPATCH_E_WRONG_TARGET,
		      hotpatch_patch_open(bundle_path("both"), NULL, &patch,
					  &err));
	close_plugin(&plugin);
	apply_bundle("both");
}
END_TEST

START_TEST(late_module_of_no_bundle_is_left_alone)
{
	struct plugin plugin;
	uint64_t start;

	apply_bundle("plugin_free");
	start = events_now();
	plugin = open_plugin();
	ck_assert_int_eq(plugin.price(0), 1);
	close_plugin(&plugin);
	expect_events(start, "module-came plugin.so\nmodule-went plugin.so\n");
}
END_TEST

START_TEST(module_that_comes_while_tasks_disagree_is_seen_by_each_in_its_view)
{
	struct hotpatch_patch *patch = open_bundle("both");
	struct plugin plugin;
	struct holder old;
	struct holder young;

	holder_start(&old);
	begin_apply(patch);
	plugin = open_plugin();
	holder_start(&young);
	ck_assert_int_eq(price_at_start(&plugin), 101);
	ck_assert_int_eq(plugin.price(0), 101);
	ck_assert_int_eq(price_seen_by(&young, &plugin), 101);
	ck_assert_int_eq(price_seen_by(&old, &plugin), 1);
	expect_state(patch, HOTPATCH_APPLYING);
	holder_move(&old);
	expect_state(patch, HOTPATCH_ACTIVE);
	ck_assert_int_eq(price_seen_by(&old, &plugin), 101);
	holder_stop(&old);
	holder_stop(&young);
	remove_patch(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	close_plugin(&plugin);
}
END_TEST

START_TEST(module_that_came_while_tasks_disagree_turns_with_the_transition)
{
	struct hotpatch_patch *patch = open_bundle("both");
	struct plugin plugin;
	struct holder old;

	holder_start(&old);
	begin_apply(patch);
	plugin = open_plugin();
	begin_revert(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	ck_assert_int_eq(price_seen_by(&old, &plugin), 1);
	await_unmapped(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	holder_stop(&old);
	close_plugin(&plugin);
}
END_TEST

/* Where each call sees the newest there are no views to choose from. */
START_TEST(module_that_came_while_calls_change_at_once_turns_with_them)
{
	struct hotpatch_patch *patch = open_bundle("at_once");
	struct plugin plugin;
	struct holder old;

	holder_start(&old);
	begin_apply(patch);
	plugin = open_plugin();
	ck_assert_int_eq(plugin.price(0), 101);
	ck_assert_int_eq(price_seen_by(&old, &plugin), 101);
	begin_revert(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	holder_stop(&old);
	await_unmapped(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	close_plugin(&plugin);
}
END_TEST

START_TEST(module_that_comes_during_a_revert_is_seen_by_each_in_its_view)
{
	struct hotpatch_patch *patch = apply_bundle("both");
	struct plugin plugin;
	struct holder old;

	holder_start(&old);
	begin_revert(patch);
	plugin = open_plugin();
	ck_assert_int_eq(plugin.price(0), 1);
	ck_assert_int_eq(price_seen_by(&old, &plugin), 101);
	holder_stop(&old);
	await_unmapped(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	close_plugin(&plugin);
}
END_TEST

START_TEST(module_may_go_while_tasks_disagree)
{
	struct hotpatch_patch *patch = open_bundle("both");
	struct plugin plugin = open_plugin();
	struct holder old;

	holder_start(&old);
	begin_apply(patch);
	close_plugin(&plugin);
	ck_assert_int_eq(price(0), 100);
	plugin = open_plugin();
	ck_assert_int_eq(price_seen_by(&old, &plugin), 1);
	ck_assert_int_eq(plugin.price(0), 101);
	holder_stop(&old);
	await_drained(patch);
	ck_assert_int_eq(plugin.price(0), 101);
	close_plugin(&plugin);
	remove_patch(patch);
}
END_TEST

/* ---- Under a canary ---- */

static struct hotpatch_canary canary_of(const uint64_t *key)
{
	return (struct hotpatch_canary){
		.size = sizeof(struct hotpatch_canary),
		.keys = key,
		.key_count = 1,
	};
}

/* Shows "both" to one key alone. */
static struct hotpatch_patch *open_canary(uint64_t key)
{
	const struct hotpatch_canary canary = canary_of(&key);
	const struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.canary = &canary,
	};
	struct hotpatch_patch *patch = open_bundle("both");

	expect_ok(hotpatch_patch_apply(patch, &options, &err));
	return patch;
}

static void show_to(struct hotpatch_patch *patch, uint64_t key)
{
	const struct hotpatch_canary canary = canary_of(&key);

	expect_ok(hotpatch_patch_canary(patch, &canary, &err));
}

/* In one section of this key: the program's function and the module's are of
 * the patch, or both are not. */
static bool has_patch(const struct plugin *plugin, uint64_t key)
{
	int of_program;
	int of_module;

	hotpatch_task_key(key);
	hotpatch_enter();
	of_program = price(0);
	of_module = plugin->price(0);
	hotpatch_leave();
	ck_assert_int_eq(of_module, of_program == 100 ? 101 : 1);
	return of_program == 100;
}

static void take_key(void *key)
{
	hotpatch_task_key(*(const uint64_t *)key);
}

START_TEST(module_that_comes_under_a_canary_is_seen_by_its_keys)
{
	struct hotpatch_patch *patch = open_canary(7);
	struct plugin plugin = open_plugin();

	expect_bound(patch, 3);
	ck_assert_int_eq(price_at_start(&plugin), 1);
	ck_assert_int_eq(plugin.price(0), 1);
	ck_assert(has_patch(&plugin, 7));
	ck_assert(!has_patch(&plugin, 8));
	show_to(patch, 8);
	ck_assert(!has_patch(&plugin, 7));
	ck_assert(has_patch(&plugin, 8));
	expect_ok(hotpatch_patch_canary(patch, NULL, &err));
	await_drained(patch);
	ck_assert(has_patch(&plugin, 7));
	ck_assert_int_eq(plugin.price(0), 101);
	remove_patch(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	close_plugin(&plugin);
}
END_TEST

START_TEST(module_that_came_under_a_canary_is_taken_back_with_it)
{
	struct hotpatch_patch *patch = open_canary(7);
	struct plugin plugin = open_plugin();
	uint64_t key = 7;
	struct holder in;

	holder_start(&in);
	holder_run(&in, take_key, &key);
	holder_move(&in);
	ck_assert_int_eq(price_seen_by(&in, &plugin), 101);
	begin_revert(patch);
	ck_assert(!has_patch(&plugin, 7));
	ck_assert_int_eq(price_seen_by(&in, &plugin), 101);
	holder_stop(&in);
	await_unmapped(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	ck_assert(!has_patch(&plugin, 7));
	close_plugin(&plugin);
}
END_TEST

START_TEST(constructor_of_a_module_has_the_view_of_the_section_that_opens_it)
{
	struct hotpatch_patch *patch = open_canary(7);
	struct plugin plugin;

	hotpatch_task_key(7);
	hotpatch_enter();
	plugin = open_plugin();
	hotpatch_leave();
	ck_assert_int_eq(price_at_start(&plugin), 101);
	close_plugin(&plugin);
	hotpatch_task_key(8);
	hotpatch_enter();
	plugin = open_plugin();
	hotpatch_leave();
	ck_assert_int_eq(price_at_start(&plugin), 1);
	remove_patch(patch);
	close_plugin(&plugin);
}
END_TEST

START_TEST(several_modules_are_patched_at_once)
{
	struct hotpatch_patch *patch = apply_bundle("two");
	struct plugin second = open_second();
	struct plugin plugin = open_plugin();

	ck_assert_int_eq(plugin.price(0), 201);
	ck_assert_int_eq(plugin.stock(), 1);
	ck_assert_int_eq(second.price(0), 2);
	ck_assert_int_eq(second.stock(), 202);
	expect_bound(patch, 2);
	dlclose(second.handle);
	expect_bound(patch, 1);
	ck_assert_int_eq(plugin.price(0), 201);
	second = open_second();
	ck_assert_int_eq(second.stock(), 202);
	remove_patch(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	ck_assert_int_eq(second.stock(), 2);
	dlclose(second.handle);
	close_plugin(&plugin);
}
END_TEST

START_TEST(new_module_gets_the_newest_of_several_patches)
{
	struct hotpatch_patch *newest = open_bundle("two");
	struct plugin plugin;

	/* Opened later, but active earlier. */
	apply_bundle("both");
	apply(newest);
	plugin = open_plugin();
	ck_assert_int_eq(plugin.price(0), 201);
	remove_patch(newest);
	ck_assert_int_eq(plugin.price(0), 101);
	close_plugin(&plugin);
}
END_TEST

/* Opens and closes the module until told to stop, each time in a section, so
 * that nothing is unmapped that the module's constructor may be in. */
struct churn {
	uint32_t stop;
	uint32_t cycles;
	uint32_t wrong;
};

static void churn_once(struct churn *churn)
{
	struct plugin plugin;
	int at_start;

	hotpatch_enter();
	plugin = open_plugin();
	at_start = price_at_start(&plugin);
	/* Relaxed: a counter. */
	hp_add_relaxed(&churn->wrong, at_start != 1 && at_start != 101);
	hp_add_relaxed(&churn->wrong, plugin.price(0) != at_start);
	dlclose(plugin.handle);
	hotpatch_leave();
	hp_add_relaxed(&churn->cycles, 1);
}

static void *churn_main(void *argument)
{
	struct churn *churn = argument;

	/* Relaxed: a flag that stands for itself. */
	while (!hp_load_relaxed(&churn->stop))
		churn_once(churn);
	return NULL;
}

START_TEST(module_comes_and_goes_a_hundred_times_under_load)
{
	struct hotpatch_patch *patch = apply_bundle("both");
	struct workers workers;
	struct plugin plugin;
	int i;

	workers_start(&workers, 4, saw_mixture);
	for (i = 0; i < 100; i++) {
		plugin = open_plugin();
		ck_assert_int_eq(price_at_start(&plugin), 101);
		ck_assert_int_eq(plugin.price(0), 101);
		close_plugin(&plugin);
	}
	remove_patch(patch);
	ck_assert_uint_eq(workers_stop(&workers), 0);
}
END_TEST

START_TEST(module_comes_and_goes_while_patches_come_and_go)
{
	struct churn churn = {0, 0, 0};
	struct workers workers;
	pthread_t thread;

	workers_start(&workers, 2, saw_mixture);
	ck_assert_int_eq(pthread_create(&thread, NULL, churn_main, &churn), 0);
	while (hp_load_relaxed(&churn.cycles) < 100) /* relaxed: a counter */
		remove_patch(apply_bundle("both"));
	hp_store_relaxed(&churn.stop, 1); /* see churn_main() */
	pthread_join(thread, NULL);
	ck_assert_uint_eq(churn.wrong, 0);
	ck_assert_uint_eq(workers_stop(&workers), 0);
	ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		module_that_is_there_is_patched_with_the_program,
		late_module_is_replaced_before_its_own_constructor_runs,
		module_that_goes_and_comes_again_follows,
		patch_can_go_while_its_module_is_away,
		module_alone_can_be_the_target,
		module_that_went_after_opening_keeps_apply_from_working,
		late_module_of_another_build_is_refused_and_the_patch_stays,
		module_of_another_build_that_is_there_refuses_the_patch,
		late_module_of_no_bundle_is_left_alone,
		module_that_comes_while_tasks_disagree_is_seen_by_each_in_its_view,
		module_that_came_while_tasks_disagree_turns_with_the_transition,
		module_that_came_while_calls_change_at_once_turns_with_them,
		module_that_comes_during_a_revert_is_seen_by_each_in_its_view,
		module_may_go_while_tasks_disagree,
		module_that_comes_under_a_canary_is_seen_by_its_keys,
		module_that_came_under_a_canary_is_taken_back_with_it,
		constructor_of_a_module_has_the_view_of_the_section_that_opens_it,
		several_modules_are_patched_at_once,
		new_module_gets_the_newest_of_several_patches,
		module_comes_and_goes_a_hundred_times_under_load,
		module_comes_and_goes_while_patches_come_and_go,
	};

	return run_tests("modules", tests, sizeof(tests) / sizeof(tests[0]));
}
