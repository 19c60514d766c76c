/* SPDX-License-Identifier: MIT */
/*
 * The scan over all task records, which tells who is in the way, and who is
 * there. What tasks write to their records is task.c's.
 */
#ifndef HP_SCAN_H
#define HP_SCAN_H

#include "task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a scan copies out of a record. */
struct hp_task_sight {
	enum hp_task_kind kind;
	int thread;
	uint64_t seen;
	uint64_t held;
	uintptr_t frame;
	uintptr_t where;
	uintptr_t stack_start;	 /* of a fiber, 0 if unknown */
	uintptr_t stack_stop;	 /* likewise */
	uint32_t turns;		 /* of a fiber, how often it came to run */
	char name[HP_NAME_SIZE]; /* of a fiber */
};

/*
 * Views that are in the way of something: those from @first up to, but not
 * including, @limit. With @parity 0 or 1 only those whose distance to @first
 * is even or odd; HP_ANY_PARITY for all.
 */
#define HP_ANY_PARITY 2
struct hp_task_range {
	uint64_t first;
	uint64_t limit;
	unsigned int parity;
};

/* Is @seen, which may be 0 for at rest, in one of the @count ranges? */
bool hp_scan_ranges_have(const struct hp_task_range *ranges, size_t count,
			 uint64_t seen);

/* True if no task has a view in one of the @count ranges. */
bool hp_scan_none_in(const struct hp_task_range *ranges, size_t count);

/* The oldest view of any task in a section, UINT64_MAX if there is none. */
uint64_t hp_scan_oldest(void);

/* Copies record @index; false past the last one. */
bool hp_scan_look(size_t index, struct hp_task_sight *sight);

/* Moves record @index from view @from to @to on its behalf; false if it moved
 * by itself meanwhile. */
bool hp_scan_adopt_for(size_t index, uint64_t from, uint64_t to);

/* How many there are. */
size_t hp_scan_count(void);

#endif
