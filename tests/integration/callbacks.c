/* SPDX-License-Identifier: MIT */
/*
 * The order of callbacks, with modules that come and go and transitions that
 * are turned round, as whole transcripts.
 */
#include "callbacks_host.h"

static const char *refuse(void)
{
	return "the moon is full";
}

START_TEST(all_four_run_in_order)
{
	struct plugin plugin = open_module("plugin");
	uint64_t start = events_now();
	struct hotpatch_patch *patch = apply_bundle("fix");

	ck_assert_int_eq(price(0), 100);
	ck_assert_int_eq(plugin.price(0), 100);
	remove_patch(patch);
	ck_assert_int_eq(plugin.price(0), 1);
	expect_events(start,
		      "opened fix\n"
		      "prepared fix\nprepared fix plugin.so\n" MOVED(
			      "fix") "committed fix\n"
				     "committed fix plugin.so\n"
				     "active fix\n"
				     "leaving fix plugin.so\n"
				     "leaving fix\n" MOVED(
					     "fix") "left fix plugin.so\n"
						    "left fix\n"
						    "reverted fix\n"
						    "unmapped fix\n");
	dlclose(plugin.handle);
}
END_TEST

START_TEST(module_loaded_later_is_patched_before_its_own_code_runs)
{
	struct hotpatch_patch *patch = apply_bundle("fix");
	uint64_t start = events_now();
	struct plugin plugin = open_module("plugin");

	ck_assert_int_eq(plugin_constructed_with, 100);
	ck_assert_int_eq(plugin.price(0), 100);
	remove_patch(patch);
	dlclose(plugin.handle);
	expect_events(start, "prepared fix plugin.so\nmodule-came plugin.so\n"
			     "committed fix plugin.so\n"
			     "leaving fix plugin.so\nleaving fix\n" MOVED(
				     "fix") "left fix plugin.so\nleft fix\n"
					    "reverted fix\nunmapped fix\n"
					    "module-went plugin.so\n");
}
END_TEST

START_TEST(module_that_goes_is_reverted_first)
{
	struct plugin plugin = open_module("plugin");
	struct hotpatch_patch *patch = apply_bundle("fix");
	uint64_t start = events_now();

	dlclose(plugin.handle);
	expect_events(start, "leaving fix plugin.so\nmodule-went plugin.so\n"
			     "left fix plugin.so\n");
	start = events_now();
	plugin = open_module("plugin");
	ck_assert_int_eq(plugin_constructed_with, 100);
	dlclose(plugin.handle);
	remove_patch(patch);
	expect_events(start,
		      "prepared fix plugin.so\nmodule-came plugin.so\n"
		      "committed fix plugin.so\n"
		      "leaving fix plugin.so\nmodule-went plugin.so\n"
		      "left fix plugin.so\nleaving fix\n" MOVED(
			      "fix") "left fix\nreverted fix\nunmapped fix\n");
}
END_TEST

START_TEST(module_that_never_comes_is_never_called_back)
{
	uint64_t start = events_now();

	remove_patch(apply_bundle("fix"));
	expect_events(start,
		      "opened fix\nprepared fix\n" MOVED(
			      "fix") "committed fix\nactive fix\n"
				     "leaving fix\n" MOVED(
					     "fix") "left fix\nreverted fix\n"
						    "unmapped fix\n");
}
END_TEST

static void expect_refusal(struct hotpatch_patch *patch, const char *object)
{
	struct hotpatch_error why;

	ck_assert_int_eq(hotpatch_patch_apply(patch, NULL, &why),
			 HOTPATCH_E_PREPARE);
	ck_assert_int_eq(why.status, HOTPATCH_E_PREPARE);
	ck_assert_str_eq(why.object, object);
	ck_assert_ptr_nonnull(strstr(why.sentence, "the moon is full"));
}

START_TEST(prepare_that_refuses_changes_nothing)
{
	struct plugin plugin = open_module("plugin");
	uint64_t start = events_now();
	struct hotpatch_patch *patch = open_bundle("fix");

	at("fix prepare ", refuse);
	expect_refusal(patch, "fix");
	ck_assert_int_eq(price(0), 1);
	ck_assert_int_eq(plugin.price(0), 1);
	expect_state(patch, HOTPATCH_LOADED);
	expect_events(start, "opened fix\nrefused fix\n");
	/* The moon wanes. */
	special = NULL;
	apply(patch);
	ck_assert_int_eq(plugin.price(0), 100);
	remove_patch(patch);
	dlclose(plugin.handle);
}
END_TEST

START_TEST(prepare_that_refuses_for_one_module_undoes_the_others)
{
	struct plugin plugin = open_module("plugin");
	struct plugin second = open_module("second");
	uint64_t start = events_now();
	struct hotpatch_patch *patch = open_bundle("fix");

	at("fix prepare second.so", refuse);
	expect_refusal(patch, "second.so");
	ck_assert_int_eq(price(0), 1);
	ck_assert_int_eq(plugin.price(0), 1);
	hotpatch_patch_close(patch);
	expect_events(start, "opened fix\nprepared fix\n"
			     "prepared fix plugin.so\nleft fix plugin.so\n"
			     "left fix\nrefused fix\nunmapped fix\n");
	dlclose(second.handle);
	dlclose(plugin.handle);
}
END_TEST

START_TEST(prepare_that_refuses_a_late_module_leaves_the_patch_to_the_others)
{
	struct plugin second = open_module("second");
	struct hotpatch_patch *patch = apply_bundle("fix");
	uint64_t start = events_now();
	struct plugin plugin;

	at("fix prepare plugin.so", refuse);
	plugin = open_module("plugin");
	ck_assert_int_eq(plugin_constructed_with, 1);
	ck_assert_int_eq(plugin.price(0), 1);
	ck_assert_int_eq(second.price(0), 100);
	ck_assert_int_eq(price(0), 100);
	dlclose(plugin.handle);
	remove_patch(patch);
	dlclose(second.handle);
	expect_events(start, "refused fix\nmodule-came plugin.so\n"
			     "module-went plugin.so\n"
			     "leaving fix second.so\nleaving fix\n" MOVED(
				     "fix") "left fix second.so\nleft fix\n"
					    "reverted fix\nunmapped fix\n"
					    "module-went second.so\n");
}
END_TEST

START_TEST(several_modules_at_once)
{
	struct plugin second = open_module("second");
	uint64_t start = events_now();
	struct hotpatch_patch *patch = apply_bundle("fix");
	struct plugin plugin = open_module("plugin");

	ck_assert_int_eq(plugin.price(0), 100);
	ck_assert_int_eq(second.price(0), 100);
	dlclose(second.handle);
	ck_assert_int_eq(plugin.price(0), 100);
	remove_patch(patch);
	dlclose(plugin.handle);
	expect_events(
		start,
		"opened fix\nprepared fix\nprepared fix second.so\n" MOVED(
			"fix") "committed fix\ncommitted fix second.so\n"
			       "active fix\n"
			       "prepared fix plugin.so\nmodule-came plugin.so\n"
			       "committed fix plugin.so\n"
			       "leaving fix second.so\n"
			       "module-went second.so\nleft fix second.so\n"
			       "leaving fix plugin.so\nleaving fix\n" MOVED(
				       "fix") "left fix plugin.so\nleft fix\n"
					      "reverted fix\nunmapped fix\n"
					      "module-went plugin.so\n");
}
END_TEST

START_TEST(busy_function_keeps_commit_back_and_reversing_calls_no_before_revert)
{
	uint64_t start = events_now();
	struct hotpatch_patch *patch;
	struct plugin plugin;
	struct plugin second;
	struct holder holder;

	holder_start(&holder);
	patch = open_bundle("fix");
	begin_apply(patch);
	plugin = open_module("plugin");
	second = open_module("second");
	ck_assert_int_eq(plugin_constructed_with, 100);
	hotpatch_poll();
	dlclose(plugin.handle);
	ck_assert_int_eq(price_seen_by(&holder), 1);
	expect_state(patch, HOTPATCH_APPLYING);
	begin_revert(patch);
	await_unmapped(patch);
	ck_assert_int_eq(second.price(0), 1);
	holder_stop(&holder);
	expect_events(start,
		      "opened fix\nprepared fix\n" TRANSITION(
			      "fix") "prepared fix plugin.so\n"
				     "module-came plugin.so\n"
				     "prepared fix second.so\n"
				     "module-came second.so\n"
				     "module-went plugin.so\n"
				     "left fix plugin.so\n"
				     "turned fix\n" SETTLING(
					     "fix") "left fix second.so\n"
						    "left fix\nreverted fix\n"
						    "unmapped fix\n");
	dlclose(second.handle);
}
END_TEST

START_TEST(revert_that_is_turned_round_commits_again)
{
	struct hotpatch_patch *patch = apply_bundle("fix");
	uint64_t start = events_now();
	struct holder holder;

	holder_start(&holder);
	begin_revert(patch);
	begin_apply(patch);
	await_drained(patch);
	expect_state(patch, HOTPATCH_ACTIVE);
	holder_stop(&holder);
	expect_events(start,
		      "leaving fix\n" TRANSITION("fix") "turned fix\n" SETTLING(
			      "fix") "committed fix\nactive fix\n");
	remove_patch(patch);
}
END_TEST

START_TEST(two_are_stacked_and_reverted_newest_first)
{
	struct hotpatch_patch *older = apply_bundle("fix");
	uint64_t start = events_now();
	struct hotpatch_patch *newer = apply_bundle("top");
	struct plugin plugin = open_module("plugin");

	ck_assert_int_eq(plugin_constructed_with, 200);
	dlclose(plugin.handle);
	remove_patch(newer);
	ck_assert_int_eq(price(0), 100);
	remove_patch(older);
	expect_events(
		start,
		"opened top\nprepared top\n" MOVED(
			"top") "committed top\nactive top\n"
			       "prepared fix plugin.so\n"
			       "prepared top plugin.so\nmodule-came plugin.so\n"
			       "committed fix plugin.so\n"
			       "committed top plugin.so\n"
			       "leaving top plugin.so\n"
			       "leaving fix plugin.so\nmodule-went plugin.so\n"
			       "left top plugin.so\nleft fix plugin.so\n"
			       "leaving top\n" MOVED(
				       "top") "left top\nreverted top\n"
					      "unmapped top\n"
					      "leaving fix\n" MOVED(
						      "fix") "left fix\n"
							     "reverted fix\n"
							     "unmapped fix\n");
}
END_TEST

START_TEST(replaced_patches_are_called_back)
{
	struct plugin plugin = open_module("plugin");
	uint64_t start;

	hotpatch_patch_close(apply_bundle("fix"));
	hotpatch_patch_close(apply_bundle("top"));
	start = events_now();
	apply_bundle("all");
	ck_assert_int_eq(price(0), 300);
	ck_assert_int_eq(plugin.price(0), 300);
	await(hotpatch_poll() == 0);
	expect_events(start, "opened all\n"
			     "prepared all\nprepared all plugin.so\n"
			     "leaving top plugin.so\nleaving top\n"
			     "leaving fix plugin.so\nleaving fix\n"
			     "staged fix\nstaged top\nstaged all\n"
			     "detoured fix\ndetoured top\ndetoured all\n"
			     "advanced fix\nadvanced top\nadvanced all\n"
			     "drained fix\ndrained top\ndrained all\n"
			     "settled fix\nsettled top\nsettled all\n"
			     "left top plugin.so\nleft top\n"
			     "left fix plugin.so\nleft fix\n"
			     "committed all\ncommitted all plugin.so\n"
			     "reverted fix\nreverted top\nactive all\n"
			     "unmapped fix\nunmapped top\n");
}
END_TEST

START_TEST(replacement_that_is_turned_round_gives_the_replaced_back)
{
	struct hotpatch_patch *old = apply_bundle("fix");
	struct hotpatch_patch *patch;
	struct holder holder;
	uint64_t start;

	holder_start(&holder);
	patch = open_bundle("all");
	start = events_now();
	begin_apply(patch);
	begin_revert(patch);
	await_unmapped(patch);
	holder_stop(&holder);
	expect_state(old, HOTPATCH_ACTIVE);
	ck_assert_int_eq(price(0), 100);
	expect_events(start, "prepared all\nleaving fix\n"
			     "staged fix\nstaged all\n"
			     "detoured fix\ndetoured all\n"
			     "advanced fix\nadvanced all\n"
			     "turned fix\nturned all\n"
			     "drained fix\ndrained all\n"
			     "settled fix\nsettled all\n"
			     "left all\ncommitted fix\n"
			     "active fix\nreverted all\nunmapped all\n");
	remove_patch(old);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		all_four_run_in_order,
		module_loaded_later_is_patched_before_its_own_code_runs,
		module_that_goes_is_reverted_first,
		module_that_never_comes_is_never_called_back,
		prepare_that_refuses_changes_nothing,
		prepare_that_refuses_for_one_module_undoes_the_others,
		prepare_that_refuses_a_late_module_leaves_the_patch_to_the_others,
		several_modules_at_once,
		busy_function_keeps_commit_back_and_reversing_calls_no_before_revert,
		revert_that_is_turned_round_commits_again,
		two_are_stacked_and_reverted_newest_first,
		replaced_patches_are_called_back,
		replacement_that_is_turned_round_gives_the_replaced_back,
	};

	return run_tests("callbacks", tests, sizeof(tests) / sizeof(tests[0]));
}
