/* SPDX-License-Identifier: MIT */
/*
 * What clients are held to in time: lines that do not end, silence, answers
 * that nobody reads, and how often somebody may come or ask. The clock is this
 * program's, so that nobody waits for ten seconds.
 */
#include "control_client.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#define CLIENTS 32
/* As lib/control/README.md has them. */
#define PATIENCE_MS 10000
#define NEWCOMERS 100
#define REQUESTS 1000
/* How long an answer that must not come is waited for. */
#define ABSENT_MS 50

#define FIX HOTPATCH_TEST_BUNDLES "/fix.so"

HOTPATCH_FUNCTION(int, limits_answer, (void))
{
	return 1;
}

static int64_t skipped_ms;
static int64_t frozen_ns;

static int64_t steady_ns(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000 + now.tv_nsec;
}

/* In the place of the C library's, for the library under test, too. */
int clock_gettime(clockid_t id, struct timespec *time)
{
	int64_t now_ns;

	if (id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, time);
	now_ns = __atomic_load_n(&frozen_ns, __ATOMIC_SEQ_CST);
	if (!now_ns)
		now_ns = steady_ns();
	now_ns += __atomic_load_n(&skipped_ms, __ATOMIC_SEQ_CST) * 1000000;
	time->tv_sec = now_ns / 1000000000;
	time->tv_nsec = now_ns % 1000000000;
	return 0;
}

static void skip(int64_t ms)
{
	__atomic_add_fetch(&skipped_ms, ms, __ATOMIC_SEQ_CST);
}

static void freeze(void)
{
	__atomic_store_n(&frozen_ns, steady_ns(), __ATOMIC_SEQ_CST);
}

static void thaw(void)
{
	__atomic_store_n(&frozen_ns, 0, __ATOMIC_SEQ_CST);
}

/* What the others sent before was read when this returns, and the server
 * looked at everybody since. */
static void let_it_look(void)
{
	expect_alive(&second);
	expect_alive(&second);
}

static bool is_quiet(const struct client *client)
{
	struct pollfd ready = {.fd = client->fd, .events = POLLIN};

	return !client->size && poll(&ready, 1, ABSENT_MS) == 0;
}

static void join_both(void)
{
	join(&first);
	join(&second);
}

START_TEST(line_that_ends_in_time_is_served)
{
	join_both();
	send_text(&first, "{\"id\":1,");
	let_it_look();
	skip(PATIENCE_MS - 1000);
	let_it_look();
	send_text(&first, "\"method\":\"ping\"}\n");
	expect_result(&first, 1);
}
END_TEST

START_TEST(line_that_does_not_end_in_time_ends_the_connection)
{
	join_both();
	send_text(&first, "{\"id\":1,");
	let_it_look();
	skip(PATIENCE_MS + 1);
	let_it_look();
	ck_assert_ptr_null(receive(&first));
}
END_TEST

/* A byte now and then gains no time. */
START_TEST(line_that_trickles_ends_the_connection)
{
	int i;

	join_both();
	for (i = 0; i < 4; i++) {
		ck_assert(is_quiet(&first));
		send_text(&first, "{");
		let_it_look();
		skip(PATIENCE_MS / 4);
	}
	skip(1);
	let_it_look();
	ck_assert_ptr_null(receive(&first));
}
END_TEST

static struct client clients[CLIENTS];

static void fill_places(void)
{
	int i;

	for (i = 0; i < CLIENTS; i++)
		join(&clients[i]);
}

static void expect_turned_away(void)
{
	second.size = 0;
	second.fd = try_connect();
	expect_error(&second, "E_LIMIT");
	ck_assert_ptr_null(receive(&second));
	close(second.fd);
}

START_TEST(silent_client_makes_room_when_all_places_are_taken)
{
	int i;

	fill_places();
	skip(PATIENCE_MS - 1000);
	expect_turned_away();
	for (i = 0; i < CLIENTS; i++)
		if (i != 7)
			expect_alive(&clients[i]);
	skip(1001);
	join(&second);
	ck_assert_ptr_null(receive(&clients[7]));
	close(clients[7].fd);
	second = clients[0];
	expect_turned_away();
}
END_TEST

START_TEST(who_waits_for_events_is_not_silent)
{
	int i;

	fill_places();
	for (i = 0; i < CLIENTS - 1; i++) {
		send_text(&clients[i], "{\"id\":1,\"method\":\"subscribe\"}\n");
		expect_result(&clients[i], 1);
	}
	skip(PATIENCE_MS + 1);
	join(&second);
	ck_assert_ptr_null(receive(&clients[CLIENTS - 1]));
	close(clients[CLIENTS - 1].fd);
	expect_alive(&clients[0]);
	second.size = 0;
	expect_turned_away();
}
END_TEST

static void make_events(void)
{
	int fd = open(FIX, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	send_with_descriptors(&second, "{\"id\":1,\"method\":\"apply\"}\n", fd,
			      1);
	close(fd);
	expect_result(&second, 1);
	send_text(&second, "{\"id\":2,\"method\":\"wait\",\"params\":"
			   "{\"name\":\"limits-fix\"}}\n");
	expect_result(&second, 2);
	ck_assert_int_eq(limits_answer(), 2);
}

/* Has it owe more than the socket takes, in events that came before. */
static void drown_in_events(struct client *client)
{
	static const char request[] =
		"{\"id\":1,\"method\":\"subscribe\",\"params\":{\"after\":0}}"
		"\n";
	int refused = 0;
	int i;

	ck_assert_int_eq(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
	for (i = 0; i < 100000 && refused < 64; i++) {
		skip(2); /* or it would be asked too often */
		refused++;
		if (send(client->fd, request, sizeof(request) - 1,
			 MSG_NOSIGNAL) > 0)
			refused = 0;
		else
			let_it_look();
	}
	if (refused)
		return;
	ck_abort_msg("the server takes everything");
}

START_TEST(subscriber_that_reads_nothing_delays_nobody_and_is_dropped)
{
	size_t sockets;

	join_both();
	make_events();
	drown_in_events(&first);
	let_it_look();
	sockets = count_descriptors("socket:");
	skip(PATIENCE_MS / 2);
	let_it_look();
	ck_assert_uint_eq(count_descriptors("socket:"), sockets);
	skip(PATIENCE_MS / 2 + 1);
	let_it_look();
	ck_assert_uint_eq(count_descriptors("socket:"), sockets - 1);
}
END_TEST

START_TEST(newcomers_beyond_the_rate_wait_and_others_are_served)
{
	int count;

	join(&second);
	freeze();
	for (count = 0; count < 2 * NEWCOMERS; count++) {
		first.size = 0;
		first.fd = try_connect();
		ck_assert_int_ge(first.fd, 0);
		if (is_quiet(&first))
			break;
		ck_assert_ptr_nonnull(receive(&first));
		close(first.fd);
	}
	ck_assert_int_ge(count, NEWCOMERS - 1);
	ck_assert_int_le(count, NEWCOMERS + 1);
	expect_alive(&second);
	ck_assert(is_quiet(&first));
	thaw();
	skip(10); /* the frozen time lies behind */
	ck_assert_ptr_nonnull(receive(&first));
	expect_alive(&first);
}
END_TEST

START_TEST(requests_beyond_the_rate_wait_and_others_are_served)
{
	int count;

	join_both();
	freeze();
	for (count = 0; count < REQUESTS; count++)
		expect_alive(&first);
	send_text(&first, "{\"id\":1,\"method\":\"ping\"}\n");
	ck_assert(is_quiet(&first));
	expect_alive(&second);
	ck_assert(is_quiet(&first));
	thaw();
	expect_result(&first, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_limits");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, start_server, stop_server);
	tcase_add_test(all, line_that_ends_in_time_is_served);
	tcase_add_test(all, line_that_does_not_end_in_time_ends_the_connection);
	tcase_add_test(all, line_that_trickles_ends_the_connection);
	tcase_add_test(all, silent_client_makes_room_when_all_places_are_taken);
	tcase_add_test(all, who_waits_for_events_is_not_silent);
	tcase_add_test(
		all,
		subscriber_that_reads_nothing_delays_nobody_and_is_dropped);
	tcase_add_test(all,
		       newcomers_beyond_the_rate_wait_and_others_are_served);
	tcase_add_test(all,
		       requests_beyond_the_rate_wait_and_others_are_served);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
