/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the command line, with what its arguments name: the file is read, the
 * socket is tried. The input has one argument a line. Files of every kind lie
 * in a folder of its own, and no name that is tried leads out of it; so corpora
 * have to be named by absolute paths.
 */
#include "../../lib/file.h"
#include "../../lib/tools/tool.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS 32

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stand for the commands: what is fuzzed ends where they begin. */
#define COMMAND(name)                                                          \
	enum hotpatch_status hp_command_##name(                                \
		const struct hp_options *options, struct hotpatch_error *err)  \
	{                                                                      \
		(void)options;                                                 \
		(void)err;                                                     \
		return HOTPATCH_OK;                                            \
	}

COMMAND(list)
COMMAND(status)
COMMAND(apply)
COMMAND(revert)
COMMAND(wait)
COMMAND(canary)
COMMAND(enable)
COMMAND(disable)
COMMAND(converge)
COMMAND(verify)
COMMAND(log)
COMMAND(metrics)
COMMAND(inspect)
COMMAND(keygen)
COMMAND(sign)
COMMAND(verify_signature)
COMMAND(seal)
COMMAND(check)
COMMAND(assess)
COMMAND(help)
COMMAND(version)

static void require(bool condition)
{
	if (!condition)
		abort();
}

static char folder[] = "/tmp/hotpatch-fuzz-XXXXXX";

static void remove_folder(void)
{
	unlink("file");
	unlink("empty");
	unlink("link");
	unlink("pipe");
	rmdir("folder");
	rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd;

	(void)argc;
	(void)argv;
	require(mkdtemp(folder) && !chdir(folder));
	fd = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	require(fd >= 0 && write(fd, "contents", 8) == 8 && !close(fd));
	fd = open("empty", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	require(fd >= 0 && !close(fd));
	require(!symlink("file", "link") && !mkdir("folder", 0700) &&
		!mkfifo("pipe", 0600));
	atexit(remove_folder);
	return 0;
}

static bool is_readable(const char *name)
{
	return !strcmp(name, "file") || !strcmp(name, "empty");
}

static void try_names(const struct hp_options *options)
{
	struct hotpatch_error err = {0};
	struct hp_file file = {0};
	enum hotpatch_status status;
	int fd;

	if (options->operand && !strchr(options->operand, '/')) {
		status = hp_file_read(options->operand, &file, &err);
		require(!status == is_readable(options->operand));
		require(err.status == status && (!status || *err.sentence));
		hp_file_release(&file);
	}
	if (options->socket && !strchr(options->socket, '/')) {
		status = hp_socket_connect(options->socket, &fd, &err);
		require(status && err.status == status && *err.sentence);
	}
}

/* What the commands rely on. */
static void check(const struct hp_options *options)
{
	require(options->command && options->command->run);
	/* --help and --version take the place of any command. */
	require(!options->command->operand || options->all_patches ||
		options->operand);
	require(options->pid >= 0 && options->timeout_ms >= 0);
	require(!!options->pid + !!options->socket + !!options->program +
			!!options->unit + options->all <=
		1);
	require(options->policy && *options->policy);
	try_names(options);
}

static void parse(int argc, char **argv)
{
	struct hp_options options;
	struct hotpatch_error err = {0};
	enum hotpatch_status status;

	optind = 0; /* a new command line */
	status = hp_options_parse(argc, argv, &options, &err);
	if (!status)
		check(&options);
	else
		require(status == HOTPATCH_E_USAGE && err.status == status &&
			*err.sentence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[ARGUMENTS + 2] = {"hotpatch"};
	int argc = 1;
	char *text = malloc(size + 1);
	char *at = text;
	char *line;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	/* Each of its own size, so that a read past its end is seen. */
	while ((line = strsep(&at, "\n")) && argc <= ARGUMENTS)
		if (*line || at)
			argv[argc++] = strdup(line);
	argv[argc] = NULL;
	parse(argc, argv);
	while (argc > 1)
		free(argv[--argc]);
	free(text);
	return 0;
}
