/* SPDX-License-Identifier: MIT */
/*
 * The attackers take turns in one thread: each does its kind of harm, without
 * ever waiting, and comes again when it was thrown out.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUP 54321
#define STRANGER 54322
#define MOST 1000

static const char request[] =
	"{\"id\":1,\"method\":\"status\",\"params\":{}}\n";
static const char half[] = "{\"id\":1,\"method\":\"pi";
static char huge[1 << 16];

struct attacker {
	int fd;
	size_t at;
};

static void send_some(int fd, const char *bytes, size_t size)
{
	if (send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		errno = 0;
}

static void read_all(int fd)
{
	static char bytes[1 << 16];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void send_descriptors(int fd, const char *text, size_t count)
{
	struct iovec vector = {(char *)text, strlen(text)};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} space = {0};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &space,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	size_t i;

	space.head.cmsg_level = SOL_SOCKET;
	space.head.cmsg_type = SCM_RIGHTS;
	space.head.cmsg_len = CMSG_LEN(count * sizeof(int));
	for (i = 0; i < count; i++)
		memcpy(CMSG_DATA(&space.head) + i * sizeof(int), &fd,
		       sizeof(fd));
	if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		errno = 0;
}

static void write_slowly(struct attacker *attacker)
{
	send_some(attacker->fd, &request[attacker->at], 1);
	attacker->at = (attacker->at + 1) % (sizeof(request) - 1);
	read_all(attacker->fd);
}

static void never_read(struct attacker *attacker)
{
	send_some(attacker->fd, request, sizeof(request) - 1);
}

static void stop_half_way(struct attacker *attacker)
{
	if (!attacker->at++)
		send_some(attacker->fd, half, sizeof(half) - 1);
}

static void send_huge_lines(struct attacker *attacker)
{
	send_some(attacker->fd, huge, sizeof(huge));
}

static void come_and_go(struct attacker *attacker)
{
	close(attacker->fd);
	attacker->fd = -1;
}

static void pass_without_request(struct attacker *attacker)
{
	send_descriptors(attacker->fd, " ", 2);
}

static void pass_many(struct attacker *attacker)
{
	send_descriptors(attacker->fd, request, 64);
	read_all(attacker->fd);
}

static void flood(struct attacker *attacker)
{
	int i;

	for (i = 0; i < 50; i++)
		send_some(attacker->fd, request, sizeof(request) - 1);
	read_all(attacker->fd);
}

static void send_rubbish(struct attacker *attacker)
{
	send_some(attacker->fd, "[[[[{\"id\":\"\\u0000\"\n}}\n", 23);
	read_all(attacker->fd);
}

static void keep_silent(struct attacker *attacker)
{
	(void)attacker;
}

static void (*const kinds[])(struct attacker *attacker) = {
	write_slowly, never_read,   stop_half_way,	  send_huge_lines,
	come_and_go,  keep_silent,  pass_without_request, pass_many,
	flood,	      send_rubbish,
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

static void act(struct attacker *attacker, const char *path, size_t kind)
{
	struct pollfd state = {.fd = attacker->fd, .events = 0};

	if (attacker->fd >= 0 && poll(&state, 1, 0) > 0 &&
	    (state.revents & (POLLHUP | POLLERR))) {
		close(attacker->fd);
		attacker->fd = -1;
	}
	if (attacker->fd < 0) {
		attacker->fd = connect_to(path);
		attacker->at = 0;
	}
	if (attacker->fd >= 0)
		kinds[kind](attacker);
}

/* A pause after each turn, so that the machine has time for the others. */
static void attack(const char *path, int count, int ready)
{
	static struct attacker attackers[MOST];
	bool told = false;
	int i;

	memset(huge, 'x', sizeof(huge));
	for (i = 0; i < count; i++)
		attackers[i].fd = -1;
	for (;;) {
		for (i = 0; i < count; i++)
			act(&attackers[i], path, (size_t)i % KINDS);
		if (!told && write(ready, "y", 1) != 1)
			_exit(1);
		told = true;
		poll(NULL, 0, 2);
	}
}

static bool become_reader(void)
{
	const gid_t group = GROUP;

	return !setgroups(1, &group) &&
	       !setresgid(STRANGER, STRANGER, STRANGER) &&
	       !setresuid(STRANGER, STRANGER, STRANGER);
}

pid_t attack_start(const char *path, int count, bool as_reader)
{
	pid_t parent = getpid();
	int ready[2];
	char byte;
	pid_t child;

	if (count > MOST || pipe2(ready, O_CLOEXEC))
		abort();
	child = fork();
	if (!child) {
		if (as_reader && !become_reader())
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			attack(path, count, ready[1]);
		_exit(1);
	}
	close(ready[1]);
	if (child < 0 || read(ready[0], &byte, 1) != 1)
		abort();
	close(ready[0]);
	return child;
}

void attack_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

struct hotpatch_control *attack_serve(const char *path)
{
	struct hotpatch_control_options options = {
		.size = sizeof(options),
		.path = path,
		.group = geteuid() == 0 ? GROUP : (gid_t)-1,
	};
	struct hotpatch_control *control;

	return hotpatch_control_start(&options, &control, NULL) ? NULL :
								  control;
}
