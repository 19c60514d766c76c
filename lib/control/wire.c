/* SPDX-License-Identifier: MIT */
/*
 * Lines, requests and answers of the control protocol.
 */
#include "wire.h"

#include "../status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 1024

static void compact(struct hp_buffer *buffer)
{
	if (!buffer->start)
		return;
	memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->size);
	buffer->start = 0;
}

static bool reserve(struct hp_buffer *buffer, size_t size)
{
	size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
	char *bytes;

	if (buffer->capacity - buffer->size >= size)
		return true;
	while (capacity - buffer->size < size)
		capacity *= 2;
	bytes = realloc(buffer->bytes, capacity);
	if (!bytes)
		return false;
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return true;
}

bool hp_buffer_append(struct hp_buffer *buffer, const void *bytes, size_t size)
{
	if (!size)
		return true;
	compact(buffer);
	if (!reserve(buffer, size))
		return false;
	memcpy(buffer->bytes + buffer->size, bytes, size);
	buffer->size += size;
	return true;
}

const char *hp_buffer_bytes(const struct hp_buffer *buffer)
{
	return buffer->bytes + buffer->start;
}

void hp_buffer_consume(struct hp_buffer *buffer, size_t size)
{
	buffer->size -= size;
	buffer->start = buffer->size ? buffer->start + size : 0;
}

void hp_buffer_release(struct hp_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct hp_buffer){0};
}

const char *hp_buffer_line(const struct hp_buffer *buffer, size_t *size)
{
	const char *end;

	if (!buffer->size)
		return NULL;
	end = memchr(hp_buffer_bytes(buffer), '\n', buffer->size);
	if (!end)
		return NULL;
	*size = (size_t)(end - hp_buffer_bytes(buffer)) + 1;
	return hp_buffer_bytes(buffer);
}

static enum hotpatch_status violation(struct hotpatch_error *err,
				      const char *what)
{
	return hp_error(err, HOTPATCH_E_PROTOCOL, 0, "", "The request %s.",
			what);
}

enum hotpatch_status hp_control_parse_line(const char *bytes, size_t size,
					   struct hp_request *request,
					   struct hotpatch_error *err)
{
	json_error_t where;
	json_t *id;
	json_t *params;

	*request = (struct hp_request){0};
	request->root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &where);
	if (!request->root)
		return violation(err, "is not JSON");
	if (!json_is_object(request->root))
		return violation(err, "is not an object");
	id = json_object_get(request->root, "id");
	if (!json_is_integer(id) && !json_is_string(id))
		return violation(err, "has no id that is an integer or a text");
	request->id = id;
	request->method =
		json_string_value(json_object_get(request->root, "method"));
	if (!request->method)
		return violation(err, "names no method");
	params = json_object_get(request->root, "params");
	if (params && !json_is_null(params) && !json_is_object(params))
		return violation(err, "has params that are not an object");
	request->params = json_is_object(params) ? params : NULL;
	return HOTPATCH_OK;
}

void hp_request_release(struct hp_request *request)
{
	json_decref(request->root);
	*request = (struct hp_request){0};
}

static const json_t *member(const json_t *params, const char *key)
{
	const json_t *value = json_object_get(params, key);

	return json_is_null(value) ? NULL : value;
}

enum hotpatch_status hp_params_text(const json_t *params, const char *key,
				    const char **value,
				    struct hotpatch_error *err)
{
	const json_t *json = member(params, key);

	if (!json)
		return HOTPATCH_OK;
	if (!json_is_string(json))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, key,
				"The parameter %s is not a text.", key);
	*value = json_string_value(json);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_params_flag(const json_t *params, const char *key,
				    bool *value, struct hotpatch_error *err)
{
	const json_t *json = member(params, key);

	if (!json)
		return HOTPATCH_OK;
	if (!json_is_boolean(json))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, key,
				"The parameter %s is not true or false.", key);
	*value = json_is_true(json);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_params_number(const json_t *params, const char *key,
				      json_int_t low, json_int_t high,
				      json_int_t *value,
				      struct hotpatch_error *err)
{
	const json_t *json = member(params, key);

	if (!json)
		return HOTPATCH_OK;
	if (!json_is_integer(json) || json_integer_value(json) < low ||
	    json_integer_value(json) > high)
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, key,
				"The parameter %s is not an integer from "
				"%" JSON_INTEGER_FORMAT
				" to %" JSON_INTEGER_FORMAT ".",
				key, low, high);
	*value = json_integer_value(json);
	return HOTPATCH_OK;
}

json_t *hp_wire_text(const char *text)
{
	char copy[512];
	json_t *json = json_string(text);
	char *byte;

	if (json)
		return json;
	hp_text_copy(copy, sizeof(copy), text);
	for (byte = copy; *byte; byte++) {
		if ((unsigned char)*byte >= 0x80)
			*byte = '?';
	}
	return json_string(copy);
}

json_t *hp_wire_error(const struct hotpatch_error *err)
{
	return json_pack("{s:s, s:i, s:o, s:o, s:i}", "code",
			 hotpatch_status_name(err->status), "value",
			 (int)err->status, "message",
			 hp_wire_text(err->sentence), "object",
			 hp_wire_text(err->object), "errno", err->os_error);
}

void hp_wire_error_read(const json_t *json, struct hotpatch_error *err)
{
	*err = (struct hotpatch_error){0};
	err->status = (enum hotpatch_status)json_integer_value(
		json_object_get(json, "value"));
	err->os_error = (int)json_integer_value(json_object_get(json, "errno"));
	hp_text_copy(err->object, sizeof(err->object),
		     json_string_value(json_object_get(json, "object")));
	hp_text_copy(err->sentence, sizeof(err->sentence),
		     json_string_value(json_object_get(json, "message")));
	if (err->status == HOTPATCH_OK)
		err->status = HOTPATCH_E_PROTOCOL;
}

static int append_dumped(const char *bytes, size_t size, void *buffer)
{
	return hp_buffer_append(buffer, bytes, size) ? 0 : -1;
}

bool hp_wire_write(struct hp_buffer *buffer, json_t *message)
{
	size_t before = buffer->size;
	bool written = message &&
		       !json_dump_callback(message, append_dumped, buffer,
					   JSON_COMPACT) &&
		       hp_buffer_append(buffer, "\n", 1);

	/* A torn line would spoil all that follow. */
	if (!written)
		buffer->size = before;
	json_decref(message);
	return written;
}

static bool write_answer(struct hp_buffer *buffer, json_t *id, const char *key,
			 json_t *value)
{
	return hp_wire_write(buffer,
			     json_pack("{s:O?, s:o}", "id", id, key, value));
}

bool hp_wire_write_result(struct hp_buffer *buffer, json_t *id, json_t *result)
{
	return write_answer(buffer, id, "result", result);
}

bool hp_wire_write_error(struct hp_buffer *buffer, json_t *id,
			 const struct hotpatch_error *err)
{
	return write_answer(buffer, id, "error", hp_wire_error(err));
}
