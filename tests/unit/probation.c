/* SPDX-License-Identifier: MIT */
/*
 * What processes leave that end while a bundle is on probation, and what the
 * next one makes of it: every way to end, and every way to look dead.
 */
#include "../../lib/probation.h"

#include "../../lib/store.h"
#include "crash.h"
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define AGAIN "HOTPATCH_TEST_AGAIN"

static char store[128];
static char folder[160];
static struct hotpatch_error err;
static struct hp_quarantined found;
static struct hp_identity fix = {
	.program = "server",
	.contents = "0123456789abcdef-4711",
	.name = "fix",
	.sequence = 7,
};

static void set_up(void)
{
	make_root();
	snprintf(store, sizeof(store), "%s/store", root);
	snprintf(folder, sizeof(folder), "%s/probation", store);
	ck_assert_int_eq(hp_store_configure(store, &err), HOTPATCH_OK);
}

/* For children: any failure is the exit status. */
static void must(bool good)
{
	if (!good)
		_exit(1);
}

static void mark(void)
{
	must(hp_probation_mark(&fix, NULL) == HOTPATCH_OK);
}

/* What the next process finds. */
static void expect(enum hotpatch_status wanted, const char *reason)
{
	enum hotpatch_status status = hp_quarantine_find(&fix, &found, &err);

	ck_assert_msg(status == wanted, "%s: %s", hotpatch_status_name(status),
		      err.sentence);
	if (status == HOTPATCH_E_QUARANTINED)
		ck_assert_str_eq(found.reason, reason);
}

static void expect_quarantine(const char *reason)
{
	expect(HOTPATCH_E_QUARANTINED, reason);
	ck_assert_int_eq(access(folder, F_OK), -1);
}

START_TEST(bundle_of_a_process_that_was_killed_is_in_quarantine)
{
	run_child(mark);
	ck_assert_uint_eq(count_entries(folder), 1);
	expect_quarantine("ended during probation");
	ck_assert_str_eq(found.identity.name, "fix");
	ck_assert_uint_eq(found.identity.sequence, 7);
	ck_assert_uint_eq(count_entries(store), 1);
}
END_TEST

static void note_in_handler(int number)
{
	static const char text[] = "SIGUSR1\tin fix";

	(void)number;
	errno = EDOM;
	hp_probation_note(text, sizeof(text) - 1);
	if (errno != EDOM)
		_exit(1);
	hp_probation_note("later", 5);
	_exit(0);
}

static void mark_and_note(void)
{
	mark();
	signal(SIGUSR1, note_in_handler);
	raise(SIGUSR1);
}

START_TEST(what_a_handler_noted_is_the_reason)
{
	run_child(mark_and_note);
	expect_quarantine("ended by itself: SIGUSR1?in fix");
}
END_TEST

static void mark_and_note_much(void)
{
	char text[1000];

	mark();
	memset(text, 'x', sizeof(text));
	hp_probation_note(text, sizeof(text));
}

START_TEST(long_note_is_cut)
{
	run_child(mark_and_note_much);
	expect(HOTPATCH_E_QUARANTINED, found.reason);
	ck_assert_ptr_nonnull(strstr(found.reason, "ended by itself: xxx"));
}
END_TEST

static void mark_and_clear(void)
{
	mark();
	must(hp_probation_clear(&fix, NULL) == HOTPATCH_OK);
	must(access(folder, F_OK) == -1);
}

START_TEST(what_was_cleared_is_forgotten)
{
	run_child(mark_and_clear);
	expect(HOTPATCH_OK, NULL);
	ck_assert_uint_eq(count_entries(store), 0);
	ck_assert_int_eq(hp_probation_clear(&fix, &err), HOTPATCH_OK);
}
END_TEST

static void mark_and_exit(void)
{
	mark();
	exit(0);
}

START_TEST(process_that_exits_leaves_nothing)
{
	run_child(mark_and_exit);
	ck_assert_int_eq(access(folder, F_OK), -1);
	expect(HOTPATCH_OK, NULL);
}
END_TEST

static void mark_twice_and_another(void)
{
	struct hp_identity other = fix;

	strcpy(other.contents, "0000000000000000-1");
	mark();
	mark();
	must(count_entries(folder) == 1);
	must(hp_probation_mark(&other, NULL) == HOTPATCH_OK);
	must(count_entries(folder) == 2);
	must(hp_probation_clear(&fix, NULL) == HOTPATCH_OK);
	must(count_entries(folder) == 2);
}

START_TEST(each_bundle_has_one_marker)
{
	size_t count;

	run_child(mark_twice_and_another);
	ck_assert_int_eq(hp_quarantine_list("server", NULL, 0, &count, &err),
			 HOTPATCH_OK);
	ck_assert_uint_eq(count, 2);
}
END_TEST

static void mark_too_many(void)
{
	struct hp_identity other = fix;
	int i;

	for (i = 0; i < HP_PROBATION_LIMIT; i++) {
		snprintf(other.contents, sizeof(other.contents), "%016x-1", i);
		must(hp_probation_mark(&other, NULL) == HOTPATCH_OK);
	}
	must(hp_probation_mark(&fix, NULL) == HOTPATCH_E_LIMIT);
	must(hp_probation_clear(&other, NULL) == HOTPATCH_OK);
	mark();
}

START_TEST(too_many_are_refused)
{
	run_child(mark_too_many);
	expect(HOTPATCH_E_QUARANTINED, "ended during probation");
}
END_TEST

START_TEST(without_a_directory_it_says_so)
{
	ck_assert_int_eq(hp_store_configure(NULL, &err), HOTPATCH_OK);
	ck_assert_int_eq(hp_probation_mark(&fix, &err), HOTPATCH_E_STATE);
	ck_assert_int_eq(hp_probation_clear(&fix, &err), HOTPATCH_E_STATE);
	hp_probation_note("x", 1);
	hp_probation_finish();
}
END_TEST

/* ---- Processes that live ---- */

static int ready[2];
static int stop[2];

static void wait_for_stop(void)
{
	char byte;

	close(stop[1]);
	must(write(ready[1], "", 1) == 1);
	must(read(stop[0], &byte, 1) == 0);
}

/* Begins @work in a child and waits until it is ready. */
static pid_t begin(void (*work)(void))
{
	pid_t child;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(stop), 0);
	child = fork();
	if (!child) {
		work();
		_exit(0);
	}
	close(ready[1]);
	close(stop[0]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	return child;
}

static void end(pid_t child)
{
	int status;

	close(stop[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(ready[0]);
}

static void mark_and_stay(void)
{
	mark();
	wait_for_stop();
}

START_TEST(marker_of_a_living_process_stays)
{
	pid_t child = begin(mark_and_stay);

	expect(HOTPATCH_OK, NULL);
	ck_assert_uint_eq(count_entries(folder), 1);
	end(child);
	expect_quarantine("ended during probation");
}
END_TEST

static void close_others(void)
{
	int fd;

	for (fd = 3; fd < 100; fd++)
		if (fd != ready[1] && fd != stop[0])
			close(fd);
}

static void mark_and_close_all(void)
{
	mark();
	close_others();
	wait_for_stop();
}

START_TEST(host_that_closes_all_descriptors_lives)
{
	pid_t child;

	/* /proc is the emulator's. */
	if (getenv("HOTPATCH_TEST_EMULATED"))
		return;
	child = begin(mark_and_close_all);
	expect(HOTPATCH_OK, NULL);
	ck_assert_uint_eq(count_entries(folder), 1);
	end(child);
	expect_quarantine("ended during probation");
}
END_TEST

static void *stay_alone(void *argument)
{
	(void)argument;
	wait_for_stop();
	_exit(0);
}

static void mark_and_end_main_thread(void)
{
	pthread_t thread;

	mark();
	close_others();
	must(!pthread_create(&thread, NULL, stay_alone, NULL));
	pthread_exit(NULL);
}

START_TEST(process_without_its_main_thread_lives)
{
	pid_t child;

	/* /proc is the emulator's. */
	if (getenv("HOTPATCH_TEST_EMULATED"))
		return;
	child = begin(mark_and_end_main_thread);
	expect(HOTPATCH_OK, NULL);
	ck_assert_uint_eq(count_entries(folder), 1);
	end(child);
	expect_quarantine("ended during probation");
}
END_TEST

/* Its marker's descriptor is another file by the time of the note. */
static void mark_and_swap_descriptors(void)
{
	char path[160];
	struct stat facts;
	int fds[100];
	int i;

	snprintf(path, sizeof(path), "%s/other", root);
	mark();
	close_others();
	for (i = 0; i < 100; i++)
		fds[i] = open(path, O_CREAT | O_WRONLY, 0600);
	hp_probation_note("x", 1);
	must(!fstat(fds[0], &facts) && facts.st_size == 0);
	hp_probation_finish();
	must(fcntl(fds[0], F_GETFD) >= 0);
	must(access(folder, F_OK) == -1);
}

START_TEST(another_file_in_its_place_is_not_written_nor_closed)
{
	run_child(mark_and_swap_descriptors);
}
END_TEST

/* The owner ends; its child goes on, says something and exits. */
static void mark_and_leave_a_child(void)
{
	mark();
	if (fork() != 0)
		_exit(0);
	hp_probation_note("a child", 7);
	wait_for_stop();
	must(hp_probation_clear(&fix, NULL) == HOTPATCH_OK);
	exit(0);
}

START_TEST(child_does_not_stand_for_its_parent)
{
	pid_t child = begin(mark_and_leave_a_child);
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	expect_quarantine("ended during probation");
	close(stop[1]);
}
END_TEST

static void have_a_child_that_exits(void)
{
	int status;
	pid_t child;

	mark();
	child = fork();
	if (!child) {
		must(hp_probation_clear(&fix, NULL) == HOTPATCH_OK);
		exit(0);
	}
	must(waitpid(child, &status, 0) == child && status == 0);
	must(count_entries(folder) == 1);
}

START_TEST(child_that_exits_takes_nothing_away)
{
	run_child(have_a_child_that_exits);
	expect_quarantine("ended during probation");
}
END_TEST

START_TEST(zombie_is_dead)
{
	pid_t child = fork();
	siginfo_t info;
	int status;

	if (!child) {
		mark();
		_exit(0);
	}
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT),
			 0);
	expect_quarantine("ended during probation");
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}
END_TEST

/* What it was is gone, but it did not end. */
static void mark_and_become_another(void)
{
	mark();
	setenv(AGAIN, store, 1);
	execl("/proc/self/exe", "again", NULL);
	_exit(1);
}

static int be_another(const char *path)
{
	if (hp_store_configure(path, NULL) ||
	    hp_quarantine_find(&fix, NULL, NULL) != HOTPATCH_OK)
		return 1;
	snprintf(folder, sizeof(folder), "%s/probation", path);
	return access(folder, F_OK) == 0;
}

START_TEST(program_that_starts_another_in_its_place_did_not_fail)
{
	/* /proc is the emulator's. */
	if (getenv("HOTPATCH_TEST_EMULATED"))
		return;
	run_child(mark_and_become_another);
	expect(HOTPATCH_OK, NULL);
}
END_TEST

/* ---- Markers as they may be found ---- */

static void put(const char *text)
{
	char path[200];
	FILE *file;

	mkdir(store, 0700);
	mkdir(folder, 0700);
	snprintf(path, sizeof(path), "%s/1-0", folder);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void put_marker(const struct hp_process *process)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "hotpatch probation 1\n%" PRIu64 " %" PRIu64 " %" PRIu64
		 " %s 0123456789abcdef-4711 7 fix server\t\n",
		 process->number, process->started, process->space,
		 process->boot);
	put(text);
}

START_TEST(number_that_another_process_has_now_is_told_by_its_start)
{
	pid_t child = begin(wait_for_stop);
	struct hp_process process;

	hp_process_self(&process);
	process.number = (uint64_t)child;
	put_marker(&process);
	if (process.started) {
		process.started--;
		put_marker(&process);
		expect_quarantine("ended during probation");
	}
	end(child);
}
END_TEST

START_TEST(machine_that_went_down_is_told)
{
	struct hp_process process;

	hp_process_self(&process);
	strcpy(process.boot, "00000000-0000-0000-0000-000000000000");
	put_marker(&process);
	expect_quarantine("ended with the machine during probation");
}
END_TEST

START_TEST(marker_from_another_namespace_is_judged_by_its_lock)
{
	struct hp_process process;

	hp_process_self(&process);
	process.space++;
	put_marker(&process);
	expect_quarantine("ended during probation");
}
END_TEST

START_TEST(half_a_marker_is_removed)
{
	static const char *const texts[] = {
		"", "hotpatch probation 1\n", "hotpatch probation 1\n7 8 9 - ",
		"hotpatch probation 1\n7 8 9 - 0123456789abcdef-1 7 fix x\n"};
	size_t i;

	for (i = 0; i < 4; i++) {
		put(texts[i]);
		expect(HOTPATCH_OK, NULL);
		ck_assert_int_eq(access(folder, F_OK), -1);
	}
}
END_TEST

START_TEST(folder_of_others_is_refused)
{
	ck_assert_int_eq(mkdir(store, 0700), 0);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	expect(HOTPATCH_E_UNSAFE_PATH, NULL);
	ck_assert_int_eq(hp_probation_mark(&fix, &err), HOTPATCH_E_UNSAFE_PATH);
	ck_assert_str_eq(err.object, "probation");
}
END_TEST

START_TEST(marker_stays_while_the_list_is_damaged)
{
	char path[200];

	run_child(mark);
	snprintf(path, sizeof(path), "%s/quarantine", store);
	ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	expect(HOTPATCH_E_DAMAGED, NULL);
	ck_assert_uint_eq(count_entries(folder), 1);
	unlink(path);
	expect_quarantine("ended during probation");
}
END_TEST

/* The directory goes while it is on probation. */
static void mark_and_lose_all(void)
{
	char command[200];

	mark();
	snprintf(command, sizeof(command), "rm -rf '%s'", store);
	must(!system(command));
	hp_probation_note("x", 1);
	must(hp_probation_clear(&fix, NULL) == HOTPATCH_OK);
	mark();
	must(count_entries(folder) == 1);
}

START_TEST(directory_that_was_taken_away_is_made_again)
{
	run_child(mark_and_lose_all);
	expect_quarantine("ended during probation");
}
END_TEST

static void mark_on_a_full_disk(void)
{
	const struct rlimit none = {0, 0};

	signal(SIGXFSZ, SIG_IGN);
	must(!setrlimit(RLIMIT_FSIZE, &none));
	must(hp_probation_mark(&fix, NULL) == HOTPATCH_E_STORE);
	must(access(folder, F_OK) == -1);
}

START_TEST(full_disk_is_reported_and_leaves_nothing)
{
	run_child(mark_on_a_full_disk);
	expect(HOTPATCH_OK, NULL);
}
END_TEST

/* ---- Kills ---- */

static void mark_and_say(void)
{
	mark();
	must(write(ready[1], "", 1) == 1);
	must(hp_probation_clear(&fix, NULL) == HOTPATCH_OK);
	must(write(ready[1], "", 1) == 1);
}

/* How many bytes lie in the pipe, which are taken out. */
static ssize_t said(void)
{
	char bytes[4];
	ssize_t got = read(ready[0], bytes, sizeof(bytes));

	return got < 0 ? 0 : got;
}

/* Once it is marked it is in quarantine, and once cleared it is not. */
START_TEST(a_kill_between_any_two_calls_of_marking_is_told)
{
	enum crash crash = CRASHED;
	enum hotpatch_status status;
	unsigned int step;
	ssize_t words;

	ck_assert_int_eq(pipe2(ready, O_NONBLOCK), 0);
	for (step = 0; crash == CRASHED; step++) {
		crash = crash_at(step, mark_and_say);
		if (crash == CRASH_IS_IMPOSSIBLE)
			return;
		words = said();
		status = hp_quarantine_find(&fix, NULL, &err);
		ck_assert(status == HOTPATCH_OK ||
			  status == HOTPATCH_E_QUARANTINED);
		ck_assert(words != 2 || status == HOTPATCH_OK);
		ck_assert_int_eq(access(folder, F_OK), -1);
		if (status == HOTPATCH_E_QUARANTINED)
			ck_assert_int_eq(hp_quarantine_forgive("server", "fix",
							       &err),
					 HOTPATCH_OK);
	}
	ck_assert_uint_gt(step, 20);
}
END_TEST

static void settle(void)
{
	must(hp_quarantine_find(&fix, NULL, NULL) == HOTPATCH_E_QUARANTINED);
}

START_TEST(a_kill_between_any_two_calls_of_settling_loses_nothing)
{
	enum crash crash = CRASHED;
	unsigned int step;

	for (step = 0; crash == CRASHED; step++) {
		run_child(mark);
		crash = crash_at(step, settle);
		if (crash == CRASH_IS_IMPOSSIBLE)
			return;
		expect_quarantine("ended during probation");
		ck_assert_int_eq(hp_quarantine_forgive("server", "fix", &err),
				 HOTPATCH_OK);
	}
	ck_assert_uint_gt(step, 20);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		bundle_of_a_process_that_was_killed_is_in_quarantine,
		what_a_handler_noted_is_the_reason,
		long_note_is_cut,
		what_was_cleared_is_forgotten,
		process_that_exits_leaves_nothing,
		each_bundle_has_one_marker,
		too_many_are_refused,
		without_a_directory_it_says_so,
		marker_of_a_living_process_stays,
		host_that_closes_all_descriptors_lives,
		process_without_its_main_thread_lives,
		another_file_in_its_place_is_not_written_nor_closed,
		child_does_not_stand_for_its_parent,
		child_that_exits_takes_nothing_away,
		zombie_is_dead,
		program_that_starts_another_in_its_place_did_not_fail,
		number_that_another_process_has_now_is_told_by_its_start,
		machine_that_went_down_is_told,
		marker_from_another_namespace_is_judged_by_its_lock,
		half_a_marker_is_removed,
		folder_of_others_is_refused,
		marker_stays_while_the_list_is_damaged,
		directory_that_was_taken_away_is_made_again,
		full_disk_is_reported_and_leaves_nothing,
		a_kill_between_any_two_calls_of_marking_is_told,
		a_kill_between_any_two_calls_of_settling_loses_nothing,
	};

	if (getenv(AGAIN))
		return be_another(getenv(AGAIN));
	return run_in_root("probation", set_up, remove_root, tests,
			   sizeof(tests) / sizeof(tests[0]));
}
