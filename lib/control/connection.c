/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing and ending one client's connection.
 */
#include "connection.h"

#include "../atomic.h"
#include "../event.h"
#include "../patch.h"
#include "../status.h"
#include "report.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 16384

/* What a client may have served in a turn, before the others have theirs. */
#define TURN_LINES 16
#define TURN_NS 1000000

/* Who may only look has to leave the time for those who may act. */
static const struct hp_rate rates[] = {
	[HP_ACCESS_NONE] = {1000000000, 1},
	[HP_ACCESS_READ] = {20000000, 100},
	[HP_ACCESS_ADMIN] = {2000000, 1000},
};

/*
 * A descriptor's place is emptied before the descriptor is closed: a child
 * that forks in between then leaves one open, but never closes one that got
 * the number anew. Relaxed, because only the fork orders the two.
 */
static int take(int *place)
{
	int fd = hp_load_relaxed(place);

	hp_store_relaxed(place, -1);
	return fd;
}

static void close_at(int *place)
{
	int fd = take(place);

	if (fd >= 0)
		close(fd);
}

static void close_passed(struct hp_connection *connection)
{
	close_at(&connection->passed[0]);
	close_at(&connection->passed[1]);
}

/* The oldest makes room. */
static void keep_passed(struct hp_connection *connection, int fd)
{
	int *passed = connection->passed;

	/* Relaxed: see above. */
	if (hp_load_relaxed(&passed[0]) >= 0 &&
	    hp_load_relaxed(&passed[1]) >= 0) {
		close_at(&passed[0]);
		hp_store_relaxed(&passed[0], take(&passed[1])); /* likewise */
	}
	hp_store_relaxed(&passed[hp_load_relaxed(&passed[0]) >= 0], fd);
}

void hp_connection_take(struct hp_connection *connection, bool with_signature,
			int fds[HP_PASSED_LIMIT])
{
	fds[0] = take(&connection->passed[0]);
	fds[1] = take(&connection->passed[1]);
	if (with_signature || fds[1] < 0)
		return;
	if (fds[0] >= 0)
		close(fds[0]);
	fds[0] = fds[1];
	fds[1] = -1;
}

void hp_connection_forget(struct hp_connection *connection)
{
	int fd = hp_load_relaxed(&connection->fd);

	hp_store_relaxed(&connection->fd, -1);
	if (fd >= 0)
		close(fd);
	close_passed(connection);
}

void hp_connection_close(struct hp_connection *connection)
{
	hp_pending_cancel(connection);
	hp_patch_release(connection->recent);
	connection->recent = NULL;
	hp_worker_kick(connection->worker);
	hp_buffer_release(&connection->input);
	hp_buffer_release(&connection->output);
	/* A process that was forked meanwhile may still hold the socket open;
	 * epoll would then go on reporting it. */
	epoll_ctl(connection->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
	hp_connection_forget(connection);
}

void hp_connection_open(struct hp_connection *connection,
			struct hp_worker *worker, int epoll_fd, int fd,
			enum hp_access access)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

	*connection = (struct hp_connection){
		.fd = fd,
		.passed = {-1, -1},
		.epoll_fd = epoll_fd,
		.worker = worker,
		.access = access,
		.events = EPOLLIN,
		.heard_ms = hp_now_ms(),
		.moved_ms = hp_now_ms(),
	};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ||
	    !hp_wire_write(&connection->output, hp_report_greeting(access)))
		connection->broken = true;
}

static void answered(struct hp_connection *connection, bool written)
{
	if (!written || connection->output.size > HP_OUTPUT_LIMIT)
		connection->broken = true;
}

void hp_connection_refuse(struct hp_connection *connection, json_t *id,
			  const struct hotpatch_error *err)
{
	answered(connection, hp_wire_write_error(&connection->output, id, err));
}

void hp_connection_answer(struct hp_connection *connection, json_t *id,
			  json_t *result)
{
	struct hotpatch_error err;

	if (result && hp_wire_write_result(&connection->output, id, result)) {
		answered(connection, true);
		return;
	}
	hp_error(&err, HOTPATCH_E_NO_MEMORY, 0, "",
		 "There is no memory for the answer.");
	hp_connection_refuse(connection, id, &err);
}

/* Of the descriptors that came along, the last two are kept. */
static void take_descriptors(struct hp_connection *connection,
			     struct msghdr *message)
{
	struct cmsghdr *part;
	size_t count;
	size_t i;
	int fd;

	for (part = CMSG_FIRSTHDR(message); part;
	     part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != SOL_SOCKET ||
		    part->cmsg_type != SCM_RIGHTS)
			continue;
		count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(part) + i * sizeof(int),
			       sizeof(int));
			keep_passed(connection, fd);
		}
	}
	if (connection->access != HP_ACCESS_ADMIN)
		close_passed(connection);
}

/* False when there is nothing more to read for now. */
static bool receive(struct hp_connection *connection)
{
	char bytes[READ_SIZE];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(HP_PASSED_LIMIT * sizeof(int))];
	} control;
	size_t space = HP_WIRE_LINE_LIMIT - connection->input.size;
	struct iovec vector = {bytes, space < READ_SIZE ? space : READ_SIZE};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t size;

	if (!space)
		return false;
	size = recvmsg(connection->fd, &message,
		       MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (size < 0) {
		if (errno != EAGAIN && errno != EINTR)
			connection->broken = true;
		return false;
	}
	take_descriptors(connection, &message);
	if (!connection->input.size)
		connection->heard_ms = hp_now_ms();
	connection->at_end = size == 0;
	if (!hp_buffer_append(&connection->input, bytes, (size_t)size))
		connection->broken = true;
	return size > 0 && !connection->broken;
}

static void transmit(struct hp_connection *connection)
{
	struct hp_buffer *output = &connection->output;
	ssize_t size;

	while (output->size) {
		size = send(connection->fd, hp_buffer_bytes(output),
			    output->size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (size < 0) {
			if (errno != EAGAIN && errno != EINTR)
				connection->broken = true;
			break;
		}
		hp_buffer_consume(output, (size_t)size);
		connection->moved_ms = hp_now_ms();
	}
	if (!output->size)
		connection->moved_ms = hp_now_ms();
}

static void refuse_long_line(struct hp_connection *connection)
{
	struct hotpatch_error err;

	hp_error(&err, HOTPATCH_E_PROTOCOL, 0, "",
		 "The request is longer than %zu bytes.", HP_WIRE_LINE_LIMIT);
	hp_connection_refuse(connection, NULL, &err);
	connection->closing = true;
}

static bool may_read(const struct hp_connection *connection)
{
	return !connection->closing && !connection->broken &&
	       connection->output.size < HP_OUTPUT_HIGH;
}

static bool has_line(const struct hp_connection *connection)
{
	size_t size;

	return hp_buffer_line(&connection->input, &size) != NULL;
}

/* Serves what comes in a turn; or, with @all, everything. */
static void serve_lines(struct hp_connection *connection, bool all)
{
	uint64_t now_ns = hp_now_ns();
	uint64_t end_ns = now_ns + TURN_NS;
	unsigned int left = TURN_LINES;
	const char *line;
	size_t size;

	while (may_read(connection) && (all || (left-- && now_ns < end_ns))) {
		line = hp_buffer_line(&connection->input, &size);
		if (!line ||
		    (!all && !hp_pace_take(&connection->pace,
					   &rates[connection->access], now_ns)))
			break;
		hp_method_call(connection, line, size);
		hp_buffer_consume(&connection->input, size);
		connection->heard_ms = hp_now_ms();
		now_ns = hp_now_ns();
	}
	connection->hurried = may_read(connection) && has_line(connection);
	/* What came with the bytes that are served now was not wanted. */
	if (!connection->input.size)
		close_passed(connection);
	if (may_read(connection) && !connection->hurried &&
	    connection->input.size >= HP_WIRE_LINE_LIMIT)
		refuse_long_line(connection);
}

static void watch(struct hp_connection *connection)
{
	struct epoll_event event = {.data.ptr = connection};

	if (may_read(connection) && !connection->at_end && !connection->hurried)
		event.events |= EPOLLIN;
	if (connection->output.size)
		event.events |= EPOLLOUT;
	if (event.events == connection->events)
		return;
	if (epoll_ctl(connection->epoll_fd, EPOLL_CTL_MOD, connection->fd,
		      &event))
		connection->broken = true;
	connection->events = event.events;
}

/* Changes that were asked for before the client went away are still begun;
 * answers go nowhere. */
static void serve_rest(struct hp_connection *connection)
{
	bool more = connection->access == HP_ACCESS_ADMIN;

	while (more && !connection->closing) {
		more = receive(connection);
		serve_lines(connection, true);
		connection->output.size = 0;
	}
	connection->broken = true;
}

void hp_connection_event(struct hp_connection *connection, uint32_t events)
{
	if (connection->fd < 0)
		return;
	if (events & (EPOLLHUP | EPOLLERR))
		serve_rest(connection);
	else if (events & EPOLLIN)
		receive(connection);
}

/* A line that was begun long ago. */
static bool is_stuck(const struct hp_connection *connection)
{
	return connection->input.size && may_read(connection) &&
	       !connection->hurried &&
	       hp_now_ms() - connection->heard_ms > HP_LINE_STUCK_MS;
}

static bool is_over(const struct hp_connection *connection)
{
	if (connection->broken || is_stuck(connection))
		return true;
	if (connection->output.size)
		return hp_now_ms() - connection->moved_ms > HP_OUTPUT_STUCK_MS;
	return connection->closing ||
	       (connection->at_end && !connection->waiting &&
		!connection->hurried);
}

bool hp_connection_advance(struct hp_connection *connection)
{
	if (connection->fd < 0)
		return false;
	serve_lines(connection, false);
	connection->waiting = hp_pending_advance(connection);
	hp_feed_advance(connection);
	transmit(connection);
	/* Lines wait in the input while the output is full. */
	connection->hurried = may_read(connection) && has_line(connection);
	watch(connection);
	if (is_over(connection)) {
		hp_connection_close(connection);
		return false;
	}
	return connection->waiting || connection->hurried;
}

uint64_t hp_connection_idle_ms(const struct hp_connection *connection)
{
	if (connection->waiting || connection->subscribed ||
	    connection->hurried || connection->output.size)
		return 0;
	return hp_now_ms() - connection->heard_ms;
}

bool hp_connection_is_owing(const struct hp_connection *connection)
{
	return connection->fd >= 0 &&
	       (connection->output.size || connection->input.size);
}
