/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the moving of a function's first instructions. The input is the
 * function's bytes, and before them how far they are moved and whether one or
 * two. What is said to be movable has to fit, with each instruction where it is
 * said to be.
 */
#include "../../lib/redirect/decode.h"

#include <stdlib.h>
#include <string.h>

#define FROM UINT64_C(0x7f0000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void move(const unsigned char *bytes, size_t size, int64_t distance,
		 size_t count)
{
	struct hp_relocated relocated = {.size = 0};
	size_t i;

	if (!hp_relocate(bytes, size, FROM, FROM + (uint64_t)distance, count,
			 &relocated))
		return;
	if (relocated.size > HP_RELOCATED_LIMIT || relocated.count != count ||
	    (count == 2 && relocated.second >= relocated.size))
		abort();
	for (i = 0; i < count; i++)
		if (relocated.moved[i].at > relocated.size)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_head head;
	unsigned char *bytes;
	int32_t distance;

	if (size < sizeof(distance))
		return 0;
	memcpy(&distance, data, sizeof(distance));
	size -= sizeof(distance);
	/* Of its own size, so that a read past its end is seen. */
	bytes = malloc(size + !size);
	if (!bytes)
		return 0;
	memcpy(bytes, data + sizeof(distance), size);
	if (hp_decode_head(bytes, size, &head)) {
		if ((size_t)head.skip + head.length + head.next_length > size)
			abort();
		if (head.movable)
			move(bytes, size, distance, 1);
		if (head.movable && head.next_length)
			move(bytes, size, distance, 2);
	}
	free(bytes);
	return 0;
}
