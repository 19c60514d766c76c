/* SPDX-License-Identifier: MIT */
/*
 * The process that signatures.sh works on: with the arguments "serve", a
 * directory of keys and a private directory it takes signed bundles only, and
 * serves a control socket until its input ends. Alone it checks that without a
 * key nothing is asked of a bundle.
 */
#include "words.h"

#include <hotpatch/control.h>
#include <hotpatch/hotpatch.h>
#include <stdio.h>
#include <string.h>

HOTPATCH_FUNCTION(int, answer, (void))
{
	return 41;
}

static int complain(const struct hotpatch_error *err)
{
	fprintf(stderr, "%s\n", err->sentence);
	return 1;
}

/* Answers each word with what the function gives now. */
static int serve(const char *keys, const char *store)
{
	const struct hotpatch_config config = {
		.size = sizeof(config),
		.directory = store,
		.key_directory = keys,
	};
	struct hotpatch_control *control;
	struct hotpatch_error err;
	char word[32];

	if (hotpatch_configure(&config, &err) ||
	    hotpatch_control_start(NULL, &control, &err))
		return complain(&err);
	printf("%s\n", hotpatch_control_path(control));
	fflush(stdout);
	while (read_word(word, sizeof(word))) {
		printf("%d\n", answer());
		fflush(stdout);
	}
	hotpatch_control_stop(control);
	return 0;
}

static int check(void)
{
	const struct hotpatch_config config = {.size = sizeof(config)};
	struct hotpatch_patch *patch;
	struct hotpatch_error err;

	if (hotpatch_configure(&config, &err) ||
	    hotpatch_patch_open(HOTPATCH_TEST_BUNDLES "/newer.so", NULL, &patch,
				&err))
		return complain(&err);
	hotpatch_patch_close(patch);
	return answer() == 41 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3]);
	return check();
}
