/* SPDX-License-Identifier: MIT */
/*
 * Who may do what at a control socket, also where a user namespace shows
 * whoever has no number in it as "nobody".
 */
#include "../../lib/control/guard.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534
#define STRANGER 54321
#define MEMBERS 54322
#define NO_NAMESPACE 99

/* The end of the server, of a connection with this user. */
static int connection;

/* As the exit code of a child: who it is in its namespace, and what it finds
 * out there. */
struct inside {
	const char *users; /* its maps; NULL for none */
	const char *groups;
	int (*judge)(void);
};

static void connect_as(uid_t user, gid_t group)
{
	int ends[2];

	ck_assert_int_eq(setegid(group), 0);
	ck_assert_int_eq(seteuid(user), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(seteuid(getuid()), 0);
	ck_assert_int_eq(setegid(getgid()), 0);
	/* Sanitizers look at the process when it ends. */
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
	connection = ends[0];
}

static enum hp_access judge(uid_t owner, gid_t group)
{
	struct hp_guard guard;
	const char *why;

	hp_guard_set(&guard, group);
	guard.owner = owner;
	return hp_guard_access(&guard, connection, &why);
}

static void write_map(pid_t child, const char *name, const char *map)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, map, strlen(map)), (ssize_t)strlen(map));
	close(fd);
}

static void enter_namespace(const struct inside *inside, const int *ready,
			    const int *mapped)
{
	char byte = unshare(CLONE_NEWUSER) ? 'n' : 'y';

	if (write(ready[1], &byte, 1) != 1 || byte == 'n' ||
	    read(mapped[0], &byte, 1) != 1)
		_exit(NO_NAMESPACE);
	if (inside->users && (setresgid(NOBODY, NOBODY, NOBODY) ||
			      setresuid(NOBODY, NOBODY, NOBODY)))
		_exit(NO_NAMESPACE + 1);
	_exit(inside->judge());
}

/* What it finds out, or NO_NAMESPACE where none can be made. */
static int judge_inside(const struct inside *inside)
{
	int ready[2];
	int mapped[2];
	int status;
	char byte;
	pid_t child;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(mapped, O_CLOEXEC), 0);
	child = fork();
	if (!child)
		enter_namespace(inside, ready, mapped);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	if (byte == 'y' && inside->users) {
		write_map(child, "uid_map", inside->users);
		write_map(child, "gid_map", inside->groups);
	}
	ck_assert_int_eq(write(mapped[1], "y", 1), 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void expect_inside(const struct inside *inside, int expected)
{
	int found = judge_inside(inside);

	if (found == NO_NAMESPACE)
		puts("no user namespace can be made here");
	else
		ck_assert_int_eq(found, expected);
}

START_TEST(owner_and_root_are_admin_the_group_reads_others_are_refused)
{
	connect_as(geteuid(), getegid());
	ck_assert_int_eq(judge(geteuid(), 1), HP_ACCESS_ADMIN);
	if (geteuid())
		return;
	ck_assert_int_eq(judge(STRANGER, 1), HP_ACCESS_ADMIN);
	connect_as(STRANGER, MEMBERS);
	ck_assert_int_eq(judge(0, MEMBERS), HP_ACCESS_READ);
	ck_assert_int_eq(judge(0, MEMBERS + 1), HP_ACCESS_NONE);
	ck_assert_int_eq(judge(STRANGER, MEMBERS + 1), HP_ACCESS_ADMIN);
}
END_TEST

START_TEST(nobody_is_recognised_where_everybody_has_a_number)
{
	struct hp_outside users;

	hp_outside_users(&users);
	if (geteuid() || users.any)
		return;
	connect_as(NOBODY, NOBODY);
	ck_assert_int_eq(judge(NOBODY, 1), HP_ACCESS_ADMIN);
	ck_assert_int_eq(judge(0, NOBODY), HP_ACCESS_READ);
}
END_TEST

static int judge_as_owner(void)
{
	return (int)judge(geteuid(), (gid_t)-1);
}

/* The server runs with a number that the kernel made up, as does everybody. */
START_TEST(without_any_number_nobody_is_recognised)
{
	const struct inside inside = {NULL, NULL, judge_as_owner};

	connect_as(geteuid(), getegid());
	expect_inside(&inside, HP_ACCESS_NONE);
}
END_TEST

#define MAPS "0 100000 1\n65534 165534 1\n", "0 100000 1\n65534 165534 1\n"

START_TEST(stranger_is_not_taken_for_the_nobody_who_serves)
{
	const struct inside inside = {MAPS, judge_as_owner};

	if (geteuid())
		return;
	connect_as(STRANGER, MEMBERS);
	expect_inside(&inside, HP_ACCESS_NONE);
}
END_TEST

static int judge_with_group(void)
{
	return (int)judge(geteuid(), 0);
}

START_TEST(stranger_in_the_group_may_look)
{
	const struct inside inside = {MAPS, judge_with_group};

	if (geteuid())
		return;
	connect_as(STRANGER, 100000);
	expect_inside(&inside, HP_ACCESS_READ);
}
END_TEST

START_TEST(namespaces_root_is_admin)
{
	const struct inside inside = {MAPS, judge_as_owner};

	if (geteuid())
		return;
	connect_as(100000, MEMBERS);
	expect_inside(&inside, HP_ACCESS_ADMIN);
}
END_TEST

/* One bit for each fact, and one that is always there. */
static int judge_numbers(void)
{
	struct hp_outside users;
	struct hp_outside groups;

	hp_outside_users(&users);
	hp_outside_groups(&groups);
	if (users.number != NOBODY || groups.number != NOBODY)
		return 0;
	return 16 | users.any | users.shared << 1 | groups.any << 2 |
	       groups.shared << 3;
}

static const struct {
	const char *users;
	const char *groups;
	int found;
} maps[] = {
	{MAPS, 16 | 15},
	{"65534 165534 1\n", "65534 1 1\n", 16 | 15},
	{"65000 165000 1000\n", "65534 165534 2\n0 100000 65534\n", 16 | 15},
	{"0 0 4294967295\n", "0 0 4294967295\n", 16 | 10},
	{"0 0 1000000\n1000000 1000000 4293967295\n", "0 0 4294967295\n",
	 16 | 10},
	{"0 0 4294967294\n", "0 1 4294967294\n", 16 | 15},
};

START_TEST(maps_tell_who_is_outside)
{
	const struct inside inside = {maps[_i].users, maps[_i].groups,
				      judge_numbers};

	if (!geteuid())
		expect_inside(&inside, maps[_i].found);
}
END_TEST

START_TEST(empty_map_has_everybody_outside)
{
	const struct inside inside = {NULL, NULL, judge_numbers};

	expect_inside(&inside, 16 | 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_guard");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(
		all,
		owner_and_root_are_admin_the_group_reads_others_are_refused);
	tcase_add_test(all, nobody_is_recognised_where_everybody_has_a_number);
	tcase_add_test(all, without_any_number_nobody_is_recognised);
	tcase_add_test(all, stranger_is_not_taken_for_the_nobody_who_serves);
	tcase_add_test(all, stranger_in_the_group_may_look);
	tcase_add_test(all, namespaces_root_is_admin);
	tcase_add_loop_test(all, maps_tell_who_is_outside, 0,
			    sizeof(maps) / sizeof(*maps));
	tcase_add_test(all, empty_map_has_everybody_outside);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
