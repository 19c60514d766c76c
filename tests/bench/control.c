/* SPDX-License-Identifier: MIT */
/*
 * The control socket: how long an answer takes, beside an echo over a socket
 * of the same kind; and a process for the command to talk to. The rounds are
 * few, for who asks often is made to wait.
 *
 * usage: control rounds
 *        control serve SOCKET THREADS	until the standard input ends
 */
#include "sample.h"

#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PING "{\"id\":1,\"method\":\"ping\"}\n"
#define COUNT 40
#define STATUS "{\"id\":1,\"method\":\"status\"}\n"

/* What the bundle replaces. */
HOTPATCH_FUNCTION(int, control_version, (void))
{
	return 0;
}

static void must(int is_well, const char *what)
{
	if (is_well)
		return;
	fprintf(stderr, "control: %s\n", what);
	exit(1);
}

static struct hotpatch_control *server_start(const char *path)
{
	const struct hotpatch_control_options options = {
		.size = sizeof(options), .path = path, .group = (gid_t)-1};
	struct hotpatch_control *control;
	struct hotpatch_error err;

	if (hotpatch_control_start(&options, &control, &err) == HOTPATCH_OK)
		return control;
	must(0, err.sentence);
	return NULL;
}

/* ---- Rounds ---- */

static int client_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(strlen(path) < sizeof(address.sun_path), "the path is too long");
	memcpy(address.sun_path, path, strlen(path));
	must(fd >= 0 && connect(fd, (struct sockaddr *)&address,
				sizeof(address)) == 0,
	     "no connection");
	return fd;
}

/* One line; whoever answers sends one at a time. */
static void line_read(int fd)
{
	static char bytes[1 << 16];
	ssize_t size;

	do {
		size = read(fd, bytes, sizeof(bytes));
		must(size > 0, "no answer");
	} while (bytes[size - 1] != '\n');
}

static void ask(int fd, const char *request)
{
	must(write(fd, request, strlen(request)) == (ssize_t)strlen(request),
	     "cannot be sent");
	line_read(fd);
}

/* Sends back what comes, until nothing does. */
static void *echo(void *end)
{
	char bytes[256];
	ssize_t size;

	while ((size = read(*(int *)end, bytes, sizeof(bytes))) > 0)
		must(write(*(int *)end, bytes, (size_t)size) == size,
		     "cannot be sent back");
	return NULL;
}

#define ROUNDS(name, work)                                                     \
	do {                                                                   \
		uint64_t since_ns = now_ns();                                  \
                                                                               \
		LOOP(COUNT, work);                                             \
		sample("a round trip to the control socket", name,             \
		       "round trip",                                           \
		       (double)(now_ns() - since_ns) / 1e3 / COUNT);           \
	} while (0)

static void rounds_of_echo(void)
{
	pthread_t thread;
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 &&
		     pthread_create(&thread, NULL, echo, &ends[1]) == 0,
	     "no echo");
	ROUNDS("an echo of another thread", ask(ends[0], PING));
	close(ends[0]);
	pthread_join(thread, NULL);
	close(ends[1]);
}

static void ask_anew(const char *path, const char *request)
{
	int fd = client_connect(path);

	line_read(fd); /* the greeting */
	ask(fd, request);
	close(fd);
}

static void rounds(void)
{
	char directory[] = "/tmp/hotpatch-bench-XXXXXX";
	struct hotpatch_control *control;
	char path[64];
	int fd;

	must(mkdtemp(directory) != NULL, "no directory");
	snprintf(path, sizeof(path), "%s/run/socket", directory);
	rounds_of_echo();
	control = server_start(path);
	fd = client_connect(path);
	line_read(fd);
	ROUNDS("ping", ask(fd, PING));
	ROUNDS("status", ask(fd, STATUS));
	close(fd);
	ROUNDS("status, with the connection", ask_anew(path, STATUS));
	hotpatch_control_stop(control);
	snprintf(path, sizeof(path), "%s/run", directory);
	rmdir(path);
	rmdir(directory);
}

/* ---- Serving ---- */

static sem_t resting;

/* A thread that was in a section, and waits for work now. */
static void *rest(void *unused)
{
	hotpatch_enter();
	hotpatch_leave();
	sem_post(&resting);
	for (;;)
		pause();
	return unused;
}

static void serve(const char *path, unsigned long threads)
{
	struct hotpatch_control *control = server_start(path);
	pthread_attr_t small;
	pthread_t thread;
	unsigned long i;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	sem_init(&resting, 0, 0);
	for (i = 0; i < threads; i++)
		must(pthread_create(&thread, &small, rest, NULL) == 0,
		     "no thread");
	for (i = 0; i < threads; i++)
		sem_wait(&resting);
	puts("serving");
	fflush(stdout);
	while (getchar() != EOF)
		;
	hotpatch_control_stop(control);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "rounds") == 0)
		rounds();
	else if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve(argv[2], strtoul(argv[3], NULL, 10));
	else
		return 2;
	return 0;
}
