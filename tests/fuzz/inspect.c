/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the command inspect, and the comparison with a process that a dry run
 * makes. The input is a bundle's file.
 */
#include "../../lib/store.h"
#include "../../lib/tools/tool.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *contents;
static size_t contents_size;

/* Stand for lib/store.c, so that no file has to be written for each input. */
enum hotpatch_status hp_file_read(const char *path, struct hp_file *file,
				  struct hotpatch_error *err)
{
	(void)path;
	(void)err;
	*file = (struct hp_file){.size = contents_size};
	file->bytes = malloc(contents_size + !contents_size);
	if (!file->bytes)
		abort();
	memcpy(file->bytes, contents, contents_size);
	return HOTPATCH_OK;
}

void hp_file_release(struct hp_file *file)
{
	free(file->bytes);
}

/* Stands for lib/tools/client.c: the process judges, and finds it good. */
enum hotpatch_status hp_session_call(struct hp_session *session,
				     const char *method, json_t *params,
				     const struct hp_request_options *options,
				     json_t **result,
				     struct hotpatch_error *err)
{
	(void)session;
	(void)method;
	(void)options;
	(void)err;
	json_decref(params);
	*result = json_pack("{s:b}", "already", 0);
	return HOTPATCH_OK;
}

/* Output goes nowhere, but is made; libFuzzer keeps its own. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	stdout = fopen("/dev/null", "w");
	return stdout ? 0 : -1;
}

static void check(enum hotpatch_status status, const struct hotpatch_error *err)
{
	if (status && (err->status != status || !*err->sentence))
		abort();
}

static void compare(const struct hp_options *options)
{
	struct hp_session session = {.fd = -1};
	struct hotpatch_error err = {0};

	session.greeting = json_pack("{s:s, s:i, s:s}", "build_id",
				     "0123456789abcdef", "pid", 1, "access",
				     "read");
	check(hp_check_bundle(&session, options, &err), &err);
	json_decref(session.greeting);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_options options = {.operand = "bundle"};
	struct hotpatch_error err = {0};

	contents = data;
	contents_size = size;
	check(hp_command_inspect(&options, &err), &err);
	options.json = true;
	check(hp_command_inspect(&options, &err), &err);
	options.allow_constructors = true;
	compare(&options);
	return 0;
}
