/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what hotpatch seal does with a hostile target or bundle: whatever a
 * file's symbols and debugging information say, the analysis ends, with an
 * error or with problems, and reads nothing out of bounds. The input stands for
 * the target and, if it is a bundle, for the bundle as well.
 */
#include "../../lib/tools/seal/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the tool, but nothing is printed here. */
json_t *hp_wire_text(const char *text)
{
	return json_string(text);
}

void hp_print(const char *format, ...)
{
	(void)format;
}

static void check(const char *bundle, const char *target)
{
	struct hp_seal seal = {.debug_directory = NULL};
	struct hotpatch_error err = {0};
	enum hotpatch_status status;

	status = hp_seal_open(&seal, bundle, &target, 1, &err);
	if (status == HOTPATCH_OK)
		status = hp_seal_analyse(&seal, &err);
	if (status != HOTPATCH_OK && (err.status != status || !*err.sentence))
		abort();
	hp_seal_close(&seal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bundle = getenv("HOTPATCH_FUZZ_BUNDLE");
	char path[64];
	char file[] = "/dev/shm/hotpatch-fuzz-XXXXXX";
	int fd = mkstemp(file);

	if (fd < 0)
		return 0;
	snprintf(path, sizeof(path), "%s", file);
	if (write(fd, data, size) == (ssize_t)size) {
		check(bundle ? bundle : path, path);
		check(path, path);
	}
	close(fd);
	unlink(file);
	return 0;
}
