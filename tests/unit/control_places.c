/* SPDX-License-Identifier: MIT */
/*
 * Who gets a place at the control server, and whose it was.
 */
#include "../../lib/control/connection.h"

#include <check.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PLACES 8
#define READERS 6 /* three of four */

static struct hp_connection places[PLACES];
static struct hp_worker *worker;
static int epoll_fd;
static int wake_fd;

static void set_up(void)
{
	int i;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	worker = hp_worker_create(wake_fd);
	ck_assert_ptr_nonnull(worker);
	for (i = 0; i < PLACES; i++)
		places[i] =
			(struct hp_connection){.fd = -1, .passed = {-1, -1}};
}

static void tear_down(void)
{
	int i;

	for (i = 0; i < PLACES; i++)
		if (places[i].fd >= 0)
			hp_connection_close(&places[i]);
	hp_worker_free(worker);
	close(wake_fd);
	close(epoll_fd);
}

static void take(int place, enum hp_access access, uint64_t silent_ms)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	close(ends[1]);
	hp_connection_open(&places[place], worker, epoll_fd, ends[0], access);
	/* The greeting was read. */
	hp_buffer_release(&places[place].output);
	places[place].heard_ms -= silent_ms;
}

static void take_all(int count, enum hp_access access, uint64_t silent_ms)
{
	int i;

	for (i = 0; i < count; i++)
		take(i, access, silent_ms);
}

static struct hp_connection *find(enum hp_access access)
{
	return hp_places_find(places, PLACES, access);
}

START_TEST(readers_leave_a_quarter_to_those_who_may_change)
{
	take_all(READERS - 1, HP_ACCESS_READ, 0);
	ck_assert_ptr_eq(find(HP_ACCESS_READ), &places[READERS - 1]);
	take(READERS - 1, HP_ACCESS_READ, 0);
	ck_assert_ptr_null(find(HP_ACCESS_READ));
	ck_assert_ptr_eq(find(HP_ACCESS_ADMIN), &places[READERS]);
}
END_TEST

START_TEST(full_house_turns_newcomers_away)
{
	take_all(PLACES, HP_ACCESS_ADMIN, HP_IDLE_MS / 2);
	ck_assert_ptr_null(find(HP_ACCESS_ADMIN));
	ck_assert_ptr_null(find(HP_ACCESS_READ));
}
END_TEST

START_TEST(longest_silence_makes_room)
{
	take_all(PLACES, HP_ACCESS_ADMIN, HP_IDLE_MS + 1000);
	take(3, HP_ACCESS_ADMIN, HP_IDLE_MS + 2000);
	ck_assert_ptr_eq(find(HP_ACCESS_ADMIN), &places[3]);
	ck_assert_int_lt(places[3].fd, 0);
}
END_TEST

START_TEST(reader_takes_nothing_from_those_who_may_change)
{
	take_all(PLACES, HP_ACCESS_ADMIN, HP_IDLE_MS + 1000);
	ck_assert_ptr_null(find(HP_ACCESS_READ));
	take(5, HP_ACCESS_READ, HP_IDLE_MS + 500);
	ck_assert_ptr_eq(find(HP_ACCESS_READ), &places[5]);
}
END_TEST

START_TEST(silent_reader_makes_room_for_who_may_change)
{
	take_all(PLACES, HP_ACCESS_ADMIN, 0);
	take(2, HP_ACCESS_READ, HP_IDLE_MS + 500);
	ck_assert_ptr_eq(find(HP_ACCESS_ADMIN), &places[2]);
}
END_TEST

START_TEST(who_wants_something_is_not_silent)
{
	take_all(PLACES, HP_ACCESS_ADMIN, HP_IDLE_MS + 1000);
	places[0].waiting = true;
	places[1].subscribed = true;
	places[2].hurried = true;
	places[3].heard_ms -= 1000;
	ck_assert_ptr_eq(find(HP_ACCESS_ADMIN), &places[3]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_places");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_add_test(all, readers_leave_a_quarter_to_those_who_may_change);
	tcase_add_test(all, full_house_turns_newcomers_away);
	tcase_add_test(all, longest_silence_makes_room);
	tcase_add_test(all, reader_takes_nothing_from_those_who_may_change);
	tcase_add_test(all, silent_reader_makes_room_for_who_may_change);
	tcase_add_test(all, who_wants_something_is_not_silent);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
