/* SPDX-License-Identifier: MIT */
/*
 * Rollouts to a simulated fleet of real processes, as a user's unit test makes
 * them: what becomes of each instance when all is well, when one fails in one
 * of the ways that can be injected, and under each policy. After each, no
 * process and no file is left. Called with "host" it is one of the processes.
 */
#include "rollout_simulated/host.h"
#include "support.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* What a sanitizer makes of a process weighs too much for a hundred. */
#define COUNT (SANITIZED ? 20U : 100U)
#define SECOND_WAVE ((COUNT + 9) / 10)
#define SICK 2U /* in the second wave */
#define WAVES "1 10% 50%"

static const char bundle[] = HOTPATCH_TEST_BUNDLES "/fix.so";
static const char *const program[] = {"/proc/self/exe", "host", NULL};

/* Filled by note_answer(), for each instance that answered at the end. */
static int answers[COUNT];
static char last_directory[64];
static struct hotpatch_rollout_report *report;

static void note_answer(const struct hotpatch_rollout_instance *instance)
{
	answers[instance->number] = host_ask(instance);
	strcpy(last_directory, instance->directory);
}

static int is_mended(const struct hotpatch_rollout_instance *instance)
{
	return host_ask(instance) == 42;
}

static struct hotpatch_rollout_options fleet(void)
{
	return (struct hotpatch_rollout_options){
		.size = sizeof(struct hotpatch_rollout_options),
		.command = HOTPATCH_TEST_COMMAND,
		.program = program,
		.count = COUNT,
		.bundle = bundle,
		.waves = WAVES,
		.policy = HOTPATCH_ROLLOUT_REVERT_WAVE,
		.is_healthy = is_mended,
		.at_end = note_answer,
	};
}

static void expect_nothing_left(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_int_ne(last_directory[0], 0);
	ck_assert_int_ne(access(last_directory, F_OK), 0);
	*strrchr(last_directory, '/') = '\0';
	ck_assert_int_ne(access(last_directory, F_OK), 0);
}

static void roll_out(const struct hotpatch_rollout_options *options)
{
	memset(answers, 0, sizeof(answers));
	expect_ok(hotpatch_rollout_run(options, &report, &err));
	hotpatch_rollout_print(report, stdout);
	ck_assert_uint_eq(report->count, options->count);
	expect_nothing_left();
}

static void roll_out_with(struct hotpatch_rollout_options options,
			  enum hotpatch_rollout_failure failure,
			  enum hotpatch_rollout_step step)
{
	const struct hotpatch_rollout_injection injection = {
		.number = SICK,
		.failure = failure,
		.step = step,
	};

	options.injections = &injection;
	options.injection_count = 1;
	roll_out(&options);
}

static void expect_waves(unsigned int waves, unsigned int completed)
{
	ck_assert_uint_eq(report->waves, waves);
	ck_assert_uint_eq(report->completed, completed);
}

/* These instances, and what they gave at the end, if they gave anything. */
static void expect_outcome(unsigned int first, unsigned int count,
			   enum hotpatch_rollout_outcome outcome, int given)
{
	const struct hotpatch_rollout_result *result;
	unsigned int i;

	for (i = first; i < first + count; i++) {
		result = &report->results[i];
		if (i == SICK && result->failed && count > 1)
			continue;
		ck_assert_msg(result->outcome == outcome,
			      "instance %u is %s: %s", i,
			      hotpatch_rollout_outcome_name(result->outcome),
			      result->sentence);
		ck_assert_int_eq(answers[i], given);
	}
}

/* The one that was made to fail, and nobody else, is why the wave failed. */
static void expect_sick(enum hotpatch_rollout_outcome outcome,
			enum hotpatch_status status, int given)
{
	unsigned int i;

	expect_outcome(SICK, 1, outcome, given);
	for (i = 0; i < COUNT; i++)
		ck_assert_int_eq(report->results[i].failed, i == SICK);
	ck_assert_msg(report->results[SICK].status == status, "it is %s: %s",
		      hotpatch_status_name(report->results[SICK].status),
		      report->results[SICK].sentence);
	ck_assert_int_ne(report->results[SICK].sentence[0], 0);
	expect_waves(2, 1);
}

static void expect_rest_untouched(void)
{
	expect_outcome(1 + SECOND_WAVE, COUNT - 1 - SECOND_WAVE,
		       HOTPATCH_ROLLOUT_UNTOUCHED, 41);
	ck_assert_uint_eq(report->results[COUNT - 1].wave, 0);
	hotpatch_rollout_release(report);
}

START_TEST(all_are_patched_wave_by_wave)
{
	const struct hotpatch_rollout_options options = fleet();

	roll_out(&options);
	expect_waves(4, 4);
	expect_outcome(0, COUNT, HOTPATCH_ROLLOUT_PATCHED, 42);
	ck_assert_uint_eq(hotpatch_rollout_count(report,
						 HOTPATCH_ROLLOUT_PATCHED),
			  COUNT);
	ck_assert_uint_eq(report->results[0].wave, 1);
	ck_assert_uint_eq(report->results[1].wave, 2);
	ck_assert_uint_eq(report->results[SECOND_WAVE].wave, 2);
	ck_assert_uint_eq(report->results[SECOND_WAVE + 1].wave, 3);
	ck_assert_uint_eq(report->results[COUNT - 1].wave, 4);
	hotpatch_rollout_release(report);
}
END_TEST

START_TEST(unhealthy_one_takes_its_wave_back)
{
	roll_out_with(fleet(), HOTPATCH_ROLLOUT_UNHEALTHY,
		      HOTPATCH_ROLLOUT_AT_START);
	expect_sick(HOTPATCH_ROLLOUT_REVERTED, HOTPATCH_OK, 41);
	expect_outcome(0, 1, HOTPATCH_ROLLOUT_PATCHED, 42);
	expect_outcome(1, SECOND_WAVE, HOTPATCH_ROLLOUT_REVERTED, 41);
	expect_rest_untouched();
}
END_TEST

START_TEST(watch_notices_who_falls_ill_later)
{
	const struct hotpatch_rollout_injection injection = {
		.number = SICK,
		.failure = HOTPATCH_ROLLOUT_UNHEALTHY,
		.after_ms = 200,
	};
	struct hotpatch_rollout_options options = fleet();

	options.count = 5;
	options.waves = NULL;
	options.injections = &injection;
	options.injection_count = 1;
	options.watch_ms = PATIENCE_MS;
	roll_out(&options);
	expect_waves(1, 0);
	expect_outcome(0, 5, HOTPATCH_ROLLOUT_REVERTED, 41);
	ck_assert_int_eq(report->results[SICK].failed, 1);
	hotpatch_rollout_release(report);
}
END_TEST

START_TEST(death_takes_all_waves_back_if_asked)
{
	struct hotpatch_rollout_options options = fleet();

	options.policy = HOTPATCH_ROLLOUT_REVERT_ALL;
	roll_out_with(options, HOTPATCH_ROLLOUT_DIES,
		      HOTPATCH_ROLLOUT_AT_HEALTH);
	expect_sick(HOTPATCH_ROLLOUT_DEAD, HOTPATCH_E_NO_PROCESS, 0);
	expect_outcome(0, 1 + SECOND_WAVE, HOTPATCH_ROLLOUT_REVERTED, 41);
	expect_rest_untouched();
}
END_TEST

START_TEST(stopped_one_is_unreachable_and_the_rollout_stops)
{
	struct hotpatch_rollout_options options = fleet();

	options.policy = HOTPATCH_ROLLOUT_STOP;
	roll_out_with(options, HOTPATCH_ROLLOUT_HANGS,
		      HOTPATCH_ROLLOUT_AT_APPLY);
	expect_sick(HOTPATCH_ROLLOUT_UNREACHABLE, HOTPATCH_E_UNREACHABLE, 0);
	expect_outcome(0, 1 + SECOND_WAVE, HOTPATCH_ROLLOUT_PATCHED, 42);
	expect_rest_untouched();
}
END_TEST

START_TEST(one_without_its_socket_is_unreachable)
{
	struct hotpatch_rollout_options options = fleet();

	roll_out_with(options, HOTPATCH_ROLLOUT_CUT_OFF,
		      HOTPATCH_ROLLOUT_AT_HEALTH);
	expect_sick(HOTPATCH_ROLLOUT_UNREACHABLE, HOTPATCH_E_NO_PROCESS, 0);
	expect_outcome(0, 1, HOTPATCH_ROLLOUT_PATCHED, 42);
	expect_outcome(1, SECOND_WAVE, HOTPATCH_ROLLOUT_REVERTED, 41);
	expect_rest_untouched();
}
END_TEST

/* It stays patched, as nobody can take the patch back: the report says so. */
START_TEST(death_while_going_back_is_told)
{
	const struct hotpatch_rollout_injection injections[] = {
		{.number = 0, .failure = HOTPATCH_ROLLOUT_UNHEALTHY},
		{.number = 1,
		 .failure = HOTPATCH_ROLLOUT_DIES,
		 .step = HOTPATCH_ROLLOUT_AT_REVERT},
	};
	struct hotpatch_rollout_options options = fleet();

	options.count = 4;
	options.waves = "3";
	options.injections = injections;
	options.injection_count = 2;
	roll_out(&options);
	expect_waves(1, 0);
	expect_outcome(0, 1, HOTPATCH_ROLLOUT_REVERTED, 41);
	expect_outcome(1, 1, HOTPATCH_ROLLOUT_DEAD, 0);
	ck_assert_int_eq(report->results[1].failed, 0);
	expect_outcome(2, 1, HOTPATCH_ROLLOUT_REVERTED, 41);
	expect_outcome(3, 1, HOTPATCH_ROLLOUT_UNTOUCHED, 41);
	hotpatch_rollout_release(report);
}
END_TEST

static void run_one(const char *const *argv, unsigned int start_ms)
{
	struct hotpatch_rollout_options options = fleet();

	options.program = argv;
	options.count = 1;
	options.start_ms = start_ms;
	expect_ok(hotpatch_rollout_run(&options, &report, &err));
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	expect_waves(1, 0);
	ck_assert_int_eq(report->results[0].failed, 1);
}

START_TEST(program_that_never_listens_fails_its_wave)
{
	static const char *const sleeps[] = {"sleep", "1000", NULL};
	static const char *const missing[] = {"/there/is/none", NULL};

	run_one(sleeps, 100);
	expect_outcome(0, 1, HOTPATCH_ROLLOUT_UNREACHABLE, 0);
	ck_assert_int_eq(report->results[0].status, HOTPATCH_E_TIMEOUT);
	hotpatch_rollout_release(report);
	run_one(missing, PATIENCE_MS);
	expect_outcome(0, 1, HOTPATCH_ROLLOUT_DEAD, 0);
	ck_assert_int_eq(report->results[0].status, HOTPATCH_E_NO_PROCESS);
	hotpatch_rollout_release(report);
}
END_TEST

static int run_as_function(const struct hotpatch_rollout_instance *instance)
{
	return host_run(instance->directory, instance->argument);
}

START_TEST(one_that_does_not_start_fails_its_wave)
{
	struct hotpatch_rollout_options options = fleet();

	options.program = NULL;
	options.main = run_as_function;
	roll_out_with(options, HOTPATCH_ROLLOUT_NOT_STARTED,
		      HOTPATCH_ROLLOUT_AT_START);
	expect_sick(HOTPATCH_ROLLOUT_DEAD, HOTPATCH_E_NO_PROCESS, 0);
	expect_outcome(0, 1, HOTPATCH_ROLLOUT_PATCHED, 42);
	expect_outcome(1, SECOND_WAVE, HOTPATCH_ROLLOUT_REVERTED, 41);
	expect_rest_untouched();
}
END_TEST

START_TEST(health_command_is_run_for_each)
{
	static const char *const health[] = {
		"sh", "-c", "test ${HOTPATCH_RUNTIME_DIR##*/} -ne 2", NULL};
	struct hotpatch_rollout_options options = fleet();

	options.count = 4;
	options.is_healthy = NULL;
	options.health = health;
	options.waves = "1";
	roll_out(&options);
	expect_waves(3, 2);
	expect_outcome(0, 2, HOTPATCH_ROLLOUT_PATCHED, 42);
	expect_outcome(2, 1, HOTPATCH_ROLLOUT_REVERTED, 41);
	expect_outcome(3, 1, HOTPATCH_ROLLOUT_UNTOUCHED, 41);
	hotpatch_rollout_release(report);
}
END_TEST

START_TEST(health_command_that_does_not_end_is_killed)
{
	static const char *const health[] = {"sleep", "1000", NULL};
	struct hotpatch_rollout_options options = fleet();

	options.count = 1;
	options.health = health;
	options.command_ms = PATIENCE_MS / 10;
	roll_out(&options);
	expect_waves(1, 0);
	expect_outcome(0, 1, HOTPATCH_ROLLOUT_REVERTED, 41);
	ck_assert_int_eq(report->results[0].status, HOTPATCH_E_TIMEOUT);
	hotpatch_rollout_release(report);
}
END_TEST

#ifdef HOTPATCH_TEST_SIGNATURES
static void run(const char *format, const char *root)
{
	char command[1024];

	snprintf(command, sizeof(command), format, root, bundle);
	ck_assert_msg(system(command) == 0, "failed: %s", command);
}

/* The second line of a file, which the caller has room for. */
static void read_key(const char *path, char *key, int size)
{
	FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(key, size, file));
	ck_assert_ptr_nonnull(fgets(key, size, file));
	key[strcspn(key, "\n")] = '\0';
	fclose(file);
}

START_TEST(forged_bundle_is_refused_by_all)
{
	char root[] = "/tmp/hotpatch-forged-XXXXXX";
	struct hotpatch_rollout_options options = fleet();
	char path[64], key[128];
	unsigned int i;

	ck_assert_ptr_nonnull(mkdtemp(root));
	run("cp '%2$s' %1$s/fix.so", root);
	run(HOTPATCH_TEST_COMMAND " keygen %1$s/key --no-password", root);
	run(HOTPATCH_TEST_COMMAND " sign %1$s/fix.so --key %1$s/key.key", root);
	run("echo >>%1$s/fix.so", root);
	snprintf(path, sizeof(path), "%s/key.pub", root);
	read_key(path, key, sizeof(key));
	snprintf(path, sizeof(path), "%s/fix.so", root);
	options.program = NULL;
	options.main = run_as_function;
	options.argument = key;
	options.bundle = path;
	options.waves = NULL;
	roll_out(&options);
	expect_waves(1, 0);
	for (i = 0; i < COUNT; i++) {
		ck_assert_int_eq(report->results[i].outcome,
				 HOTPATCH_ROLLOUT_REFUSED);
		ck_assert_int_eq(report->results[i].status, HOTPATCH_E_FORGED);
		ck_assert_int_eq(answers[i], 41);
	}
	hotpatch_rollout_release(report);
	run("rm -r %1$s", root);
}
END_TEST
#endif

static int exit_unseen(const struct hotpatch_rollout_instance *instance)
{
	struct hotpatch_rollout_instance *seen = instance->argument;

	seen->pid = instance->pid;
	strcpy((char *)(seen + 1), instance->directory);
	_exit(0);
}

START_TEST(processes_end_with_the_test)
{
	struct hotpatch_rollout_options options = fleet();
	struct hotpatch_rollout_instance *seen =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char command[128];
	int status;
	pid_t pid;

	ck_assert_ptr_ne(seen, MAP_FAILED);
	/* What the child leaves behind becomes this process's to wait for. */
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	options.count = 1;
	options.argument = seen;
	options.is_healthy = exit_unseen;
	pid = fork();
	if (!pid)
		_exit(hotpatch_rollout_run(&options, &report, NULL) ? 1 : 2);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(waitpid(seen->pid, &status, 0), seen->pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	snprintf(command, sizeof(command), "rm -r %s/..", (char *)(seen + 1));
	*strrchr(command, '/') = '\0';
	*strrchr(command, '/') = '\0';
	ck_assert_int_eq(system(command), 0);
	munmap(seen, 4096);
}
END_TEST

static void refuses(const struct hotpatch_rollout_options *options,
		    enum hotpatch_status status)
{
	expect_status(status, hotpatch_rollout_run(options, &report, &err));
	ck_assert_ptr_null(report);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}

#define refuses_with(assignment, status)                                       \
	do {                                                                   \
		struct hotpatch_rollout_options options = fleet();             \
		options.assignment;                                            \
		refuses(&options, status);                                     \
	} while (0)

START_TEST(bad_options_start_nothing)
{
	static const struct hotpatch_rollout_injection injection = {
		.number = COUNT};

	refuses_with(size = 1, HOTPATCH_E_ARGUMENT);
	refuses_with(count = 0, HOTPATCH_E_ARGUMENT);
	refuses_with(program = NULL, HOTPATCH_E_ARGUMENT);
	refuses_with(main = run_as_function, HOTPATCH_E_ARGUMENT);
	refuses_with(bundle = NULL, HOTPATCH_E_ARGUMENT);
	refuses_with(waves = "", HOTPATCH_E_ARGUMENT);
	refuses_with(waves = "1 0", HOTPATCH_E_ARGUMENT);
	refuses_with(waves = "1,2", HOTPATCH_E_ARGUMENT);
	refuses_with(waves = "101%", HOTPATCH_E_ARGUMENT);
	refuses_with(waves = "-1", HOTPATCH_E_ARGUMENT);
	refuses_with(policy = (enum hotpatch_rollout_policy)3,
		     HOTPATCH_E_ARGUMENT);
	refuses_with(injections = &injection;
		     options.injection_count = 1, HOTPATCH_E_ARGUMENT);
	refuses_with(command = "/there/is/none", HOTPATCH_E_NOT_FOUND);
	refuses_with(bundle = "/there/is/none", HOTPATCH_E_NOT_FOUND);
	refuses_with(bundle = "/proc/self/exe", HOTPATCH_E_NOT_REGULAR);
}
END_TEST

int main(int argc, char **argv)
{
	const TTest *const tests[] = {
		all_are_patched_wave_by_wave,
		unhealthy_one_takes_its_wave_back,
		watch_notices_who_falls_ill_later,
		death_takes_all_waves_back_if_asked,
		stopped_one_is_unreachable_and_the_rollout_stops,
		one_without_its_socket_is_unreachable,
		death_while_going_back_is_told,
		program_that_never_listens_fails_its_wave,
		one_that_does_not_start_fails_its_wave,
		health_command_is_run_for_each,
		health_command_that_does_not_end_is_killed,
#ifdef HOTPATCH_TEST_SIGNATURES
		forged_bundle_is_refused_by_all,
#endif
		processes_end_with_the_test,
		bad_options_start_nothing,
	};

	if (argc > 1 && !strcmp(argv[1], "host"))
		return host_run(getenv("HOTPATCH_RUNTIME_DIR"), NULL);
	return run_tests("rollout", tests, sizeof(tests) / sizeof(*tests));
}
