/* SPDX-License-Identifier: MIT */
/*
 * The load client for sessions: opens them, uses them, closes them, and keeps
 * account of what the server must answer. Knows nothing of the library.
 *
 * An answer of the old code tells how often the session was used, one of the
 * new code also how often since it has a quota; both must be one more than the
 * last time, whatever code answered in between. A session that is used up is
 * closed for another one, as some others are. Anything else is wrong.
 *
 * The end of the standard input ends the run. Then the sessions are closed and
 * a line of facts is printed.
 */
#include "http.h"

#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREAD_LIMIT 64
#define SESSIONS 8	/* of each thread */
#define CLOSE_EVERY 500 /* uses, on average */

struct session {
	unsigned int number;
	unsigned long visits;
	unsigned int used;
};

struct loader {
	pthread_t thread;
	unsigned int port;
	unsigned int seed;
	int fd;
	char buffer[BUFFER_SIZE];
	struct session sessions[SESSIONS];
	uint64_t requests;
	uint64_t old; /* answered by the code without a quota */
	uint64_t patched;
	uint64_t limited;
	uint64_t opened;
	uint64_t wrong;
};

static atomic_bool ended;

static bool receive(struct loader *loader, struct answer *answer)
{
	size_t used = 0;
	ssize_t count;

	while (used < BUFFER_SIZE - 1) {
		count = recv(loader->fd, loader->buffer + used,
			     BUFFER_SIZE - 1 - used, 0);
		if (count <= 0)
			return false;
		used += (size_t)count;
		loader->buffer[used] = '\0';
		if (http_read(loader->buffer, used, answer))
			return true;
	}
	return false;
}

/* The body of the answer, which a NUL follows, or NULL without one. */
static const char *ask(struct loader *loader, const char *path,
		       unsigned int *status)
{
	struct answer answer;
	char text[256];
	int size = snprintf(text, sizeof(text),
			    "GET /session/%s HTTP/1.1\r\nHost: localhost\r\n"
			    "\r\n",
			    path);

	loader->requests++;
	if (!http_send(loader->fd, text, (size_t)size) ||
	    !receive(loader, &answer))
		return NULL;
	*status = answer.status;
	return answer.body;
}

static void open_one(struct loader *loader, struct session *session)
{
	unsigned int status = 0;
	const char *body = ask(loader, "new", &status);

	*session = (struct session){0};
	loader->opened++;
	if (!body || status != 200 ||
	    sscanf(body, "session %u\n", &session->number) != 1)
		loader->wrong++;
}

static void close_one(struct loader *loader, const struct session *session)
{
	unsigned int status = 0;
	char path[32];

	snprintf(path, sizeof(path), "%u/close", session->number);
	if (!ask(loader, path, &status) || status != 200)
		loader->wrong++;
}

static void count_answer(struct loader *loader, struct session *session,
			 const char *body)
{
	unsigned int number, used, quota;
	unsigned long visit;
	int fields = sscanf(body, "session %u, visit %lu, %u of %u\n", &number,
			    &visit, &used, &quota);

	if (fields < 2 || number != session->number ||
	    visit != ++session->visits) {
		loader->wrong++;
	} else if (fields == 2) {
		loader->old++;
	} else {
		loader->patched++;
		loader->wrong += used != ++session->used || used > quota;
	}
}

static void use(struct loader *loader, struct session *session)
{
	unsigned int status = 0;
	const char *body;
	char path[32];

	snprintf(path, sizeof(path), "%u", session->number);
	body = ask(loader, path, &status);
	if (body && status == 200) {
		count_answer(loader, session, body);
	} else if (body && status == 429 && session->used == 100) {
		loader->limited++;
	} else {
		loader->wrong++;
		return;
	}
	if (status == 429 || rand_r(&loader->seed) % CLOSE_EVERY == 0) {
		close_one(loader, session);
		open_one(loader, session);
	}
}

static void *load(void *arg)
{
	struct loader *loader = arg;
	size_t i;

	loader->fd = http_connect(loader->port);
	for (i = 0; i < SESSIONS; i++)
		open_one(loader, &loader->sessions[i]);
	while (!atomic_load(&ended) && loader->wrong == 0)
		use(loader,
		    &loader->sessions[(size_t)rand_r(&loader->seed) % SESSIONS]);
	for (i = 0; i < SESSIONS; i++)
		close_one(loader, &loader->sessions[i]);
	close(loader->fd);
	return NULL;
}

/* A thread ends at its first wrong answer. */
static int run(unsigned int port, unsigned int threads)
{
	static struct loader loaders[THREAD_LIMIT];
	struct loader sum = {0};

	for (unsigned int i = 0; i < threads; i++) {
		loaders[i].port = port;
		loaders[i].seed = i + 1;
		if (pthread_create(&loaders[i].thread, NULL, load,
				   &loaders[i]) != 0)
			return EXIT_FAILURE;
	}
	while (getchar() != EOF)
		;
	atomic_store(&ended, true);
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(loaders[i].thread, NULL);
		sum.requests += loaders[i].requests;
		sum.old += loaders[i].old;
		sum.patched += loaders[i].patched;
		sum.limited += loaders[i].limited;
		sum.opened += loaders[i].opened;
		sum.wrong += loaders[i].wrong;
	}
	printf("sessions requests=%lu old=%lu patched=%lu limited=%lu "
	       "opened=%lu wrong=%lu\n",
	       sum.requests, sum.old, sum.patched, sum.limited, sum.opened,
	       sum.wrong);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{"port", required_argument, NULL, 'p'},
		{"threads", required_argument, NULL, 't'},
		{0},
	};
	unsigned int port = 0;
	unsigned int threads = 1;
	int name;

	while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (name == 'p')
			port = (unsigned int)strtoul(optarg, NULL, 10);
		else if (name == 't')
			threads = (unsigned int)strtoul(optarg, NULL, 10);
	}
	if (optind != argc || port == 0 || port > UINT16_MAX || threads == 0 ||
	    threads > THREAD_LIMIT) {
		fputs("usage: session-load --port N [--threads N] <phases\n",
		      stderr);
		return 2;
	}
	return run(port, threads);
}
