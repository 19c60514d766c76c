/* SPDX-License-Identifier: MIT */
/*
 * The control socket, with every call that the server makes failing in turn:
 * the server survives, its client gets an answer that is true or a closed
 * connection, and what it asks for then works.
 */
#include "runner.h"

#include "../integration/versions.h"

#include <fcntl.h>
#include <hotpatch/control.h>
#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CLIENT_MS 5000

static char socket_path[100];
static struct hotpatch_control *control;

static bool json_failed;

/* A copy stays mapped, as the answer said. */
static bool kept;

/* A client: its descriptor, and what it got and did not use yet. */
static int client = -1;
static char line[1 << 17];
static size_t line_size;

/* ---- The server ---- */

static struct hotpatch_control_options make_options(int threadless)
{
	snprintf(socket_path, sizeof(socket_path), "%s/run/socket",
		 private_directory);
	return (struct hotpatch_control_options){
		.size = sizeof(struct hotpatch_control_options),
		.path = socket_path,
		.group = getegid(),
		.threadless = threadless,
	};
}

/* Of the files, the socket's folder stays. */
static void checked_start(int threadless)
{
	struct hotpatch_control_options options = make_options(threadless);
	struct facts before = facts_now(0);
	enum hotpatch_status status;
	struct facts after;

	if (armed_step(STEP_START, status,
		       hotpatch_control_start(&options, &control, &err)) &&
	    status != OK) {
		demand(!control, "a server of nothing");
		demand(access(socket_path, F_OK) != 0, "the socket is there");
		after = facts_now(0);
		after.files = before.files;
		demand_same(&before, &after, 0);
		status = hotpatch_control_start(&options, &control, NULL);
	}
	demand(status == OK, "starting is %s", hotpatch_status_name(status));
}

static void checked_stop(void)
{
	struct hotpatch_error none = {OK, 0, "", ""};

	faults_arm(STEP_STOP);
	hotpatch_control_stop(control);
	end_step(OK, &none);
	control = NULL;
}

static void begin_run(void)
{
	json_set_alloc_funcs(faults_json_malloc, faults_json_free);
	use_private_directory();
}

/* Of the socket and its folder, and of the thread's first and last looks. */
#define START_ROWS                                                                   \
	REFUSED(calloc, NULL, STEP_START, HOTPATCH_E_NO_MEMORY),                     \
		REFUSED(mkdir, NULL, STEP_START, HOTPATCH_E_IO),                     \
		REFUSED(chmod, NULL, STEP_START, HOTPATCH_E_PERMISSION),             \
		REFUSED(lchown, NULL, STEP_START, HOTPATCH_E_PERMISSION),            \
		REFUSED(fchmod, NULL, STEP_START, HOTPATCH_E_PERMISSION),            \
		TOLERATED(                                                           \
			open, "/run", STEP_START,                                    \
			"the lock only keeps two starts from one stale socket"),     \
		TOLERATED(flock, NULL, STEP_START, "likewise"),                      \
		TOLERATED(                                                           \
			open, NULL, STEP_START,                                      \
			"whether /proc can be read is asked again when it matters"), \
		TOLERATED(read, NULL, STEP_START, "likewise"),                       \
		TOLERATED(fopen, "_map", STEP_START,                                 \
			  "somebody may then have no number here"),                  \
		TOLERATED(fgets, NULL, STEP_START, "likewise"),                      \
		REFUSED(socket, "#1", STEP_START, HOTPATCH_E_LIMIT),                 \
		REFUSED(socket, NULL, STEP_START, HOTPATCH_E_ALREADY),               \
		REFUSED(connect, NULL, STEP_START, HOTPATCH_E_ALREADY),              \
		REFUSED(unlink, NULL, STEP_START, HOTPATCH_E_IO),                    \
		REFUSED(bind, NULL, STEP_START, HOTPATCH_E_PERMISSION),              \
		REFUSED(listen, NULL, STEP_START, HOTPATCH_E_NO_MEMORY),             \
		REFUSED(lstat, NULL, STEP_START, HOTPATCH_E_IO),                     \
		REFUSED(epoll_create1, NULL, STEP_START, HOTPATCH_E_LIMIT),          \
		REFUSED(eventfd, NULL, STEP_START, HOTPATCH_E_LIMIT),                \
		REFUSED(epoll_ctl, NULL, STEP_START, HOTPATCH_E_LIMIT),              \
		TOLERATED(pthread_atfork, NULL, STEP_START,                          \
			  "only a child of a fork could miss it"),                   \
		REFUSED(pthread_create, NULL, STEP_START, HOTPATCH_E_LIMIT),         \
		TOLERATED(pthread_setname_np, NULL, STEP_START,                      \
			  "the thread has the program's name then"),                 \
		TOLERATED(epoll_wait, NULL, STEP_START,                              \
			  "the thread looks again"),                                 \
		TOLERATED(pthread_setname_np, NULL, STEP_STOP,                       \
			  "the thread has the program's name then"),                 \
		TOLERATED(epoll_wait, NULL, STEP_STOP,                               \
			  "the thread looks again"),                                 \
		TOLERATED(read, NULL, STEP_STOP, "the thread looks again"),          \
		TOLERATED(lstat, NULL, STEP_STOP,                                    \
			  "a socket that nobody listens on is replaced"),            \
		TOLERATED(unlink, NULL, STEP_STOP, "likewise")

static const struct expectation start_table[] = {
	START_ROWS,
	TABLE_END,
};

static const struct expectation stale_table[] = {
	{FAULT_lstat, "#1", STEP_START, HOTPATCH_E_ALREADY, HOTPATCH_E_ALREADY,
	 NULL},
	{FAULT_bind, "#1", STEP_START, HOTPATCH_E_PERMISSION,
	 HOTPATCH_E_PERMISSION, NULL},
	START_ROWS,
	TABLE_END,
};

static void run_start(void)
{
	struct facts before;
	struct facts after;

	begin_run();
	before = facts_now(0);
	checked_start(0);
	checked_stop();
	after = facts_now(0);
	after.files = before.files;
	demand_same(&before, &after, 0);
	report_blocks();
}

START_TEST(every_fault_of_a_start_leaves_no_server)
{
	static const enum fault required[] = {
		FAULT_calloc,	      FAULT_mkdir,
		FAULT_chmod,	      FAULT_lchown,
		FAULT_fchmod,	      FAULT_flock,
		FAULT_socket,	      FAULT_bind,
		FAULT_listen,	      FAULT_epoll_ctl,
		FAULT_epoll_create1,  FAULT_eventfd,
		FAULT_lstat,	      FAULT_unlink,
		FAULT_pthread_create, FAULT_pthread_setname_np,
		FAULT_NONE,
	};
	static const struct scenario scenario = {"control start", run_start,
						 start_table, required, false};

	exhaust(&scenario);
}
END_TEST

/* A socket that nobody listens on is in the way. */
static void leave_stale_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct hotpatch_control_options options = make_options(1);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, options.path);
	demand(!bind(fd, (struct sockaddr *)&address, sizeof(address)), "%m");
	close(fd);
}

/* Whatever fails, the stale socket goes or stays; nothing else comes. */
static void run_stale_start(void)
{
	struct hotpatch_control_options options = make_options(1);
	enum hotpatch_status status;

	begin_run();
	demand(!hotpatch_control_start(&options, &control, NULL), "first");
	hotpatch_control_stop(control);
	leave_stale_socket();
	armed_step(STEP_START, status,
		   hotpatch_control_start(&options, &control, &err));
	if (status != OK)
		status = hotpatch_control_start(&options, &control, NULL);
	demand(status == OK, "starting is %s", hotpatch_status_name(status));
	checked_stop();
	report_blocks();
}

START_TEST(every_fault_beside_a_stale_socket_leaves_no_server)
{
	static const enum fault required[] = {FAULT_connect, FAULT_unlink,
					      FAULT_lstat, FAULT_NONE};
	static const struct scenario scenario = {
		"stale socket", run_stale_start, stale_table, required, false};

	exhaust(&scenario);
}
END_TEST

/* ---- A client ---- */

static void hang_up(void)
{
	close(client);
	client = -1;
	line_size = 0;
}

static void connect_client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, socket_path);
	demand(!connect(client, (struct sockaddr *)&address, sizeof(address)),
	       "%m");
}

/* Sends the request, with a descriptor if @fd is one; the connection may have
 * been closed meanwhile. */
static void send_request(const char *text, int fd)
{
	struct iovec vector = {(char *)text, strlen(text)};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} space = {0};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = &space;
		message.msg_controllen = sizeof(space);
		space.head.cmsg_level = SOL_SOCKET;
		space.head.cmsg_type = SCM_RIGHTS;
		space.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&space.head), &fd, sizeof(fd));
	}
	if (sendmsg(client, &message, MSG_NOSIGNAL) < 0)
		line_size = 0;
}

/* What is there for the client to read: 1 for a line, 0 for nothing yet, -1
 * if the server has hung up. */
static int look_for_line(void)
{
	ssize_t size;

	if (memchr(line, '\n', line_size))
		return 1;
	size = recv(client, line + line_size, sizeof(line) - line_size,
		    MSG_DONTWAIT);
	if (size == 0 || (size < 0 && errno != EAGAIN))
		return -1;
	line_size += size > 0 ? (size_t)size : 0;
	return memchr(line, '\n', line_size) != NULL;
}

static void drop_line(void)
{
	char *end = memchr(line, '\n', line_size);
	size_t used = (size_t)(end - line) + 1;

	memmove(line, end + 1, line_size - used);
	line_size -= used;
}

/* Lets the server work until there is a line or the connection has ended. */
static bool await_line(enum step step)
{
	struct hotpatch_error none = {OK, 0, "", ""};
	uint64_t until = now_ms() + CLIENT_MS;
	struct pollfd ready = {.events = POLLIN};
	int timeout_ms;
	int found;

	while (!(found = look_for_line())) {
		demand(now_ms() < until, "the client waits in vain");
		faults_arm(step);
		timeout_ms = hotpatch_control_dispatch(control);
		end_step(OK, &none);
		ready.fd = hotpatch_control_fd(control);
		if (timeout_ms)
			poll(&ready, 1, timeout_ms > 0 ? timeout_ms : 1);
	}
	return found > 0;
}

/* Connects until the server greets; a fault may cost one attempt or more. */
static void join_server(void)
{
	int attempt;

	for (attempt = 0; attempt < 3; attempt++) {
		connect_client();
		if (await_line(STEP_CONNECT) &&
		    strncmp(line, "{\"hotpatch\":1", 13) == 0) {
			drop_line();
			return;
		}
		hang_up();
	}
	give_up("not once greeted");
}

/*
 * Asks, and asks again if the answer was an error or none at all; the result
 * that comes in the end is left in @line, and true. @fd is of a bundle, or -1.
 */
static void ask(const char *request, int fd, char *result, size_t size)
{
	int attempt;

	for (attempt = 0; attempt < 3; attempt++) {
		if (client < 0)
			join_server();
		send_request(request, fd);
		if (!await_line(STEP_SERVE)) {
			hang_up();
			continue;
		}
		snprintf(result, size, "%.*s",
			 (int)((char *)memchr(line, '\n', line_size) - line),
			 line);
		drop_line();
		if (strstr(result, "\"result\":"))
			return;
		demand(strstr(result, "\"error\":"), "it says %.200s", result);
		/* jansson takes its own want of memory for a bad text. */
		demand(!strstr(result, "E_PROTOCOL") || json_failed,
		       "it says %.200s", result);
		if (strstr(result, "E_RETAINED")) {
			kept = true;
			report_retained();
			return;
		}
		demand(injection.hit, "without a fault it says %.200s", result);
	}
	give_up("not once answered: %.100s", request);
}

static char answer[1 << 17];

static void ask_text(const char *request)
{
	ask(request, -1, answer, sizeof(answer));
}

static void demand_word(const char *word)
{
	demand(strstr(answer, word), "no %s in %.300s", word, answer);
}

static void ask_apply(const char *bundle)
{
	int fd = open(bundle_path(bundle), O_RDONLY | O_CLOEXEC);

	ask("{\"id\":1,\"method\":\"apply\"}\n", fd, answer, sizeof(answer));
	close(fd);
}

/* A list is whole, or it is none. */
static void ask_about(const char *patch, int expected)
{
	demand(version() == expected, "version %d", version());
	ask_text("{\"id\":3,\"method\":\"list\"}\n");
	demand_word("\"first_version\"");
	demand_word("\"second_version\"");
	demand_word("\"slot_count\":2");
	ask_text("{\"id\":4,\"method\":\"status\"}\n");
	demand_word("\"patch_count\":1");
	demand_word(patch);
	demand_word("\"process\":{");
	demand_word("\"blockers\":[]");
	demand_word("\"retained\":[]");
	ask_text("{\"id\":5,\"method\":\"events\"}\n");
	demand_word("\"opened\"");
	demand_word("\"detoured\"");
	demand_word("\"settled\"");
	demand_word("\"active\"");
}

static void ask_away(const char *wait)
{
	ask_text(
		"{\"id\":6,\"method\":\"revert\",\"params\":{\"all\":true}}\n");
	demand(version() == 0, "it said so, but version() is %d", version());
	ask_text(wait);
}

static void run_serve(void)
{
	struct facts before;
	struct facts after;

	begin_run();
	json_failed = injection.fault == FAULT_json;
	checked_start(1);
	before = facts_now(version());
	ask_apply("one");
	ask_text(
		"{\"id\":2,\"method\":\"wait\",\"params\":{\"name\":\"one\"}}\n");
	ask_about("\"name\":\"one\"", 1);
	ask_away("{\"id\":7,\"method\":\"wait\",\"params\":"
		 "{\"name\":\"one\",\"goal\":\"unmapped\"}}\n");
	hang_up();
	while (hotpatch_control_dispatch(control) >= 0)
		;
	after = facts_now(version());
	/* The list of changed slots, and view records. */
	if (!kept)
		demand_same(&before, &after, 4);
	ask_apply("two");
	ask_text(
		"{\"id\":8,\"method\":\"wait\",\"params\":{\"name\":\"two\"}}\n");
	demand(version() == 2, "version %d", version());
	ask_away("{\"id\":9,\"method\":\"wait\",\"params\":"
		 "{\"name\":\"two\",\"goal\":\"unmapped\"}}\n");
	hang_up();
	while (hotpatch_control_dispatch(control) >= 0)
		;
	checked_stop();
	report_blocks();
}

START_TEST(every_fault_of_the_server_leaves_its_clients_an_answer_or_an_end)
{
	static const enum fault required[] = {
		FAULT_json,    FAULT_realloc, FAULT_calloc,   FAULT_epoll_wait,
		FAULT_accept4, FAULT_recvmsg, FAULT_send,     FAULT_getsockopt,
		FAULT_dlopen,  FAULT_pread,   FAULT_readlink, FAULT_NONE,
	};
	static const struct scenario scenario = {"control", run_serve, NULL,
						 required, true};

	exhaust(&scenario);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_fault_of_a_start_leaves_no_server,
		every_fault_beside_a_stale_socket_leaves_no_server,
		every_fault_of_the_server_leaves_its_clients_an_answer_or_an_end,
	};

	return run_tests("control_faults", tests,
			 sizeof(tests) / sizeof(tests[0]));
}
