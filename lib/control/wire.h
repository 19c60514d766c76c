/* SPDX-License-Identifier: MIT */
/*
 * The control protocol's bytes: lines in growing buffers, requests read from
 * them, results and errors written to them. Shared by the server and the
 * command; knows neither sockets nor the engine.
 */
#ifndef HP_CONTROL_WIRE_H
#define HP_CONTROL_WIRE_H

#include <hotpatch/status.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HP_WIRE_PROTOCOL 1

/* The longest request, with its newline. */
#define HP_WIRE_LINE_LIMIT ((size_t)64 << 10)

/* The longest answer: what a server keeps for one client is less. */
#define HP_WIRE_ANSWER_LIMIT ((size_t)4 << 20)

/* Bytes that came in and are not used, or are to go out and have not. */
struct hp_buffer {
	char *bytes;
	size_t start;
	size_t size;
	size_t capacity;
};

/* False when memory is short; the buffer is unchanged then. */
bool hp_buffer_append(struct hp_buffer *buffer, const void *bytes, size_t size);
const char *hp_buffer_bytes(const struct hp_buffer *buffer);
void hp_buffer_consume(struct hp_buffer *buffer, size_t size);
void hp_buffer_release(struct hp_buffer *buffer);

/* The first whole line, of *@size bytes with its newline; NULL if there is
 * none yet. Stays in the buffer until consumed. */
const char *hp_buffer_line(const struct hp_buffer *buffer, size_t *size);

/* @id is an integer or a string, NULL if the line had none. @params is an
 * object or NULL. All belong to @root. */
struct hp_request {
	json_t *root;
	json_t *id;
	const char *method;
	json_t *params;
};

/*
 * Reads one request from @size foreign bytes, with or without the newline.
 * E_PROTOCOL if they are none; @request is filled as far as it could be read.
 * In every case the caller owes hp_request_release().
 */
enum hotpatch_status hp_control_parse_line(const char *bytes, size_t size,
					   struct hp_request *request,
					   struct hotpatch_error *err);
void hp_request_release(struct hp_request *request);

/*
 * Members of @params, which may be NULL. One that is missing or null leaves
 * *@value as it was; one of another type or out of range is E_ARGUMENT.
 */
enum hotpatch_status hp_params_text(const json_t *params, const char *key,
				    const char **value,
				    struct hotpatch_error *err);
enum hotpatch_status hp_params_flag(const json_t *params, const char *key,
				    bool *value, struct hotpatch_error *err);
enum hotpatch_status hp_params_number(const json_t *params, const char *key,
				      json_int_t low, json_int_t high,
				      json_int_t *value,
				      struct hotpatch_error *err);

/* A JSON string of any bytes; those that are not UTF-8 become "?". */
json_t *hp_wire_text(const char *text);

/* {"code":…,"value":…,"message":…,"object":…,"errno":…} and back. */
json_t *hp_wire_error(const struct hotpatch_error *err);
void hp_wire_error_read(const json_t *json, struct hotpatch_error *err);

/* Appends @message as a line and releases it; false when memory is short or
 * @message is NULL. */
bool hp_wire_write(struct hp_buffer *buffer, json_t *message);

/* The same for an answer; @id may be NULL. */
bool hp_wire_write_result(struct hp_buffer *buffer, json_t *id, json_t *result);
bool hp_wire_write_error(struct hp_buffer *buffer, json_t *id,
			 const struct hotpatch_error *err);

#endif
