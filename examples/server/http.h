/* SPDX-License-Identifier: MIT */
/* The load client's requests and answers, on the loopback device. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define BUFFER_SIZE 2048

/**
 * struct answer - an answer in a buffer
 * @status: of HTTP
 * @parser: version of the span_parse() that took part, 0 if not told
 * @copier: the same of span_copy()
 * @body:   its first byte, in the buffer
 * @size:   bytes of @body
 */
struct answer {
	unsigned int status;
	unsigned int parser;
	unsigned int copier;
	const char *body;
	size_t size;
};

/* A blocking connection, or -1. */
int http_connect(unsigned int port);

/* Requests are small enough for one send. */
bool http_send(int fd, const char *text, size_t size);

/* True once the @used bytes at @buffer, which a NUL follows, are a whole
 * answer. */
bool http_read(const char *buffer, size_t used, struct answer *answer);

/* One request on a connection of its own. @range is NULL or FIRST-LAST;
 * @buffer has BUFFER_SIZE bytes and holds the answer. */
bool http_fetch(unsigned int port, const char *path, const char *range,
		char *buffer, struct answer *answer);

#endif
