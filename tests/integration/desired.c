/* SPDX-License-Identifier: MIT */
/*
 * Desired and active, as a host has them: each process that is started here is
 * a child that configures the directory, converges, and tells what it found.
 */
#include "support.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

HOTPATCH_FUNCTION(char, letter, (void))
{
	return '0';
}

HOTPATCH_FUNCTION(int, number, (void))
{
	return 0;
}

/* Nobody prepared it. */
HOTPATCH_API int plain(void);

__attribute__((noinline)) int plain(void)
{
	__asm__ volatile("");
	return 0;
}

static char root[64];
static char store[80];
static bool dying;

/* Called by the bundle "dies". */
HOTPATCH_API void may_die(void);

void may_die(void)
{
	if (dying)
		_exit(77);
}

static void set_up(void)
{
	strcpy(root, "/tmp/hotpatch-desired-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(store, sizeof(store), "%s/store", root);
}

static void tear_down(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

/* ---- Processes ---- */

static void configure(void)
{
	const struct hotpatch_config config = {
		.size = sizeof(config),
		.directory = store,
	};

	expect_ok(hotpatch_configure(&config, &err));
}

/* Runs @work in a process of its own, which has to end with @code. */
static void in_process(void (*work)(void), int code)
{
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		configure();
		work();
		exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code,
		      "it ended with %#x", (unsigned int)status);
}

static char told[TEXT_SIZE];

static void tell(const struct hotpatch_outcome *outcome, void *data)
{
	(void)data;
	ck_assert(!*outcome->sentence ==
		  (outcome->status == HOTPATCH_OK ||
		   outcome->status == HOTPATCH_E_ALREADY));
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%s=%s ",
		 outcome->reverted ? "-" : "", outcome->name,
		 hotpatch_status_name(outcome->status));
}

static void converge_with(bool exact, enum hotpatch_status wanted,
			  const char *outcomes)
{
	const struct hotpatch_converge_options options = {
		.size = sizeof(options),
		.exact = exact,
		.timeout_ms = PATIENCE_MS,
		.told = tell,
	};

	told[0] = '\0';
	expect_status(wanted, hotpatch_converge(&options, &err));
	ck_assert_str_eq(told, outcomes);
}

static void converge(enum hotpatch_status wanted, const char *outcomes)
{
	converge_with(false, wanted, outcomes);
}

static void keep(const char *name)
{
	struct hotpatch_patch *patch = apply_bundle(name);

	expect_ok(hotpatch_desire(patch, &err));
	hotpatch_patch_close(patch);
}

static void touch(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", store, name);
	ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
}

static void keep_a_and_b(void)
{
	keep("a");
	keep("b");
}

static void find_a_and_b(void)
{
	converge(HOTPATCH_OK, "a=OK b=OK ");
	ck_assert_int_eq(letter(), 'B');
}

START_TEST(what_was_kept_is_applied_by_the_next_process_in_order)
{
	in_process(keep_a_and_b, 0);
	in_process(find_a_and_b, 0);
	in_process(find_a_and_b, 0);
}
END_TEST

static void keep_b_and_a(void)
{
	keep("b");
	keep("a");
}

static void find_a_on_top(void)
{
	converge(HOTPATCH_OK, "b=OK a=OK ");
	ck_assert_int_eq(letter(), 'A');
}

START_TEST(order_is_that_of_becoming_active)
{
	in_process(keep_b_and_a, 0);
	in_process(find_a_on_top, 0);
}
END_TEST

static void ask_twice(void)
{
	struct hotpatch_patch *patch = apply_bundle("a");

	expect_status(HOTPATCH_E_ALREADY, hotpatch_undesire("a", &err));
	expect_ok(hotpatch_desire(patch, &err));
	expect_status(HOTPATCH_E_ALREADY, hotpatch_desire(patch, &err));
	converge(HOTPATCH_E_ALREADY, "a=E_ALREADY ");
	expect_ok(hotpatch_verify(NULL, NULL, &err));
	expect_ok(hotpatch_undesire("a", &err));
	expect_status(HOTPATCH_E_ALREADY, hotpatch_undesire("a", &err));
	expect_status(HOTPATCH_E_ALREADY, hotpatch_undesire(NULL, &err));
	converge(HOTPATCH_E_ALREADY, "");
	ck_assert_int_eq(letter(), 'A');
	hotpatch_patch_close(patch);
}

START_TEST(same_request_twice_changes_nothing_and_says_so)
{
	in_process(ask_twice, 0);
}
END_TEST

static void keep_what_needs_a(void)
{
	keep("a");
	keep("needs_a");
	keep("b");
	expect_ok(hotpatch_undesire("a", &err));
}

static void find_without_a(void)
{
	converge(HOTPATCH_E_DIVERGED, "needs-a=E_REQUIRES b=OK ");
	ck_assert_int_eq(letter(), 'B');
	ck_assert_int_eq(number(), 0);
}

START_TEST(refused_bundle_keeps_out_only_what_requires_it)
{
	in_process(keep_what_needs_a, 0);
	in_process(find_without_a, 0);
}
END_TEST

static void keep_a_then_all(void)
{
	keep("a");
	keep("needs_a");
	keep("replaces_all");
}

static void find_all(void)
{
	converge(HOTPATCH_OK, "all=OK ");
	ck_assert_int_eq(letter(), '0');
	ck_assert_int_eq(number(), 4);
}

START_TEST(what_is_replaced_is_desired_no_more)
{
	in_process(keep_a_then_all, 0);
	in_process(find_all, 0);
}
END_TEST

static void keep_newer_b(void)
{
	struct hotpatch_patch *patch = apply_bundle("b");

	expect_ok(hotpatch_desire(patch, &err));
	remove_patch(patch);
	keep("b_newer");
}

static void find_newer_b(void)
{
	converge(HOTPATCH_OK, "b=OK ");
	ck_assert_int_eq(letter(), 'N');
}

START_TEST(newer_version_takes_the_place_of_the_older)
{
	in_process(keep_newer_b, 0);
	in_process(find_newer_b, 0);
}
END_TEST

static void keep_constructed(void)
{
	const struct hotpatch_open_options options = {
		.size = sizeof(options),
		.allow_constructors = true,
	};
	struct hotpatch_patch *patch = NULL;

	expect_ok(hotpatch_patch_open(bundle_path("constructed"), &options,
				      &patch, &err));
	apply(patch);
	expect_ok(hotpatch_desire(patch, &err));
	hotpatch_patch_close(patch);
}

static void find_constructed(void)
{
	converge(HOTPATCH_OK, "constructed=OK ");
	ck_assert_int_eq(number(), 6);
}

START_TEST(constructors_that_were_allowed_are_so_again)
{
	in_process(keep_constructed, 0);
	in_process(find_constructed, 0);
}
END_TEST

/* ---- Probation ---- */

static void keep_one_that_dies(void)
{
	keep("a");
	keep("dies");
	keep("b");
}

static void die_of_it(void)
{
	dying = true;
	converge(HOTPATCH_OK, "not reached");
}

static void find_it_in_quarantine(void)
{
	struct hotpatch_desired_info infos[4];
	struct hotpatch_patch *patch = NULL;
	size_t count;
	bool off;

	dying = true;
	converge(HOTPATCH_E_DIVERGED, "a=OK dies=E_QUARANTINED b=OK ");
	ck_assert_int_eq(number(), 0);
	expect_ok(hotpatch_desired_list(infos, 4, &count, &off, &err));
	ck_assert_uint_eq(count, 3);
	ck_assert_str_eq(infos[1].name, "dies");
	ck_assert(infos[1].quarantined && infos[1].desired && !infos[1].active);
	ck_assert_ptr_nonnull(
		strstr(infos[1].sentence, "ended during probation"));
	ck_assert(infos[0].active && infos[2].active);
	expect_status(HOTPATCH_E_QUARANTINED,
		      hotpatch_patch_open(bundle_path("dies"), NULL, &patch,
					  &err));
	ck_assert_ptr_null(patch);
}

static void forgive_it(void)
{
	struct hotpatch_open_options options = {
		.size = sizeof(options),
		.forgive = true,
		.check_only = true,
	};
	struct hotpatch_patch *patch = NULL;

	expect_ok(hotpatch_patch_open(bundle_path("dies"), &options, &patch,
				      &err));
	/* A look forgives nothing. */
	expect_status(HOTPATCH_E_QUARANTINED,
		      hotpatch_patch_open(bundle_path("dies"), NULL, &patch,
					  &err));
	options.check_only = false;
	expect_ok(hotpatch_patch_open(bundle_path("dies"), &options, &patch,
				      &err));
	apply(patch);
	hotpatch_patch_close(patch);
}

static void find_it_forgiven(void)
{
	converge(HOTPATCH_OK, "a=OK dies=OK b=OK ");
	ck_assert_int_eq(number(), 5);
}

START_TEST(process_that_dies_comes_back_without_that_bundle)
{
	in_process(keep_one_that_dies, 0);
	in_process(die_of_it, 77);
	in_process(find_it_in_quarantine, 0);
	in_process(find_it_in_quarantine, 0);
	in_process(forgive_it, 0);
	in_process(find_it_forgiven, 0);
}
END_TEST

/* ---- What keeps it from being applied ---- */

static void find_it_switched_off(void)
{
	converge(HOTPATCH_E_SWITCHED_OFF, "");
	ck_assert_int_eq(letter(), '0');
}

START_TEST(file_switches_all_of_it_off)
{
	in_process(keep_a_and_b, 0);
	touch("off");
	in_process(find_it_switched_off, 0);
}
END_TEST

static void damage(const char *pattern)
{
	char command[160];

	snprintf(command, sizeof(command), "echo x >>'%s'/%s", store, pattern);
	ck_assert_int_eq(system(command), 0);
}

static void find_list_damaged(void)
{
	struct hotpatch_patch *patch = open_bundle("a");

	converge(HOTPATCH_E_DAMAGED, "");
	expect_status(HOTPATCH_E_DAMAGED, hotpatch_desire(patch, &err));
	apply(patch);
	ck_assert_int_eq(letter(), 'A');
	hotpatch_patch_close(patch);
}

START_TEST(damaged_list_is_told_and_the_process_goes_on)
{
	in_process(keep_a_and_b, 0);
	damage("desired");
	in_process(find_list_damaged, 0);
}
END_TEST

static void keep_a(void)
{
	keep("a");
}

static void find_copy_damaged(void)
{
	converge(HOTPATCH_E_DIVERGED, "a=E_DAMAGED ");
	ck_assert_int_eq(letter(), '0');
	expect_status(HOTPATCH_E_DIVERGED, hotpatch_verify(NULL, NULL, &err));
}

START_TEST(damaged_copy_is_told_and_not_mapped)
{
	char command[160];

	in_process(keep_a, 0);
	snprintf(command, sizeof(command), "chmod 600 '%s'/bundles/*", store);
	ck_assert_int_eq(system(command), 0);
	snprintf(command, sizeof(command),
		 "for f in '%s'/bundles/*; do echo x >>$f; done", store);
	ck_assert_int_eq(system(command), 0);
	in_process(find_copy_damaged, 0);
}
END_TEST

static void look_without_a_directory(void)
{
	struct hotpatch_patch *patch = apply_bundle("a");
	size_t count = 7;
	bool off;

	expect_status(HOTPATCH_E_STATE, hotpatch_converge(NULL, &err));
	expect_status(HOTPATCH_E_STATE, hotpatch_desire(patch, &err));
	expect_status(HOTPATCH_E_STATE, hotpatch_undesire(NULL, &err));
	expect_status(HOTPATCH_E_STATE,
		      hotpatch_desired_list(NULL, 0, &count, &off, &err));
	ck_assert_uint_eq(count, 0);
	expect_ok(hotpatch_verify(NULL, NULL, &err));
	hotpatch_patch_close(patch);
}

START_TEST(without_a_directory_it_says_so)
{
	look_without_a_directory();
}
END_TEST

/* ---- More than is desired, and other than it ---- */

static void be_exact(void)
{
	keep("a");
	hotpatch_patch_close(apply_bundle("b"));
	hotpatch_patch_close(apply_bundle("replaces_all"));
	expect_status(HOTPATCH_E_DIVERGED, hotpatch_verify(NULL, NULL, &err));
	converge_with(true, HOTPATCH_OK, "a=OK -all=OK ");
	ck_assert_int_eq(letter(), 'A');
	ck_assert_int_eq(number(), 0);
	converge_with(true, HOTPATCH_E_ALREADY, "a=E_ALREADY ");
	expect_ok(hotpatch_verify(NULL, NULL, &err));
}

START_TEST(exact_reverts_what_is_not_desired)
{
	in_process(be_exact, 0);
}
END_TEST

static void note(const struct hotpatch_difference *difference, void *data)
{
	(void)data;
	ck_assert_ptr_nonnull(strstr(difference->sentence, difference->object));
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s ",
		 difference->object);
}

static void expect_difference(const char *objects)
{
	told[0] = '\0';
	expect_status(*objects ? HOTPATCH_E_DIVERGED : HOTPATCH_OK,
		      hotpatch_verify(note, NULL, &err));
	ck_assert_str_eq(told, objects);
}

/* Changes one byte of the code of the private copy that is mapped. */
static void poke_code(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0;
	char line[512];

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, store) && strstr(line, "r-xp"))
			start = strtoul(line, NULL, 16);
	fclose(maps);
	ck_assert_uint_ne(start, 0);
	ck_assert_int_eq(mprotect((void *)start, 1,
				  PROT_READ | PROT_WRITE | PROT_EXEC),
			 0);
	*(volatile unsigned char *)start ^= 1;
}

static void be_tampered_with(void)
{
	char (*target)(void);

	keep("a");
	expect_difference("");
	target = letter__target;
	letter__target = letter__original;
	expect_difference("letter ");
	letter__target = target;
	expect_difference("");
	poke_code();
	expect_difference("a ");
}

START_TEST(code_and_targets_that_were_tampered_with_are_told)
{
	in_process(be_tampered_with, 0);
}
END_TEST

#ifdef HOTPATCH_TEST_REDIRECT
static void keep_redirected(void)
{
	keep("plain");
	expect_difference("");
	expect_ok(hotpatch_undesire(NULL, &err));
	converge_with(true, HOTPATCH_OK, "-plain=OK ");
	expect_difference("");
	ck_assert_int_eq(plain(), 0);
	keep("plain");
}

static void find_redirected(void)
{
	converge(HOTPATCH_OK, "plain=OK ");
	ck_assert_int_eq(plain(), 8);
	expect_difference("");
}

START_TEST(redirected_functions_come_back_and_are_compared)
{
	in_process(keep_redirected, 0);
	in_process(find_redirected, 0);
}
END_TEST
#endif

static void look_at_active_and_desired(void)
{
	keep("a");
	hotpatch_patch_close(apply_bundle("b"));
	expect_difference("b ");
	remove_patch(apply_bundle("needs_a"));
	expect_difference("b ");
}

static void look_at_missing(void)
{
	expect_difference("a ");
}

START_TEST(active_and_desired_are_compared)
{
	in_process(look_at_active_and_desired, 0);
	in_process(look_at_missing, 0);
}
END_TEST

START_TEST(section_and_wrong_arguments_are_refused)
{
	const struct hotpatch_converge_options options = {.size = 1};
	bool off;

	expect_status(HOTPATCH_E_ARGUMENT, hotpatch_converge(&options, &err));
	expect_status(HOTPATCH_E_ARGUMENT, hotpatch_desire(NULL, &err));
	expect_status(HOTPATCH_E_ARGUMENT,
		      hotpatch_desired_list(NULL, 0, NULL, &off, &err));
	hotpatch_enter();
	expect_status(HOTPATCH_E_IN_SECTION, hotpatch_converge(NULL, &err));
	expect_status(HOTPATCH_E_IN_SECTION, hotpatch_undesire(NULL, &err));
	expect_status(HOTPATCH_E_IN_SECTION, hotpatch_verify(NULL, NULL, &err));
	hotpatch_leave();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_was_kept_is_applied_by_the_next_process_in_order,
		order_is_that_of_becoming_active,
		same_request_twice_changes_nothing_and_says_so,
		refused_bundle_keeps_out_only_what_requires_it,
		what_is_replaced_is_desired_no_more,
		newer_version_takes_the_place_of_the_older,
		constructors_that_were_allowed_are_so_again,
		process_that_dies_comes_back_without_that_bundle,
		file_switches_all_of_it_off,
		damaged_list_is_told_and_the_process_goes_on,
		damaged_copy_is_told_and_not_mapped,
		without_a_directory_it_says_so,
		exact_reverts_what_is_not_desired,
		code_and_targets_that_were_tampered_with_are_told,
#ifdef HOTPATCH_TEST_REDIRECT
		redirected_functions_come_back_and_are_compared,
#endif
		active_and_desired_are_compared,
		section_and_wrong_arguments_are_refused,
	};

	return run_tests_around("desired", tests,
				sizeof(tests) / sizeof(tests[0]), set_up,
				tear_down);
}
