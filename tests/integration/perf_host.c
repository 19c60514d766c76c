/* SPDX-License-Identifier: MIT */
/*
 * The process that perf.sh samples: for each line that it reads it computes
 * for a while, in the function of a bundle, and says when it is over.
 */
#include <hotpatch/hotpatch.h>
#include <stdio.h>
#include <time.h>

#define BURN_NS 400000000ull

unsigned long perf_host_burn(unsigned long value);

static unsigned long long spent_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (unsigned long long)now.tv_sec * 1000000000u +
	       (unsigned long long)now.tv_nsec;
}

/* Bundles call it, so that there is a frame of the host's in theirs. */
unsigned long perf_host_burn(unsigned long value)
{
	unsigned long long end_ns = spent_ns() + BURN_NS;
	int i;

	while (spent_ns() < end_ns) {
		for (i = 0; i < 100000; i++)
			value = value * 6364136223846793005u + 1;
	}
	return value;
}

HOTPATCH_FUNCTION(unsigned long, burn, (unsigned long value))
{
	return value;
}

static int apply(struct hotpatch_error *err)
{
	struct hotpatch_patch *patch;

	return hotpatch_patch_open(HOTPATCH_TEST_BUNDLES "/fix-burn.so", NULL,
				   &patch, err) ||
	       hotpatch_patch_apply(patch, NULL, err) ||
	       hotpatch_patch_wait(patch, HOTPATCH_DRAINED, 20000, err);
}

int main(int argc, char **argv)
{
	struct hotpatch_error err = {.status = HOTPATCH_OK};
	unsigned long value = 1;
	char line[16];

	(void)argv;
	if (apply(&err)) {
		fprintf(stderr, "not ready: %s\n", err.sentence);
		return 1;
	}
	if (argc == 1)
		return 0;
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		hotpatch_enter();
		value = burn(value);
		hotpatch_leave();
		puts(value ? "done" : "done, by chance with nothing");
		fflush(stdout);
	}
	return 0;
}
