/* SPDX-License-Identifier: MIT */
/*
 * Who runs callbacks, who waits for them, and what they may do.
 */
#include "callbacks_host.h"

#include <sys/wait.h>

static const char *nothing(void)
{
	return NULL;
}

START_TEST(task_that_moves_last_leaves_commit_to_who_polls)
{
	struct hotpatch_patch *patch;
	struct holder holder;

	holder_start(&holder);
	at("fix commit ", nothing);
	patch = open_bundle("fix");
	begin_apply(patch);
	holder_move(&holder);
	ck_assert_int_eq(price_seen_by(&holder), 100);
	/* Settled, but not over: the task did not run it. */
	expect_state(patch, HOTPATCH_APPLYING);
	ck_assert(!ran_in);
	await(hotpatch_poll() == 0);
	ck_assert(pthread_equal(ran_in, pthread_self()));
	expect_state(patch, HOTPATCH_ACTIVE);
	holder_stop(&holder);
	remove_patch(patch);
}
END_TEST

static sem_t inside;
static sem_t go_on;

static const char *linger(void)
{
	sem_post(&inside);
	await_semaphore(&go_on);
	return NULL;
}

static void apply_there(void *patch)
{
	apply((struct hotpatch_patch *)patch);
}

struct applier {
	pthread_t thread;
	struct errand errand;
};

static void applier_start(struct applier *applier, struct hotpatch_patch *patch)
{
	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	applier->errand.work = apply_there;
	applier->errand.argument = patch;
	ck_assert_int_eq(pthread_create(&applier->thread, NULL, errand_main,
					&applier->errand),
			 0);
	await_semaphore(&inside);
}

static void applier_stop(struct applier *applier)
{
	sem_post(&go_on);
	pthread_join(applier->thread, NULL);
}

static void expect_callback(const struct hotpatch_patch *patch,
			    const char *expected)
{
	struct hotpatch_patch_info info;

	hotpatch_patch_info(patch, &info);
	ck_assert_str_eq(info.callback, expected);
}

/* While a callback lingers: tasks and status go on, other changes wait. */
static void expect_that_nobody_waits(struct hotpatch_patch *patch,
				     struct hotpatch_patch *other,
				     struct holder *holder,
				     const char *callback)
{
	expect_callback(patch, callback);
	ck_assert_uint_ge(hotpatch_poll(), 1);
	holder_move(holder);
	expect_status(HOTPATCH_E_BUSY, hotpatch_patch_apply(other, NULL, &err));
	expect_status(HOTPATCH_E_TIMEOUT,
		      hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 0, &err));
}

START_TEST(nobody_waits_for_a_prepare_that_lingers)
{
	struct hotpatch_patch *other = open_bundle("plain");
	struct hotpatch_patch *patch = open_bundle("fix");
	struct applier applier;
	struct holder holder;

	holder_start(&holder);
	at("fix prepare ", linger);
	applier_start(&applier, patch);
	expect_that_nobody_waits(patch, other, &holder, "prepare");
	ck_assert_int_eq(price_seen_by(&holder), 1);
	expect_status(HOTPATCH_E_BUSY, hotpatch_patch_apply(patch, NULL, &err));
	expect_status(HOTPATCH_E_STATE,
		      hotpatch_patch_revert(patch, NULL, &err));
	holder_stop(&holder);
	applier_stop(&applier);
	expect_callback(patch, "");
	apply(other);
	ck_assert_int_eq(price(0), 400);
}
END_TEST

START_TEST(nobody_waits_for_a_commit_that_lingers)
{
	struct hotpatch_patch *other = open_bundle("plain");
	struct hotpatch_patch *patch = open_bundle("fix");
	struct hotpatch_apply_options options = {
		.size = sizeof(options),
		.turn_ms = PATIENCE_MS,
	};
	struct applier applier;
	struct holder holder;

	holder_start(&holder);
	at("fix commit ", linger);
	holder_stop(&holder);
	applier_start(&applier, patch);
	holder_start(&holder);
	expect_that_nobody_waits(patch, other, &holder, "commit");
	ck_assert_int_eq(price_seen_by(&holder), 100);
	expect_status(HOTPATCH_E_BUSY,
		      hotpatch_patch_revert(patch, NULL, &err));
	holder_stop(&holder);
	sem_post(&go_on);
	/* Waits for its turn, and then it is. */
	expect_ok(hotpatch_patch_apply(other, &options, &err));
	pthread_join(applier.thread, NULL);
	await_drained(other);
	ck_assert_int_eq(price(0), 400);
}
END_TEST

START_TEST(closing_the_last_handle_does_not_unload_a_patch_that_prepares)
{
	struct hotpatch_patch *patch = open_bundle("fix");
	struct applier applier;

	at("fix prepare ", linger);
	applier_start(&applier, patch);
	hotpatch_patch_close(patch);
	hotpatch_poll();
	applier_stop(&applier);
	ck_assert_int_eq(price(0), 100);
	ck_assert_str_eq(patch_list_text(), "fix active\n");
}
END_TEST

/* ---- What they may do ---- */

static struct hotpatch_patch *own_patch;
static struct hotpatch_patch *other_patch;

HOTPATCH_SHADOW(int, spare, 0x5a5a)

/* What it may call of the library. */
static void look_and_attach(void)
{
	struct hotpatch_patch *found = NULL;
	struct hotpatch_event event;
	int *data = NULL;

	expect_ok(hotpatch_patch_find("plain", &found));
	ck_assert_ptr_eq(found, other_patch);
	hotpatch_patch_close(found);
	ck_assert_uint_eq(hotpatch_event_read(0, &event, 1), 1);
	ck_assert_str_ne(patch_list_text(), "");
	expect_ok(spare_get_or_attach(&own_patch, NULL, &data, NULL));
	ck_assert_ptr_eq(spare_get(&own_patch), data);
	ck_assert_uint_eq(spare_detach_all(), 1);
}

static const char *try_everything(void)
{
	struct hotpatch_patch *patch = NULL;

	expect_status(HOTPATCH_E_IN_CALLBACK,
		      hotpatch_patch_open(bundle_path("top"), NULL, &patch,
					  &err));
	expect_status(HOTPATCH_E_IN_CALLBACK,
		      hotpatch_patch_apply(other_patch, NULL, &err));
	expect_status(HOTPATCH_E_IN_CALLBACK,
		      hotpatch_patch_revert(own_patch, NULL, &err));
	expect_status(HOTPATCH_E_IN_CALLBACK,
		      hotpatch_patch_wait(own_patch, HOTPATCH_DRAINED, 0,
					  &err));
	ck_assert_uint_eq(hotpatch_poll(), 0);
	hotpatch_enter();
	ck_assert_int_gt(price(0), 0);
	hotpatch_safe_point();
	hotpatch_leave();
	look_and_attach();
	return NULL;
}

START_TEST(callback_may_call_patchable_functions_but_change_nothing)
{
	static const char *const when[] = {"fix prepare ", "fix commit ",
					   "fix before_revert ",
					   "fix after_revert "};
	size_t i;

	other_patch = open_bundle("plain");
	for (i = 0; i < sizeof(when) / sizeof(when[0]); i++) {
		own_patch = open_bundle("fix");
		ran_in = 0;
		at(when[i], try_everything);
		apply(own_patch);
		remove_patch(own_patch);
		ck_assert(ran_in != 0);
	}
	apply(other_patch);
	ck_assert_int_eq(price(0), 400);
}
END_TEST

static struct plugin loaded_inside;

static const char *load_module(void)
{
	loaded_inside = open_module("plugin");
	return NULL;
}

START_TEST(module_that_a_callback_loads_gets_its_own_callbacks)
{
	struct hotpatch_patch *patch;
	uint64_t start;

	at("fix commit ", load_module);
	patch = open_bundle("fix");
	start = events_now();
	apply(patch);
	ck_assert_uint_eq(deepest, 2);
	ck_assert_int_eq(plugin_constructed_with, 100);
	expect_events(start,
		      "prepared fix\n" MOVED("fix") "prepared fix plugin.so\n"
						    "module-came plugin.so\n"
						    "committed fix\n"
						    "committed fix plugin.so\n"
						    "active fix\n");
	dlclose(loaded_inside.handle);
	remove_patch(patch);
}
END_TEST

static const char *unload_module(void)
{
	dlclose(loaded_inside.handle);
	return NULL;
}

static void unload_there(void *unused)
{
	(void)unused;
	unload_module();
}

static const char *let_another_unload_it(void)
{
	run_elsewhere(unload_there, NULL);
	return NULL;
}

START_TEST(module_is_pinned_while_its_callback_runs)
{
	struct hotpatch_patch *patch = open_bundle("fix");
	uint64_t start;

	loaded_inside = open_module("plugin");
	at("fix commit plugin.so", let_another_unload_it);
	start = events_now();
	apply(patch);
	/* It went when the callback was over. */
	expect_events(start,
		      "prepared fix\nprepared fix plugin.so\n" MOVED(
			      "fix") "committed fix\ncommitted fix plugin.so\n"
				     "leaving fix plugin.so\n"
				     "module-went plugin.so\n"
				     "left fix plugin.so\nactive fix\n");
	remove_patch(patch);
}
END_TEST

static int child_status;

static const char *fork_inside(void)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child)
		return NULL;
	waitpid(child, &child_status, 0);
	return NULL;
}

static void expect_in_child(bool holds)
{
	if (!holds)
		_exit(1);
}

START_TEST(callback_may_fork_and_both_go_on)
{
	struct hotpatch_patch *patch = open_bundle("fix");
	pid_t self = getpid();

	at("fix prepare ", fork_inside);
	apply(patch);
	if (getpid() != self) {
		expect_in_child(price(0) == 100);
		_exit(0);
	}
	ck_assert_int_eq(child_status, 0);
	ck_assert_int_eq(price(0), 100);
	remove_patch(patch);
}
END_TEST

static void check_child_of_prepare(struct hotpatch_patch *patch)
{
	special = NULL;
	await(hotpatch_poll() == 0);
	expect_in_child(state_of(patch) == HOTPATCH_LOADED);
	expect_in_child(price(0) == 1);
	apply(patch);
	expect_in_child(price(0) == 100);
	_exit(0);
}

START_TEST(child_of_a_fork_during_prepare_has_no_change_and_can_be_patched)
{
	struct hotpatch_patch *patch = open_bundle("fix");
	struct applier applier;
	pid_t child;
	int status;

	at("fix prepare ", linger);
	applier_start(&applier, patch);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child)
		check_child_of_prepare(patch);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	applier_stop(&applier);
	ck_assert_int_eq(price(0), 100);
}
END_TEST

static const char *note_cancel_state(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	ck_assert_int_eq(state, PTHREAD_CANCEL_DISABLE);
	return NULL;
}

START_TEST(cancellation_is_off_in_callbacks)
{
	struct hotpatch_patch *patch = apply_bundle("fix");
	struct plugin plugin;

	at("fix prepare plugin.so", note_cancel_state);
	plugin = open_module("plugin");
	ck_assert(ran_in);
	dlclose(plugin.handle);
	remove_patch(patch);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		task_that_moves_last_leaves_commit_to_who_polls,
		nobody_waits_for_a_prepare_that_lingers,
		nobody_waits_for_a_commit_that_lingers,
		closing_the_last_handle_does_not_unload_a_patch_that_prepares,
		callback_may_call_patchable_functions_but_change_nothing,
		module_that_a_callback_loads_gets_its_own_callbacks,
		module_is_pinned_while_its_callback_runs,
		callback_may_fork_and_both_go_on,
		child_of_a_fork_during_prepare_has_no_change_and_can_be_patched,
		cancellation_is_off_in_callbacks,
	};

	return run_tests("callbacks_context", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
