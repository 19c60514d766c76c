/* SPDX-License-Identifier: MIT */
/*
 * A client of the control socket for the tests, and the server that they talk
 * to: in the same process, at a path of its own.
 */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <check.h>
#include <dirent.h>
#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 20000
#define HELPER __attribute__((unused)) static

/* A client's end; @bytes hold what came and was not read as a line yet, @line
 * the last line that was. */
struct client {
	int fd;
	size_t size;
	char bytes[1 << 20];
	char line[1 << 20];
};

static char directory[] = "/tmp/hotpatch-control-XXXXXX";
static char path[128];
static struct hotpatch_control *control;
static struct client first;
static struct client second;

HELPER struct hotpatch_control_options make_options(void)
{
	return (struct hotpatch_control_options){
		.size = sizeof(struct hotpatch_control_options),
		.path = path,
		.group = (gid_t)-1,
	};
}

HELPER void start_server(void)
{
	struct hotpatch_control_options options = make_options();

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/run/socket", directory);
	ck_assert_int_eq(hotpatch_control_start(&options, &control, NULL),
			 HOTPATCH_OK);
}

HELPER void stop_server(void)
{
	hotpatch_control_stop(control);
	/* Its folder may be called otherwise than the one it began with. */
	rmdir(dirname(path));
	rmdir(directory);
}

HELPER int try_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(address.sun_path, path, strlen(path));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

/* The next line that the server sends; NULL when it hung up. */
HELPER const char *receive(struct client *client)
{
	struct pollfd ready = {.fd = client->fd, .events = POLLIN};
	size_t length;
	char *end;
	ssize_t size;

	while (!(end = memchr(client->bytes, '\n', client->size))) {
		ck_assert_int_eq(poll(&ready, 1, ANSWER_MS), 1);
		size = recv(client->fd, client->bytes + client->size,
			    sizeof(client->bytes) - client->size, 0);
		if (size <= 0)
			return NULL;
		client->size += (size_t)size;
	}
	length = (size_t)(end - client->bytes);
	memcpy(client->line, client->bytes, length);
	client->line[length] = '\0';
	client->size -= length + 1;
	memmove(client->bytes, end + 1, client->size);
	return client->line;
}

HELPER void send_bytes(const struct client *client, const char *bytes,
		       size_t size)
{
	ck_assert_int_eq(send(client->fd, bytes, size, MSG_NOSIGNAL),
			 (ssize_t)size);
}

HELPER void send_text(const struct client *client, const char *text)
{
	send_bytes(client, text, strlen(text));
}

/* @count times the same descriptor. */
HELPER void send_with_descriptors(const struct client *client, const char *text,
				  int fd, size_t count)
{
	struct iovec vector = {(char *)text, strlen(text)};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
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
	ck_assert_int_eq(sendmsg(client->fd, &message, MSG_NOSIGNAL),
			 (ssize_t)strlen(text));
}

HELPER void join(struct client *client)
{
	client->size = 0;
	client->fd = try_connect();
	ck_assert_int_ge(client->fd, 0);
	ck_assert_ptr_nonnull(receive(client));
}

/* Takes the answer, which must be the result of request @id. */
HELPER const char *expect_result(struct client *client, int id)
{
	const char *answer = receive(client);
	char start[64];

	snprintf(start, sizeof(start), "{\"id\":%d,\"result\":", id);
	ck_assert_ptr_nonnull(answer);
	ck_assert_msg(!strncmp(answer, start, strlen(start)), "%s", answer);
	return answer;
}

HELPER void expect_error(struct client *client, const char *code)
{
	const char *answer = receive(client);
	char member[64];

	snprintf(member, sizeof(member), "\"error\":{\"code\":\"%s\"", code);
	ck_assert_ptr_nonnull(answer);
	ck_assert_msg(strstr(answer, member), "%s", answer);
}

HELPER void expect_alive(struct client *client)
{
	send_text(client, "{\"id\":99,\"method\":\"ping\"}\n");
	expect_result(client, 99);
}

/* Descriptors of this process whose link in /proc begins with @kind, such as
 * "socket:"; the engine has files of its own open while it looks around. */
HELPER size_t count_descriptors(const char *kind)
{
	DIR *list = opendir("/proc/self/fd");
	const struct dirent *entry;
	size_t count = 0;
	char link[256];
	ssize_t length;

	ck_assert_ptr_nonnull(list);
	while ((entry = readdir(list))) {
		length = readlinkat(dirfd(list), entry->d_name, link,
				    sizeof(link) - 1);
		link[length > 0 ? length : 0] = '\0';
		count += length > 0 && !strncmp(link, kind, strlen(kind));
	}
	closedir(list);
	return count;
}

#endif
