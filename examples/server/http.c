/* SPDX-License-Identifier: MIT */
/*
 * As much of an HTTP client as the load client needs. Knows the header with
 * which the server tells the versions of its code.
 */
#include "http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int http_connect(unsigned int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Where the value of the header @name begins, or NULL. */
static const char *header(const char *head, const char *name)
{
	const char *line = head;

	while ((line = strstr(line, "\r\n")) != NULL) {
		line += 2;
		if (strncasecmp(line, name, strlen(name)) == 0)
			return line + strlen(name);
	}
	return NULL;
}

bool http_read(const char *buffer, size_t used, struct answer *answer)
{
	const char *end = strstr(buffer, "\r\n\r\n");
	const char *value;

	*answer = (struct answer){0};
	if (!end || sscanf(buffer, "HTTP/1.1 %u", &answer->status) != 1)
		return false;
	value = header(buffer, "Content-Length: ");
	answer->size = value ? strtoul(value, NULL, 10) : 0;
	answer->body = end + 4;
	value = header(buffer, "X-Versions: ");
	if (value)
		sscanf(value, "%u %u", &answer->parser, &answer->copier);
	return used >= (size_t)(answer->body - buffer) + answer->size;
}

bool http_send(int fd, const char *text, size_t size)
{
	return send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size;
}

bool http_fetch(unsigned int port, const char *path, const char *range,
		char *buffer, struct answer *answer)
{
	int fd = http_connect(port);
	bool whole = false;
	size_t used = 0;
	char text[512];
	ssize_t count;
	int size;

	if (fd < 0)
		return false;
	size = snprintf(text, sizeof(text),
			"GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n",
			path, range ? "Range: bytes=" : "", range ? range : "",
			range ? "\r\n" : "");
	if (size < (int)sizeof(text) && http_send(fd, text, (size_t)size)) {
		while (!whole && used < BUFFER_SIZE - 1 &&
		       (count = recv(fd, buffer + used, BUFFER_SIZE - 1 - used,
				     0)) > 0) {
			used += (size_t)count;
			buffer[used] = '\0';
			whole = http_read(buffer, used, answer);
		}
	}
	close(fd);
	return whole;
}
