/* SPDX-License-Identifier: MIT */
/*
 * The command's end of a connection: requests out, answers in, and waiting
 * for them with an eye on what is in the way.
 */
#include "tool.h"

#include "../status.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GREETING_MS 5000
/* Between two looks at the clock, and two at what is in the way. */
#define STEP_MS 100
#define SILENCE_MS 5000
#define READ_SIZE 16384

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum hotpatch_status unreachable(struct hotpatch_error *err,
					int os_error, const char *what)
{
	errno = os_error;
	if (os_error)
		return hp_error(err, HOTPATCH_E_UNREACHABLE, os_error, "",
				"%s: %m.", what);
	return hp_error(err, HOTPATCH_E_UNREACHABLE, 0, "", "%s.", what);
}

/* The first byte carries the @count descriptors. */
static ssize_t send_some(int fd, const struct hp_buffer *output, const int *fds,
			 size_t count)
{
	struct iovec vector = {output->bytes + output->start, output->size};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	if (count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

enum hotpatch_status hp_session_send(struct hp_session *session,
				     const char *method, json_t *params,
				     int bundle_fd, int signature_fd,
				     struct hotpatch_error *err)
{
	const int fds[] = {bundle_fd, signature_fd};
	size_t count = bundle_fd < 0 ? 0 : 1 + (signature_fd >= 0);
	struct hp_buffer output = {0};
	ssize_t size = 0;

	if (!hp_wire_write(&output, json_pack("{s:I, s:s, s:o*}", "id",
					      ++session->last_id, "method",
					      method, "params", params)))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, "",
				"There is no memory for the request.");
	while (output.size && size >= 0) {
		size = send_some(session->fd, &output, fds, count);
		if (size > 0) {
			hp_buffer_consume(&output, (size_t)size);
			count = 0;
		}
	}
	hp_buffer_release(&output);
	if (size < 0)
		return unreachable(err, errno,
				   "The process does not take requests");
	return HOTPATCH_OK;
}

static enum hotpatch_status read_some(struct hp_session *session,
				      struct hotpatch_error *err)
{
	char bytes[READ_SIZE];
	ssize_t size = recv(session->fd, bytes, sizeof(bytes), 0);

	if (size < 0)
		return unreachable(err, errno, "The process does not answer");
	if (!size)
		return unreachable(err, 0, "The process closed the connection");
	if (session->input.size > HP_WIRE_ANSWER_LIMIT)
		return hp_error(err, HOTPATCH_E_PROTOCOL, 0, "",
				"The process answers with a line that does not "
				"end.");
	if (!hp_buffer_append(&session->input, bytes, (size_t)size))
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, "",
				"There is no memory for the answer.");
	return HOTPATCH_OK;
}

static enum hotpatch_status take_line(struct hp_session *session,
				      const char *line, size_t size,
				      json_t **message,
				      struct hotpatch_error *err)
{
	*message = json_loadb(line, size, 0, NULL);
	hp_buffer_consume(&session->input, size);
	if (json_is_object(*message))
		return HOTPATCH_OK;
	json_decref(*message);
	*message = NULL;
	return hp_error(err, HOTPATCH_E_PROTOCOL, 0, "",
			"The process answers with something else than JSON "
			"objects.");
}

enum hotpatch_status hp_session_receive(struct hp_session *session,
					long timeout_ms, json_t **message,
					struct hotpatch_error *err)
{
	struct pollfd ready = {.fd = session->fd, .events = POLLIN};
	long end_ms = now_ms() + timeout_ms;
	enum hotpatch_status status = HOTPATCH_OK;
	const char *line;
	size_t size;
	long left_ms = -1;

	while (!status) {
		line = hp_buffer_line(&session->input, &size);
		if (line)
			return take_line(session, line, size, message, err);
		if (timeout_ms >= 0)
			left_ms = end_ms - now_ms();
		if (timeout_ms >= 0 && left_ms < 0)
			return HOTPATCH_E_TIMEOUT;
		if (poll(&ready, 1, (int)left_ms) > 0)
			status = read_some(session, err);
	}
	return status;
}

/* What is addressed to nobody ends the session: it says why. */
static bool is_answer(const json_t *message, json_int_t id)
{
	const json_t *number = json_object_get(message, "id");

	return json_is_null(number) || json_integer_value(number) == id;
}

static enum hotpatch_status take_answer(const json_t *message, json_t **result,
					struct hotpatch_error *err)
{
	const json_t *fault = json_object_get(message, "error");

	*result = json_incref(json_object_get(message, "result"));
	if (*result)
		return HOTPATCH_OK;
	hp_wire_error_read(fault, err);
	return err->status;
}

/* One question at a time, each answered before the next. */
static enum hotpatch_status ask_progress(struct hp_session *session,
					 json_int_t *asked_id,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status;

	if (*asked_id)
		return HOTPATCH_OK;
	status = hp_session_send(session, "status", NULL, -1, -1, err);
	*asked_id = session->last_id;
	return status;
}

static enum hotpatch_status tell_callback(const json_t *report,
					  struct hotpatch_error *err)
{
	const json_t *patches = json_object_get(report, "patches");
	const char *callback;
	const json_t *patch;
	size_t i;

	json_array_foreach(patches, i, patch)
	{
		callback = hp_json_text(patch, "callback");
		if (*callback)
			return hp_error(err, HOTPATCH_E_TIMEOUT, 0,
					hp_json_text(patch, "name"),
					"The process answers, but not to this "
					"yet: the %s of %s has not returned.",
					callback, hp_json_text(patch, "name"));
	}
	return hp_error(err, HOTPATCH_E_TIMEOUT, 0, "",
			"The process answers, but not to this yet.");
}

static enum hotpatch_status receive_answer(struct hp_session *session,
					   json_int_t id, long timeout_ms,
					   json_t **message,
					   struct hotpatch_error *err)
{
	long end_ms = now_ms() + timeout_ms;
	enum hotpatch_status status;
	long left_ms;

	while ((left_ms = end_ms - now_ms()) >= 0) {
		status = hp_session_receive(session, left_ms, message, err);
		if (status || is_answer(*message, id))
			return status;
		json_decref(*message);
	}
	return HOTPATCH_E_TIMEOUT;
}

/* Why no answer came: a change may take long, and nothing else does. */
static enum hotpatch_status explain_silence(struct hp_session *session,
					    json_int_t asked_id,
					    struct hotpatch_error *err)
{
	enum hotpatch_status status;
	json_t *message;

	status = ask_progress(session, &asked_id, err);
	if (!status)
		status = receive_answer(session, asked_id, SILENCE_MS, &message,
					err);
	if (status == HOTPATCH_E_TIMEOUT)
		return unreachable(err, 0, "The process does not answer");
	if (status)
		return status;
	status = tell_callback(json_object_get(message, "result"), err);
	json_decref(message);
	return status;
}

enum hotpatch_status hp_session_await(struct hp_session *session, json_int_t id,
				      const struct hp_request_options *options,
				      json_t **result,
				      struct hotpatch_error *err)
{
	bool progress = options->progress && hp_progress_wanted();
	long end_ms = now_ms() + options->timeout_ms;
	enum hotpatch_status status = HOTPATCH_OK;
	json_int_t asked_id = 0;
	json_t *message = NULL;

	while (!status) {
		status = hp_session_receive(session, STEP_MS, &message, err);
		if (!status && is_answer(message, id)) {
			status = take_answer(message, result, err);
			json_decref(message);
			return status;
		}
		if (!status) {
			if (asked_id)
				hp_progress_show(
					json_object_get(message, "result"));
			asked_id = 0;
			json_decref(message);
		}
		if (status != HOTPATCH_E_TIMEOUT)
			continue;
		status = HOTPATCH_OK;
		if (options->timeout_ms >= 0 && now_ms() > end_ms)
			return explain_silence(session, asked_id, err);
		if (progress)
			status = ask_progress(session, &asked_id, err);
	}
	return status;
}

enum hotpatch_status hp_session_call(struct hp_session *session,
				     const char *method, json_t *params,
				     const struct hp_request_options *options,
				     json_t **result,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status =
		hp_session_send(session, method, params, options->bundle_fd,
				options->signature_fd, err);

	*result = NULL;
	if (status)
		return status;
	status = hp_session_await(session, session->last_id, options, result,
				  err);
	if (options->progress)
		hp_progress_clear();
	return status;
}

static enum hotpatch_status greet(struct hp_session *session,
				  struct hotpatch_error *err)
{
	json_t *fault;
	enum hotpatch_status status;

	status = hp_session_receive(session, GREETING_MS, &session->greeting,
				    err);
	if (status == HOTPATCH_E_TIMEOUT)
		return unreachable(err, 0, "The process does not greet");
	if (status)
		return status;
	fault = json_object_get(session->greeting, "error");
	if (fault) {
		hp_wire_error_read(fault, err);
		return err->status;
	}
	if (hp_json_number(session->greeting, "hotpatch") == HP_WIRE_PROTOCOL)
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_PROTOCOL, 0, "",
			"What listens there does not greet as hotpatch %d.",
			HP_WIRE_PROTOCOL);
}

enum hotpatch_status hp_session_connect(const char *path,
					struct hp_session *session,
					struct hotpatch_error *err)
{
	enum hotpatch_status status;

	*session = (struct hp_session){.fd = -1};
	hp_text_copy(session->path, sizeof(session->path), path);
	status = hp_socket_connect(path, &session->fd, err);
	if (!status)
		status = greet(session, err);
	if (status)
		hp_session_close(session);
	return status;
}

enum hotpatch_status hp_session_open(const struct hp_options *options,
				     struct hp_session *session,
				     struct hotpatch_error *err)
{
	char path[HP_SOCKET_PATH_SIZE];
	enum hotpatch_status status = HOTPATCH_OK;

	*session = (struct hp_session){.fd = -1};
	if (!options->socket)
		status = hp_find_socket(options, path, err);
	if (status)
		return status;
	return hp_session_connect(options->socket ? options->socket : path,
				  session, err);
}

void hp_session_close(struct hp_session *session)
{
	if (session->fd >= 0)
		close(session->fd);
	session->fd = -1;
	hp_buffer_release(&session->input);
	json_decref(session->greeting);
	session->greeting = NULL;
}
