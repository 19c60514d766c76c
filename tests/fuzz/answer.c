/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what the command makes of a process's answers: greeting, answers,
 * errors and questions for progress, for each command that asks one, as a
 * table or as JSON. The first byte chooses the command; the rest is all that
 * the process ever says.
 */
#include "../../lib/tools/tool.h"

#include "../../lib/status.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONGEST ((size_t)32 << 10) /* goes into a socket at once */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int process = -1; /* its end of the connection */
static const uint8_t *said;
static size_t said_size;

/* Stands for lib/control/socket.c: the process said all, and listens. */
enum hotpatch_status hp_socket_connect(const char *path, int *fd,
				       struct hotpatch_error *err)
{
	int ends[2];

	(void)path;
	(void)err;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		abort();
	if (write(ends[0], said, said_size) != (ssize_t)said_size ||
	    shutdown(ends[0], SHUT_WR))
		abort();
	process = ends[0];
	*fd = ends[1];
	return HOTPATCH_OK;
}

/* Stand for lib/tools/find.c and inspect.c, which do not come into it. */
enum hotpatch_status hp_find_socket(const struct hp_options *options,
				    char *path, struct hotpatch_error *err)
{
	(void)options;
	(void)path;
	return hp_error(err, HOTPATCH_E_NO_PROCESS, 0, "", "none");
}

/* The process again, for each place of several. */
enum hotpatch_status hp_find_processes(const struct hp_options *options,
				       struct hp_found **found, size_t *count,
				       struct hotpatch_error *err)
{
	(void)options;
	(void)err;
	*found = calloc(1, sizeof(**found));
	if (!*found)
		abort();
	*count = 1;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_check_bundle(struct hp_session *session,
				     const struct hp_options *options,
				     struct hotpatch_error *err)
{
	(void)session;
	(void)options;
	(void)err;
	return HOTPATCH_OK;
}

/* Output goes nowhere, but is made; libFuzzer keeps its own. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	FILE *nowhere = fopen("/dev/null", "w");

	(void)argc;
	(void)argv;
	if (!nowhere)
		abort();
	stdout = nowhere;
	stderr = nowhere;
	return 0;
}

static void show_progress(const uint8_t *data, size_t size)
{
	json_t *message = json_loadb((const char *)data, size, 0, NULL);

	hp_progress_show(message);
	hp_progress_clear();
	json_decref(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static enum hotpatch_status (*const commands[])(
		const struct hp_options *options,
		struct hotpatch_error *err) = {
		hp_command_list,   hp_command_status, hp_command_wait,
		hp_command_revert, hp_command_apply,
	};
	struct hp_options options = {
		.socket = "socket",
		.timeout_ms = 1000,
		.policy = "reverse",
		.operand = "/dev/null",
	};
	struct hotpatch_error err = {0};
	enum hotpatch_status status;

	if (!size || size > LONGEST)
		return 0;
	options.json = data[0] & 0x80;
	options.all_patches = data[0] & 0x40;
	options.all = (data[0] & 0x60) == 0x60;
	said = data + 1;
	said_size = size - 1;
	show_progress(said, said_size);
	status = commands[(data[0] & 0x1f) %
			  (sizeof(commands) / sizeof(*commands))](&options,
								  &err);
	/* A failure names itself, and no process can make the command say that
	 * all went well, or print what is no text. */
	if (status && (err.status != status ||
		       !memchr(err.sentence, '\0', sizeof(err.sentence))))
		abort();
	if (status)
		hp_print_error(&err, options.json);
	close(process);
	return 0;
}
