/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP server on libmicrohttpd that can be patched while it serves.
 * Each worker thread drives a daemon of its own, all on one port; it is at
 * rest while it waits for the network, in a section while it serves, and at a
 * safe point between two requests. Patches come through the control socket.
 *
 *	GET /item/N	the item; with "Range: bytes=FIRST-LAST" a part of it
 *	GET /stats	how many items were handed out since the start
 *	GET /session/new	a session; then /session/N and /session/N/close
 *	GET /sessions	how many are open, and how much is attached to them
 *
 * "?delay_us=N" makes a request slow between the two functions that fix-two
 * replaces, as a disk would.
 */
#include "server.h"
#include "session.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WORKER_LIMIT 64
#define DELAY_LIMIT_US 100000

struct options {
	unsigned int port;
	unsigned int threads;
	const char *socket;
	const char *patches;
};

struct worker {
	pthread_t thread;
	struct MHD_Daemon *daemon;
	int stop_fd;
};

static atomic_ulong answered;

static enum MHD_Result reply(struct MHD_Connection *connection,
			     unsigned int status, const struct body *body,
			     unsigned int parser)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	char versions[32];

	response = MHD_create_response_from_buffer(
		body->size, (void *)body->text, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	snprintf(versions, sizeof(versions), "%u %u", parser, body->version);
	if (parser != 0)
		MHD_add_response_header(response, "X-Versions", versions);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result reply_text(struct MHD_Connection *connection,
				  unsigned int status, const char *text)
{
	struct body body = {.size = strlen(text)};

	memcpy(body.text, text, body.size);
	return reply(connection, status, &body, 0);
}

static void delay(struct MHD_Connection *connection)
{
	struct timespec pause = {0};
	const char *text;
	long delay_us;

	text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND,
					   "delay_us");
	delay_us = text ? strtol(text, NULL, 10) : 0;
	if (delay_us <= 0 || delay_us > DELAY_LIMIT_US)
		return;
	pause.tv_nsec = delay_us * 1000;
	nanosleep(&pause, NULL);
}

static enum MHD_Result serve_item(struct MHD_Connection *connection,
				  const struct item *item)
{
	unsigned int status = MHD_HTTP_PARTIAL_CONTENT;
	const char *range;
	struct span span;
	struct body body;
	char whole[64];

	range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					    MHD_HTTP_HEADER_RANGE);
	if (!range) {
		snprintf(whole, sizeof(whole), "bytes=0-%zu", item->size - 1);
		range = whole;
		status = MHD_HTTP_OK;
	}
	if (!span_parse(range, item, &span))
		return reply_text(connection, MHD_HTTP_RANGE_NOT_SATISFIABLE,
				  "no such range\n");
	delay(connection);
	span_copy(&span, item, &body);
	/* Relaxed: a counter that orders nothing. */
	atomic_fetch_add_explicit(&answered, 1, memory_order_relaxed);
	return reply(connection, status, &body, span.version);
}

static enum MHD_Result serve_stats(struct MHD_Connection *connection)
{
	char text[64];

	snprintf(text, sizeof(text), "answered %lu\n",
		 atomic_load_explicit(&answered, memory_order_relaxed));
	return reply_text(connection, MHD_HTTP_OK, text);
}

static enum MHD_Result serve_sessions(struct MHD_Connection *connection)
{
	char text[64];

	snprintf(text, sizeof(text), "%u sessions, %zu shadows\n",
		 session_count(), hotpatch_shadow_count(NULL));
	return reply_text(connection, MHD_HTTP_OK, text);
}

static enum MHD_Result serve_session(struct MHD_Connection *connection,
				     const char *url)
{
	struct body body;
	unsigned int status = session_serve(url, &body);

	return reply(connection, status, &body, 0);
}

/* The signature is libmicrohttpd's. */
static enum MHD_Result serve(void *closure, struct MHD_Connection *connection,
			     const char *url, const char *method,
			     const char *version, const char *upload_data,
			     size_t *upload_data_size, void **state)
{
	const struct item *item;

	(void)closure;
	(void)version;
	(void)upload_data;
	(void)upload_data_size;
	/* The first call has the headers only; an answer to it would end the
	 * connection. */
	if (!*state) {
		*state = &answered;
		return MHD_YES;
	}
	/* Between two requests nothing of the old view is held. */
	hotpatch_safe_point();
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return reply_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				  "only GET\n");
	if (strcmp(url, "/stats") == 0)
		return serve_stats(connection);
	if (strcmp(url, "/sessions") == 0)
		return serve_sessions(connection);
	if (strncmp(url, "/session/", strlen("/session/")) == 0)
		return serve_session(connection, url);
	item = item_find(url);
	if (!item)
		return reply_text(connection, MHD_HTTP_NOT_FOUND,
				  "no such item\n");
	return serve_item(connection, item);
}

static int next_timeout_ms(struct MHD_Daemon *daemon)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	if (MHD_get_timeout(daemon, &timeout_ms) != MHD_YES)
		return -1;
	return timeout_ms < 1000 ? (int)timeout_ms : 1000;
}

static void *work(void *arg)
{
	const struct worker *worker = arg;
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd ready[] = {
		{.fd = info->epoll_fd, .events = POLLIN},
		{.fd = worker->stop_fd, .events = POLLIN},
	};

	do {
		hotpatch_enter();
		MHD_run(worker->daemon);
		hotpatch_leave();
		/* At rest: no patch waits for this thread. */
		poll(ready, 2, next_timeout_ms(worker->daemon));
	} while (ready[1].revents == 0);
	return NULL;
}

static bool worker_start(struct worker *worker, unsigned int *port, int stop_fd)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	worker->stop_fd = stop_fd;
	worker->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, (uint16_t)*port, NULL, NULL, serve, NULL,
		MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
	if (!worker->daemon)
		return false;
	/* With port 0 the first worker's kernel chose it for all. */
	*port = MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_BIND_PORT)
			->port;
	if (pthread_create(&worker->thread, NULL, work, worker) == 0)
		return true;
	MHD_stop_daemon(worker->daemon);
	return false;
}

static void workers_stop(struct worker *workers, unsigned int count,
			 int stop_fd)
{
	/* Nobody reads it, so it stays readable for every worker. */
	(void)!write(stop_fd, &(uint64_t){1}, sizeof(uint64_t));
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(workers[i].thread, NULL);
		MHD_stop_daemon(workers[i].daemon);
	}
}

/* Starts all workers, or none. */
static bool workers_start(struct worker *workers, struct options *options,
			  int stop_fd)
{
	for (unsigned int i = 0; i < options->threads; i++) {
		char name[sizeof("worker-4294967295")];

		if (!worker_start(&workers[i], &options->port, stop_fd)) {
			perror("server: worker");
			workers_stop(workers, i, stop_fd);
			return false;
		}
		snprintf(name, sizeof(name), "worker-%u", i);
		pthread_setname_np(workers[i].thread, name);
	}
	return true;
}

static int usage(void)
{
	fputs("usage: server [--port N] [--threads N] [--socket PATH] "
	      "[--patches DIRECTORY]\n",
	      stderr);
	return 2;
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"port", required_argument, NULL, 'p'},
		{"threads", required_argument, NULL, 't'},
		{"socket", required_argument, NULL, 's'},
		{"patches", required_argument, NULL, 'd'},
		{0},
	};
	int name;

	while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (name == 'p')
			options->port = (unsigned int)strtoul(optarg, NULL, 10);
		else if (name == 't')
			options->threads =
				(unsigned int)strtoul(optarg, NULL, 10);
		else if (name == 's')
			options->socket = optarg;
		else if (name == 'd')
			options->patches = optarg;
		else
			return false;
	}
	return optind == argc && options->port <= UINT16_MAX &&
	       options->threads > 0 && options->threads <= WORKER_LIMIT;
}

/* Only what was refused is worth a line. */
static void tell(const struct hotpatch_outcome *outcome, void *data)
{
	(void)data;
	if (outcome->sentence[0])
		fprintf(stderr, "server: %s\n", outcome->sentence);
}

/* What was on before a restart is on again before the first request. A bundle
 * that is refused is no reason not to serve. */
static bool patches_restore(const char *directory)
{
	const struct hotpatch_config config = {.size = sizeof(config),
					       .directory = directory};
	const struct hotpatch_converge_options options = {
		.size = sizeof(options), .told = tell};
	struct hotpatch_error err;
	enum hotpatch_status status;

	if (hotpatch_configure(&config, &err) != 0) {
		fprintf(stderr, "server: %s\n", err.sentence);
		return false;
	}
	status = hotpatch_converge(&options, &err);
	if (status != HOTPATCH_OK && status != HOTPATCH_E_ALREADY &&
	    status != HOTPATCH_E_DIVERGED)
		fprintf(stderr, "server: %s\n", err.sentence);
	return true;
}

static void wait_for_end(const sigset_t *ends)
{
	int number;

	sigwait(ends, &number);
}

int main(int argc, char **argv)
{
	struct options options = {.port = 8080, .threads = 4};
	struct hotpatch_control_options control_options = {
		.size = sizeof(control_options), .group = (gid_t)-1};
	struct worker workers[WORKER_LIMIT];
	struct hotpatch_control *control;
	struct hotpatch_error err;
	sigset_t ends;
	int stop_fd;

	if (!options_read(&options, argc, argv))
		return usage();
	/* Blocked before the first thread, so that only main takes them. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	item_fill();
	if (options.patches && !patches_restore(options.patches))
		return EXIT_FAILURE;
	control_options.path = options.socket;
	if (hotpatch_control_start(&control_options, &control, &err) != 0) {
		fprintf(stderr, "server: %s\n", err.sentence);
		return EXIT_FAILURE;
	}
	stop_fd = eventfd(0, EFD_CLOEXEC);
	if (stop_fd < 0 || !workers_start(workers, &options, stop_fd)) {
		hotpatch_control_stop(control);
		return EXIT_FAILURE;
	}
	printf("port %u\nsocket %s\n", options.port,
	       hotpatch_control_path(control));
	fflush(stdout);
	wait_for_end(&ends);
	workers_stop(workers, options.threads, stop_fd);
	hotpatch_control_stop(control);
	session_close_all();
	return EXIT_SUCCESS;
}
