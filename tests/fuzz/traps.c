/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the search for what compilers did to functions of a hostile program:
 * its symbols, its debugging information and its machine code. Each function is
 * judged as if it were to be redirected.
 */
#include "../../lib/tools/seal/seal.h"
#include "../../lib/tools/seal/traps.h"

#include <stdlib.h>
#include <string.h>
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

static void judge_all(const struct hp_binary *binary)
{
	const struct hp_function *functions = binary->functions.items;
	struct hp_problems problems = {.several = false};
	struct hp_traps traps = {.binary = NULL};
	size_t i;

	if (hp_traps_open(&traps, binary))
		for (i = 0; i < binary->functions.count; i++)
			hp_traps_check(&traps, &functions[i], &problems);
	hp_traps_close(&traps);
	hp_problems_release(&problems);
}

static void look_at(const char *path)
{
	struct hp_binary binary = {.path = NULL};
	struct hotpatch_error err = {0};
	enum hotpatch_status status;

	status = hp_binary_open(&binary, path, &err);
	if (status == HOTPATCH_OK)
		status = hp_binary_read_debug(&binary, NULL, &err);
	if (status == HOTPATCH_OK)
		judge_all(&binary);
	else if (err.status != status || !*err.sentence)
		abort();
	hp_binary_close(&binary);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char file[] = "/dev/shm/hotpatch-fuzz-XXXXXX";
	int fd = mkstemp(file);

	if (fd < 0)
		return 0;
	if (write(fd, data, size) == (ssize_t)size)
		look_at(file);
	close(fd);
	unlink(file);
	return 0;
}
