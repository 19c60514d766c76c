/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the comparison of prototypes. The input is two texts with a line feed
 * between them.
 */
#include "../../lib/prototype.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *both = malloc(size + 1);
	char *one = NULL;
	char *other;

	if (!both)
		return 0;
	memcpy(both, data, size);
	both[size] = '\0';
	other = strchr(both, '\n');
	if (!other)
		goto out;
	*other++ = '\0';
	/* Of its own size, so that a read past its end is seen. */
	one = strdup(both);
	if (!one)
		goto out;
	if (!hp_prototype_equal(one, both))
		abort();
	if (hp_prototype_equal(one, other) != hp_prototype_equal(other, one))
		abort();
out:
	free(one);
	free(both);
	return 0;
}
