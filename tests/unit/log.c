/* SPDX-License-Identifier: MIT */
/*
 * The log: its chain finds what was changed, goes on after restarts, in other
 * processes and in new files, and a full disk costs nothing but time.
 */
#include "../../lib/observe/log.h"

#include "../../lib/event.h"
#include "../../lib/observe/chain.h"
#include "../../lib/observe/watch.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 5
#define PROCESSES 4
#define EACH 50
#define PATIENCE 4000 /* looks of 5 ms */

static char directory[64];
static char path[128];
static struct hp_chain_report report;
static char content[1 << 20];
static size_t size;

static void set_up(void)
{
	strcpy(directory, "/tmp/hotpatch-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/log", directory);
}

static void tear_down(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static enum hotpatch_status try_start(const char *file, uint64_t limit,
				      unsigned int keep)
{
	const struct hotpatch_log_options options = {
		.size = sizeof(options),
		.path = file,
		.limit_bytes = limit,
		.keep = keep,
	};

	return hotpatch_log_start(&options, NULL);
}

static void start(void)
{
	ck_assert_int_eq(try_start(path, 0, 0), HOTPATCH_OK);
}

static void happen(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		hp_event(HOTPATCH_PHASE_ACTIVE, HOTPATCH_OK, "fix \"one\"",
			 "m\xc3\xbcller\n\xff");
	hp_watch_deliver();
}

static void read_log(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	ck_assert_int_ge(fd, 0);
	got = read(fd, content, sizeof(content));
	ck_assert_int_ge(got, 0);
	size = (size_t)got;
	close(fd);
}

static void write_log(const char *bytes, size_t count)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, count), (ssize_t)count);
	close(fd);
}

static void expect_whole(uint64_t count)
{
	struct hotpatch_error err = {.status = HOTPATCH_OK};

	ck_assert_msg(hp_chain_verify(path, &report, &err) == HOTPATCH_OK, "%s",
		      err.sentence);
	ck_assert_uint_eq(report.count, count);
}

static void expect_broken_at(uint64_t line)
{
	ck_assert_int_eq(hp_chain_verify(path, &report, NULL),
			 HOTPATCH_E_LOG_BROKEN);
	ck_assert_uint_eq(report.line, line);
}

/* Its first line says that the log begins. */
static void make_log(void)
{
	start();
	happen(EVENTS);
	hotpatch_log_stop();
	read_log();
}

START_TEST(log_of_events_is_whole)
{
	make_log();
	expect_whole(EVENTS + 1);
	ck_assert_uint_eq(report.first, 1);
	ck_assert_uint_eq(report.last.number, EVENTS + 1);
	content[size] = '\0';
	ck_assert_ptr_nonnull(strstr(content, "\"phase\":\"logging\""));
	ck_assert_ptr_nonnull(strstr(content, "\"patch\":\"fix \\\"one\\\"\""));
	ck_assert_ptr_nonnull(
		strstr(content, "\"object\":\"m\xc3\xbcller??\""));
}
END_TEST

START_TEST(log_is_closed_to_others)
{
	struct stat facts;

	make_log();
	ck_assert_int_eq(stat(path, &facts), 0);
	ck_assert_uint_eq(facts.st_mode & 07777, 0600);
}
END_TEST

START_TEST(each_byte_that_was_changed_is_found_in_its_line)
{
	uint64_t line = 1;
	size_t i;
	char byte;

	make_log();
	for (i = 0; i < size; i++) {
		byte = content[i];
		content[i] = (char)(byte ^ 1);
		write_log(content, size);
		content[i] = byte;
		expect_broken_at(line);
		line += byte == '\n';
	}
}
END_TEST

/* Where each line begins, and the end. */
static size_t find_lines(const char *lines[EVENTS + 2])
{
	size_t count = 0;
	size_t i;

	lines[count++] = content;
	for (i = 0; i < size; i++) {
		if (content[i] == '\n')
			lines[count++] = &content[i + 1];
	}
	return count - 1;
}

START_TEST(line_that_was_taken_out_is_missed_by_the_next)
{
	static char without[sizeof(content)];
	const char *lines[EVENTS + 2];
	size_t before;
	size_t i;

	make_log();
	ck_assert_uint_eq(find_lines(lines), EVENTS + 1);
	for (i = 1; i < EVENTS; i++) {
		before = (size_t)(lines[i] - content);
		memcpy(without, content, before);
		memcpy(without + before, lines[i + 1],
		       size - (size_t)(lines[i + 1] - content));
		write_log(without, size - (size_t)(lines[i + 1] - lines[i]));
		expect_broken_at(i + 1);
	}
}
END_TEST

START_TEST(line_that_is_there_twice_is_found)
{
	static char twice[sizeof(content)];
	const char *lines[EVENTS + 2];
	size_t length;

	make_log();
	find_lines(lines);
	length = (size_t)(lines[2] - lines[1]);
	memcpy(twice, content, (size_t)(lines[2] - content));
	memcpy(twice + (lines[2] - content), lines[1], length);
	memcpy(twice + (lines[2] - content) + length, lines[2],
	       size - (size_t)(lines[2] - content));
	write_log(twice, size + length);
	expect_broken_at(3);
}
END_TEST

START_TEST(log_goes_on_after_a_restart)
{
	make_log();
	make_log();
	expect_whole(2 * (EVENTS + 1));
}
END_TEST

START_TEST(second_log_in_a_process_is_refused)
{
	start();
	ck_assert_int_eq(try_start(path, 0, 0), HOTPATCH_E_ALREADY);
	hotpatch_log_stop();
	hotpatch_log_stop();
	start();
}
END_TEST

static void log_from_child(void)
{
	int i;

	for (i = 0; i < EACH; i++)
		happen(1);
	_exit(0);
}

START_TEST(processes_share_a_log)
{
	int status;
	int i;

	start();
	for (i = 0; i < PROCESSES; i++) {
		if (!fork())
			log_from_child();
	}
	for (i = 0; i < PROCESSES; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	hotpatch_log_stop();
	expect_whole(1 + PROCESSES * EACH);
	read_log();
	content[size] = '\0';
	ck_assert_ptr_null(strstr(content, "\"lost\""));
}
END_TEST

START_TEST(log_that_was_killed_goes_on)
{
	int status;
	pid_t child;

	start();
	child = fork();
	if (!child) {
		for (;;)
			happen(1);
	}
	do {
		read_log();
	} while (size < 20000);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	happen(1);
	hotpatch_log_stop();
	ck_assert_int_eq(hp_chain_verify(path, &report, NULL), HOTPATCH_OK);
	ck_assert_uint_gt(report.count, 20);
}
END_TEST

static uint64_t count_events(enum hotpatch_phase phase)
{
	return hp_event_count(phase);
}

static void deliver_until(uint64_t lines)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	struct hp_log_figures figures;
	int looks;

	for (looks = 0; looks < PATIENCE; looks++) {
		hp_watch_deliver();
		hp_log_figures(&figures);
		if (figures.lines >= lines)
			return;
		nanosleep(&pause, NULL);
	}
	ck_abort_msg("the log does not go on");
}

START_TEST(full_disk_is_told_once_and_nothing_is_lost)
{
	struct rlimit limit;
	struct rlimit tight;
	int i;

	signal(SIGXFSZ, SIG_IGN);
	start();
	happen(1);
	read_log();
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	tight = limit;
	/* Room for a part of the next line. */
	tight.rlim_cur = size + 100;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (i = 0; i < 3; i++)
		happen(1);
	ck_assert_uint_eq(count_events(HOTPATCH_PHASE_LOG_LOST), 1);
	expect_whole(2);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	deliver_until(6);
	hotpatch_log_stop();
	expect_whole(6);
}
END_TEST

START_TEST(torn_line_is_cut_off_by_the_next_writer)
{
	make_log();
	write_log(content, size - 7);
	expect_broken_at(EVENTS + 1);
	start();
	hotpatch_log_stop();
	expect_whole(EVENTS + 1);
}
END_TEST

START_TEST(file_that_is_no_log_is_left_alone)
{
	static const char poem[] = "roses are red\n";

	write_log(poem, sizeof(poem) - 1);
	ck_assert_int_eq(try_start(path, 0, 0), HOTPATCH_E_LOG_BROKEN);
	read_log();
	ck_assert_uint_eq(size, sizeof(poem) - 1);
	ck_assert(!memcmp(content, poem, size));
}
END_TEST

START_TEST(chain_goes_on_in_a_new_file)
{
	char old[160];
	struct stat facts;
	int i;

	ck_assert_int_eq(try_start(path, 1000, 2), HOTPATCH_OK);
	for (i = 0; i < 9; i++)
		happen(1);
	hotpatch_log_stop();
	ck_assert_int_eq(hp_chain_verify(path, &report, NULL), HOTPATCH_OK);
	ck_assert_uint_eq(report.files, 3);
	ck_assert_uint_eq(report.last.number, 10);
	ck_assert_uint_gt(report.first, 1);
	snprintf(old, sizeof(old), "%s.3", path);
	ck_assert_int_eq(stat(old, &facts), -1);
	/* With one in the middle gone the rest does not hang together. */
	snprintf(old, sizeof(old), "%s.1", path);
	ck_assert_int_eq(truncate(old, 0), 0);
	ck_assert_int_eq(hp_chain_verify(path, &report, NULL),
			 HOTPATCH_E_LOG_BROKEN);
	ck_assert_str_eq(report.path, path);
	ck_assert_uint_eq(report.line, 1);
}
END_TEST

START_TEST(log_that_was_renamed_is_begun_anew)
{
	char old[160];

	start();
	happen(1);
	snprintf(old, sizeof(old), "%s-old", path);
	ck_assert_int_eq(rename(path, old), 0);
	happen(1);
	hotpatch_log_stop();
	expect_whole(1);
	ck_assert_int_eq(hp_chain_verify(old, &report, NULL), HOTPATCH_OK);
	ck_assert_uint_eq(report.count, 2);
}
END_TEST

START_TEST(places_where_others_can_write_are_refused)
{
	char other[160];

	snprintf(other, sizeof(other), "%s/open", directory);
	ck_assert_int_eq(mkdir(other, 0700), 0);
	ck_assert_int_eq(chmod(other, 0777), 0);
	strcat(other, "/log");
	ck_assert_int_eq(try_start(other, 0, 0), HOTPATCH_E_UNSAFE_PATH);
	snprintf(other, sizeof(other), "%s/link", directory);
	ck_assert_int_eq(symlink(path, other), 0);
	ck_assert_int_eq(try_start(other, 0, 0), HOTPATCH_E_LOG);
	ck_assert_int_eq(try_start("log", 0, 0), HOTPATCH_E_ARGUMENT);
	snprintf(other, sizeof(other), "%s/folder", directory);
	ck_assert_int_eq(mkdir(other, 0700), 0);
	ck_assert_int_eq(try_start(other, 0, 0), HOTPATCH_E_LOG);
	ck_assert_int_eq(try_start("/none/log", 0, 0), HOTPATCH_E_NOT_FOUND);
	ck_assert_int_eq(try_start(HOTPATCH_LOG_DEFAULT, 0, 0),
			 HOTPATCH_E_STATE);
}
END_TEST

START_TEST(log_lies_in_the_configured_directory)
{
	struct hotpatch_config config = {.size = sizeof(config)};
	char place[80];

	snprintf(place, sizeof(place), "%s/store", directory);
	config.directory = place;
	ck_assert_int_eq(hotpatch_configure(&config, NULL), HOTPATCH_OK);
	ck_assert_int_eq(try_start(HOTPATCH_LOG_DEFAULT, 0, 0), HOTPATCH_OK);
	hotpatch_log_stop();
	snprintf(path, sizeof(path), "%s/%s.log", place,
		 program_invocation_short_name);
	expect_whole(1);
}
END_TEST

static int open_journal(char *place)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sprintf(place, "%s/journal", directory);
	strcpy(address.sun_path, place);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	return fd;
}

START_TEST(journal_gets_fields_that_hold_together)
{
	struct hotpatch_log_options options = {.size = sizeof(options)};
	char place[108];
	int fd = open_journal(place);
	ssize_t got;

	options.journal = place;
	ck_assert_int_eq(hotpatch_log_start(&options, NULL), HOTPATCH_OK);
	hp_event(HOTPATCH_PHASE_STALLED, HOTPATCH_E_STALLED, "fix\nPRIORITY=0",
		 "worker");
	hp_watch_deliver();
	got = recv(fd, content, sizeof(content), MSG_DONTWAIT);
	ck_assert_int_gt(got, 0);
	got = recv(fd, content, sizeof(content) - 1, MSG_DONTWAIT);
	ck_assert_int_gt(got, 0);
	content[got] = '\0';
	ck_assert_ptr_nonnull(strstr(content, "MESSAGE=hotpatch: stalled, "));
	ck_assert_ptr_nonnull(strstr(content, "\nPRIORITY=4\n"));
	ck_assert_ptr_nonnull(
		strstr(content, "\nHOTPATCH_PATCH=fix PRIORITY=0\n"));
	ck_assert_ptr_nonnull(strstr(content, "\nHOTPATCH_OBJECT=worker\n"));
	ck_assert_ptr_nonnull(strstr(content, "\nHOTPATCH_STATUS=E_STALLED\n"));
	close(fd);
}
END_TEST

START_TEST(journal_that_takes_nothing_is_not_waited_for)
{
	struct hotpatch_log_options options = {.size = sizeof(options)};
	struct hp_log_figures figures;
	char place[108];
	int fd = open_journal(place);

	options.journal = place;
	ck_assert_int_eq(hotpatch_log_start(&options, NULL), HOTPATCH_OK);
	happen(1000);
	hp_log_figures(&figures);
	ck_assert_uint_gt(figures.dropped, 0);
	close(fd);
	happen(1);
	ck_assert_uint_eq(count_events(HOTPATCH_PHASE_LOG_LOST), 0);
}
END_TEST

#ifndef HOTPATCH_TEST_SIGNATURES
START_TEST(log_needs_hashes)
{
	ck_assert_int_eq(try_start(path, 0, 0), HOTPATCH_E_UNSUPPORTED);
}
END_TEST
#endif

static void add_tests_of_the_chain(TCase *tests)
{
	tcase_add_test(tests, log_of_events_is_whole);
	tcase_add_test(tests, log_is_closed_to_others);
	tcase_add_test(tests, each_byte_that_was_changed_is_found_in_its_line);
	tcase_add_test(tests, line_that_was_taken_out_is_missed_by_the_next);
	tcase_add_test(tests, line_that_is_there_twice_is_found);
	tcase_add_test(tests, log_goes_on_after_a_restart);
	tcase_add_test(tests, second_log_in_a_process_is_refused);
	tcase_add_test(tests, processes_share_a_log);
	tcase_add_test(tests, log_that_was_killed_goes_on);
	tcase_add_test(tests, full_disk_is_told_once_and_nothing_is_lost);
	tcase_add_test(tests, torn_line_is_cut_off_by_the_next_writer);
	tcase_add_test(tests, file_that_is_no_log_is_left_alone);
	tcase_add_test(tests, chain_goes_on_in_a_new_file);
	tcase_add_test(tests, log_that_was_renamed_is_begun_anew);
	tcase_add_test(tests, places_where_others_can_write_are_refused);
	tcase_add_test(tests, log_lies_in_the_configured_directory);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tests = tcase_create("log");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, set_up, tear_down);
#ifdef HOTPATCH_TEST_SIGNATURES
	add_tests_of_the_chain(tests);
#else
	(void)add_tests_of_the_chain;
	tcase_add_test(tests, log_needs_hashes);
#endif
	tcase_add_test(tests, journal_gets_fields_that_hold_together);
	tcase_add_test(tests, journal_that_takes_nothing_is_not_waited_for);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(make_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
