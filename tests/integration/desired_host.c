/* SPDX-License-Identifier: MIT */
/*
 * The process that desired.sh starts again and again: it brings what is active
 * to what is desired before it serves. With the arguments "serve", a directory
 * and perhaps one of keys it prints what became of each bundle on one line and
 * its socket on the next, and then answers each line of its standard input with
 * what its two functions give; alone it checks that it would.
 */
#include "words.h"

#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>
#include <stdio.h>
#include <string.h>

HOTPATCH_FUNCTION(int, answer, (void))
{
	return 0;
}

HOTPATCH_FUNCTION(int, question, (void))
{
	return 0;
}

static void tell(const struct hotpatch_outcome *outcome, void *data)
{
	(void)data;
	printf("%s=%s ", outcome->name, hotpatch_status_name(outcome->status));
}

/* Whatever became of the bundles, it serves. */
static int converge(const char *directory, const char *keys)
{
	const struct hotpatch_config config = {
		.size = sizeof(config),
		.directory = directory,
		.key_directory = keys,
	};
	const struct hotpatch_converge_options options = {
		.size = sizeof(options),
		.told = tell,
	};
	struct hotpatch_error err;
	enum hotpatch_status status;

	if (hotpatch_configure(&config, &err)) {
		fprintf(stderr, "%s\n", err.sentence);
		return 1;
	}
	status = hotpatch_converge(&options, &err);
	printf("%s\n", hotpatch_status_name(status));
	return 0;
}

static int serve(const char *directory, const char *keys)
{
	struct hotpatch_control *control;
	struct hotpatch_error err;
	char word[32];

	if (converge(directory, keys))
		return 1;
	if (hotpatch_control_start(NULL, &control, &err)) {
		fprintf(stderr, "%s\n", err.sentence);
		return 1;
	}
	printf("%s\n", hotpatch_control_path(control));
	fflush(stdout);
	while (read_word(word, sizeof(word))) {
		printf("%d %d\n", answer(), question());
		fflush(stdout);
	}
	hotpatch_control_stop(control);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argc > 3 ? argv[3] : NULL);
	return answer() + question();
}
