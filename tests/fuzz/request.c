/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the control protocol's requests as the server reads them: bytes come
 * in pieces, lines are taken from the buffer, a line becomes a request, its
 * parameters are read, and it is answered. The first byte is the size of the
 * pieces.
 */
#include "../../lib/control/wire.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* A failure names itself; what failed left the value alone. */
static void check_error(enum hotpatch_status status,
			const struct hotpatch_error *err)
{
	require(err->status == status && *err->sentence);
}

static void read_params(const json_t *params, struct hotpatch_error *err)
{
	static const char *const keys[] = {"name", "policy", "goal",
					   "deadline_ms", "all"};
	enum hotpatch_status status;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *text = "";
		json_int_t number = 3;
		bool flag = false;

		status = hp_params_text(params, keys[i], &text, err);
		require(text && (!status || !*text));
		if (status)
			check_error(status, err);
		status = hp_params_number(params, keys[i], 0, INT_MAX, &number,
					  err);
		require(number >= 0 && number <= INT_MAX);
		require(!status || number == 3);
		status = hp_params_flag(params, keys[i], &flag, err);
		require(!status || !flag);
	}
}

/* Whatever was asked, the answer is one line of JSON. */
static void check_answer(const struct hp_buffer *output)
{
	size_t size = 0;
	const char *line = hp_buffer_line(output, &size);
	json_t *message;

	require(line && size == output->size);
	message = json_loadb(line, size, 0, NULL);
	require(json_is_object(message));
	json_decref(message);
}

static void answer(const struct hp_request *request,
		   const struct hotpatch_error *err)
{
	struct hp_buffer output = {0};

	if (err->status)
		require(hp_wire_write_error(&output, request->id, err));
	else
		require(hp_wire_write_result(&output, request->id,
					     hp_wire_text(request->method)));
	check_answer(&output);
	hp_buffer_release(&output);
}

static void serve(const char *line, size_t size)
{
	struct hp_request request;
	struct hotpatch_error err = {0};
	enum hotpatch_status status =
		hp_control_parse_line(line, size, &request, &err);

	if (status) {
		check_error(status, &err);
	} else {
		require(request.method && request.id);
		require(!request.params || json_is_object(request.params));
		read_params(request.params, &err);
	}
	answer(&request, &err);
	hp_request_release(&request);
}

static void take_lines(struct hp_buffer *input)
{
	const char *line;
	size_t size;

	while ((line = hp_buffer_line(input, &size))) {
		require(size && size <= input->size && line[size - 1] == '\n');
		serve(line, size);
		hp_buffer_consume(input, size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_buffer input = {0};
	size_t piece = size ? data[0] + 1u : 0;
	size_t at;

	for (at = 1; at < size; at += piece) {
		if (piece > size - at)
			piece = size - at;
		if (!hp_buffer_append(&input, data + at, piece))
			break;
		take_lines(&input);
	}
	/* What a client leaves unfinished is read as well. */
	if (input.size)
		serve(hp_buffer_bytes(&input), input.size);
	hp_buffer_release(&input);
	return 0;
}
