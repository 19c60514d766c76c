/* SPDX-License-Identifier: MIT */
/*
 * MAP_FIXED_NOREPLACE never takes what others have mapped since the snapshot.
 * The stretches where the stack and the heap may still grow to count as taken.
 */
#include "space.h"

#include "../arch/jump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOWEST ((uintptr_t)0x10000) /* vm.mmap_min_addr */
#define STACK_GROWTH ((uintptr_t)256 << 20)
#define HEAP_GROWTH ((uintptr_t)64 << 20)
#define ATTEMPTS 8

/* How many mappings begin at or before @address. */
static size_t count_before(const struct hp_space *space, uintptr_t address)
{
	size_t low = 0;
	size_t high = space->count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (space->mappings[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool insert(struct hp_space *space, const struct hp_mapping *mapping)
{
	size_t capacity = space->capacity ? space->capacity * 2 : 256;
	size_t place = count_before(space, mapping->start);
	struct hp_mapping *grown;

	if (space->count == space->capacity) {
		grown = realloc(space->mappings, capacity * sizeof(*grown));
		if (!grown) {
			space->cause = ENOMEM;
			return false;
		}
		space->mappings = grown;
		space->capacity = capacity;
	}
	memmove(&space->mappings[place + 1], &space->mappings[place],
		(space->count - place) * sizeof(*mapping));
	space->mappings[place] = *mapping;
	space->count++;
	return true;
}

static void remove_at(struct hp_space *space, size_t index)
{
	space->count--;
	memmove(&space->mappings[index], &space->mappings[index + 1],
		(space->count - index) * sizeof(*space->mappings));
}

/* Where the stack may grow to, but for what is mapped below it already. */
static uintptr_t grown_down(const struct hp_space *space, uintptr_t start)
{
	uintptr_t floor =
		space->count ? space->mappings[space->count - 1].stop : 0;

	return start - floor > STACK_GROWTH ? start - STACK_GROWTH : floor;
}

static bool read_line(struct hp_space *space, const char *line)
{
	struct hp_mapping mapping = {.start = 0};
	unsigned long start;
	unsigned long stop;
	unsigned long offset;
	unsigned long inode;
	char modes[5];

	if (sscanf(line, "%lx-%lx %4s %lx %*s %lu", &start, &stop, modes,
		   &offset, &inode) != 5)
		return true;
	mapping.start = start;
	mapping.stop = stop;
	mapping.offset = offset;
	mapping.inode = inode;
	mapping.plain_code = strcmp(modes, "r-xp") == 0;
	if (strstr(line, "[stack]"))
		mapping.start = grown_down(space, start);
	if (strstr(line, "[heap]"))
		mapping.growth = HEAP_GROWTH;
	return insert(space, &mapping);
}

static bool read_file(struct hp_space *space, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool complete = true;

	if (!file)
		return false;
	while (complete && fgets(line, sizeof(line), file))
		complete = read_line(space, line);
	complete = complete && !ferror(file);
	fclose(file);
	return complete;
}

/* The first is what emulators show the program's own mappings in; it has none,
 * or cannot be opened, once the main thread has exited. */
static bool read_mappings(struct hp_space *space)
{
	bool complete = read_file(space, "/proc/self/maps");

	if (complete ? !space->count : errno == ESRCH)
		complete = read_file(space, "/proc/thread-self/maps");
	return complete && space->count > 0;
}

bool hp_space_open(struct hp_space *space)
{
	int cause;

	memset(space, 0, sizeof(*space));
	space->memory = open("/proc/thread-self/mem", O_RDWR | O_CLOEXEC);
	if (space->memory >= 0 && read_mappings(space))
		return true;
	cause = errno;
	hp_space_close(space);
	errno = cause;
	return false;
}

void hp_space_close(struct hp_space *space)
{
	if (space->memory >= 0)
		close(space->memory);
	free(space->mappings);
	space->mappings = NULL;
	space->count = 0;
	space->memory = -1;
}

/* The first mapping that ends behind @address. */
static size_t first_behind(const struct hp_space *space, uintptr_t address)
{
	size_t before = count_before(space, address);

	return before && space->mappings[before - 1].stop > address ?
		       before - 1 :
		       before;
}

const struct hp_mapping *hp_space_find(const struct hp_space *space,
				       uintptr_t address)
{
	size_t index = first_behind(space, address);

	if (index == space->count || space->mappings[index].start > address)
		return NULL;
	return &space->mappings[index];
}

/* Where something that is not to be taken ends. */
static uintptr_t end_of(const struct hp_space *space,
			const struct hp_mapping *mapping)
{
	return mapping->stop + (space->crowded ? 0 : mapping->growth);
}

void hp_space_crowd(struct hp_space *space, bool crowded)
{
	space->crowded = crowded;
}

static uintptr_t clamp(uintptr_t value, uintptr_t low, uintptr_t high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

static uintptr_t distance(uintptr_t a, uintptr_t b)
{
	return a > b ? a - b : b - a;
}

/* A free place between @low and @high, the nearest to @near; 0 for none. */
static uintptr_t nearest_gap(const struct hp_space *space, size_t index,
			     uintptr_t from, uintptr_t high, uintptr_t near,
			     size_t size)
{
	uintptr_t best = 0;
	uintptr_t to;
	uintptr_t place;

	for (; from <= high; index++) {
		to = index < space->count ? space->mappings[index].start :
					    high + size;
		if (to >= size && to - size >= from) {
			place = clamp(near, from,
				      to - size < high ? to - size : high);
			if (!best ||
			    distance(place, near) < distance(best, near))
				best = place;
		}
		if (index >= space->count)
			break;
		if (end_of(space, &space->mappings[index]) > from)
			from = end_of(space, &space->mappings[index]);
	}
	return best;
}

/* The same between @low and @high; growth of what lies before counts. */
static uintptr_t find_free(const struct hp_space *space, uintptr_t low,
			   uintptr_t high, uintptr_t near, size_t size)
{
	size_t index = first_behind(space, low);
	uintptr_t from = low;

	/* The mapping before may still grow to here. */
	if (index && end_of(space, &space->mappings[index - 1]) > from)
		from = end_of(space, &space->mappings[index - 1]);
	return nearest_gap(space, index, from, high, near, size);
}

/* Pages of relays are many, and often neighbours: those are one mapping, as
 * they are for the kernel, which keeps the snapshot short. */
static bool occupy(struct hp_space *space, uintptr_t start, uintptr_t stop)
{
	const struct hp_mapping mapping = {
		.start = start, .stop = stop, .taken = true};
	size_t index = count_before(space, start);
	struct hp_mapping *next = &space->mappings[index];
	struct hp_mapping *previous = next - 1;
	bool joins_previous = index && previous->taken &&
			      previous->stop == start;
	bool joins_next = index < space->count && next->taken &&
			  next->start == stop;

	if (joins_previous)
		previous->stop = joins_next ? next->stop : stop;
	else if (joins_next)
		next->start = start;
	else
		return insert(space, &mapping);
	if (joins_previous && joins_next)
		remove_at(space, index);
	return true;
}

/* The opposite; without memory the snapshot has more than there is. */
static void vacate(struct hp_space *space, uintptr_t start, uintptr_t stop)
{
	size_t index = first_behind(space, start);
	struct hp_mapping *mapping = &space->mappings[index];
	struct hp_mapping rest;

	if (index == space->count || mapping->start > start)
		return;
	if (mapping->start == start && mapping->stop == stop) {
		remove_at(space, index);
	} else if (mapping->start == start) {
		mapping->start = stop;
	} else if (mapping->stop == stop) {
		mapping->stop = start;
	} else {
		rest = *mapping;
		rest.start = stop;
		if (insert(space, &rest))
			space->mappings[index].stop = start;
	}
}

static void *map_at(uintptr_t start, size_t size,
		    const struct hp_source *source)
{
	int flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE;

	return mmap((void *)start, size, PROT_READ | PROT_EXEC,
		    source ? flags : flags | MAP_ANONYMOUS,
		    source ? source->file : -1, source ? source->offset : 0);
}

uintptr_t hp_space_take(struct hp_space *space, uintptr_t low, uintptr_t high,
			uintptr_t near, size_t size,
			const struct hp_source *source)
{
	int attempts = ATTEMPTS;
	uintptr_t start;
	void *taken;

	low = (clamp(low, LOWEST, HP_ADDRESS_LIMIT) + HP_PAGE - 1) &
	      ~(HP_PAGE - 1);
	high = clamp(high, LOWEST, HP_ADDRESS_LIMIT - size) & ~(HP_PAGE - 1);
	near &= ~(HP_PAGE - 1);
	while (low <= high && attempts--) {
		start = find_free(space, low, high, near, size);
		if (!start)
			return 0;
		/* Without room in the snapshot nothing is mapped, so that it
		 * stays true. */
		if (!occupy(space, start, start + size))
			return 0;
		taken = map_at(start, size, source);
		if (taken == (void *)start)
			return start;
		if (taken != MAP_FAILED) {
			munmap(taken, size); /* a kernel before 4.17 */
			return 0;
		}
		if (errno != EEXIST) {
			space->cause = errno;
			vacate(space, start, start + size);
			return 0;
		}
	}
	return 0;
}

enum hotpatch_status hp_space_failure(const struct hp_space *space)
{
	if (!space->cause)
		return HOTPATCH_E_NO_ROOM;
	errno = space->cause;
	return space->cause == ENOMEM ? HOTPATCH_E_NO_MEMORY : HOTPATCH_E_TEXT;
}

void hp_space_give_back(struct hp_space *space, uintptr_t start, size_t size)
{
	munmap((void *)start, size);
	vacate(space, start, start + size);
}

bool hp_space_write(const struct hp_space *space, uintptr_t to,
		    const void *bytes, size_t size)
{
	ssize_t written = pwrite(space->memory, bytes, size, (off_t)to);

	/* Where the caches of code and of data know nothing of each other. */
	__builtin___clear_cache((char *)to, (char *)to + size);
	if (written >= 0 && (size_t)written != size)
		errno = EIO;
	return written >= 0 && (size_t)written == size;
}
