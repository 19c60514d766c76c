/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells of this process's user namespace: which numbers are
 * mapped, and the one for all that are not.
 */
#include "outside.h"

#include "file.h"

#include <limits.h>
#include <stdio.h>

/* The kernel's own, unless it was told another. */
#define USUAL 65534

static bool read_number(const char *path, unsigned int *number)
{
	char text[32];

	return hp_file_read_text(path, text, sizeof(text)) &&
	       sscanf(text, "%u", number) == 1;
}

/* Lines of a first number inside, the one outside, and how many follow it. */
static void read_map(const char *path, struct hp_outside *outside)
{
	unsigned long long mapped = 0;
	unsigned int first;
	unsigned int count;
	char line[64];
	FILE *map = fopen(path, "re");

	if (!map)
		return;
	outside->shared = false;
	while (fgets(line, sizeof(line), map)) {
		if (sscanf(line, "%u %*u %u", &first, &count) != 2)
			continue;
		mapped += count;
		outside->shared |= outside->number >= first &&
				   outside->number - first < count;
	}
	/* All but the number that means none. */
	outside->any = mapped < UINT_MAX;
	if (ferror(map))
		outside->any = outside->shared = true;
	fclose(map);
}

static void look(struct hp_outside *outside, const char *number,
		 const char *map)
{
	*outside = (struct hp_outside){USUAL, true, true};
	if (read_number(number, &outside->number))
		read_map(map, outside);
}

void hp_outside_users(struct hp_outside *outside)
{
	look(outside, "/proc/sys/kernel/overflowuid", "/proc/self/uid_map");
}

void hp_outside_groups(struct hp_outside *outside)
{
	look(outside, "/proc/sys/kernel/overflowgid", "/proc/self/gid_map");
}
