/* SPDX-License-Identifier: MIT */
/*
 * The memory of task records: in chunks that are never unmapped, so that a
 * record's address is good for ever. Hands records out; what is in them, and
 * giving them back by their kind, is the task's.
 */
#ifndef HP_ARENA_H
#define HP_ARENA_H

#include "task.h"

#include <stddef.h>

/* A record that was free, claimed for the caller, and its index; NULL if there
 * is no memory for more. Async-signal-safe. */
struct hp_task *hp_arena_take(size_t *index);

/* Of an index below hp_arena_used(), or one that was taken. */
struct hp_task *hp_arena_record(size_t index);

/*
 * What a fiber has besides its record.
 *
 * @name:        with its NUL
 * @stack_start: 0 if unknown
 */
struct hp_task_detail {
	char name[HP_NAME_SIZE];
	uintptr_t stack_start;
};

/* Of the same index. */
struct hp_task_detail *hp_arena_detail(size_t index);

/* How many records were ever taken. */
size_t hp_arena_used(void);

/* What the chunks take. */
size_t hp_arena_bytes(void);

/* For debuggers. */
void hp_arena_describe(void);

#endif
