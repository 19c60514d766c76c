/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the analysis of a module's file: its segments, symbols, relocations,
 * unwind table and instructions. Whatever the file says, the analysis ends,
 * reads nothing out of bounds, and says of each function only what its bytes
 * allow. The cache is part of the analysis, so that is compiled in here.
 */
#include "../../lib/redirect/code.c"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void *fuzz_mmap(void *address, size_t size, int protection, int flags, int fd,
		off_t offset);
int fuzz_munmap(void *address, size_t size);

/* file.c's, of the file's own size, so that a read past its end is seen. */
void *fuzz_mmap(void *address, size_t size, int protection, int flags, int fd,
		off_t offset)
{
	void *bytes = malloc(size);

	(void)address;
	(void)protection;
	(void)flags;
	if (bytes && pread(fd, bytes, size, offset) == (ssize_t)size)
		return bytes;
	free(bytes);
	return MAP_FAILED;
}

int fuzz_munmap(void *address, size_t size)
{
	(void)size;
	free(address);
	return 0;
}

static void look_at(const struct hp_code *code, const struct hp_function *one)
{
	const struct hp_function *found;
	const char *name = hp_code_name(code, one);
	bool indirect;

	if (hp_code_at(code, one->start) != one)
		abort();
	if (one->refusal == HOTPATCH_REFUSAL_NONE &&
	    one->skip + one->length > one->byte_count)
		abort();
	if (*name &&
	    hp_code_find(code, name, &found, &indirect) == HOTPATCH_OK &&
	    (found < (const struct hp_function *)code->functions.items ||
	     found >= (const struct hp_function *)code->functions.items +
			      code->functions.count))
		abort();
}

static void analyse_input(const char *path)
{
	struct hotpatch_error err = {0};
	const struct hp_function *functions;
	const struct hp_code *code;
	enum hotpatch_status status;
	size_t count;
	size_t i;

	status = hp_code_open(path, "", &code, &err);
	if (status != HOTPATCH_OK) {
		if (err.status != status || !*err.sentence)
			abort();
		return;
	}
	functions = hp_code_functions(code, &count);
	for (i = 0; i < count; i++)
		look_at(code, &functions[i]);
	cache = NULL;
	code_free((struct hp_code *)code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char file[] = "/dev/shm/hotpatch-fuzz-XXXXXX";
	int fd = mkstemp(file);

	if (fd < 0)
		return 0;
	if (write(fd, data, size) == (ssize_t)size)
		analyse_input(file);
	close(fd);
	unlink(file);
	return 0;
}
