/* SPDX-License-Identifier: MIT */
/*
 * Task records: who has a view, and which. Owns what is in them, the slow paths
 * of enter, leave and safe point, and the scan that tells who is in the way.
 * Knows generations, not patches.
 */
#ifndef HP_TASK_H
#define HP_TASK_H

#include <hotpatch/section.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hp_task_kind {
	HP_TASK_FREE,
	HP_TASK_CLAIMED, /* being made; never looked at */
	HP_TASK_THREAD,
	HP_TASK_FIBER,
};

/*
 * One cache line. @head.seen and the members below are written by the task's
 * own thread and read by scans; @head.depth belongs to the task alone.
 *
 * @held:   images, as bits of their index modulo 64, that were on the stack
 *          between the safe point and the section's frame at the last adoption
 * @kind:   enum hp_task_kind
 * @thread: id of the thread; for a fiber, of the one that runs it, or 0
 * @stack_stop: of a fiber, 0 if unknown
 * @key:    by which a canary takes it or not; the task's alone
 */
struct hp_task {
	struct hotpatch_task head;
	uint64_t held;
	uint32_t kind;
	int32_t thread;
	uintptr_t stack_stop;
	uint64_t key;
};

/* Bits of @head.depth beside HOTPATCH_ENTERING and the count of enters. */
#define HP_DEPTH_FENCED 0x80000000u /* always take the slow paths */
#define HP_DEPTH_HELD 0x40000000u   /* leave must clear @held */
#define HP_DEPTH_COUNT 0x3ffffffeu

/* Of a fiber's name with its NUL. */
#define HP_NAME_SIZE 16

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

/* Before any other function of this module; false if no key could be had. */
bool hp_task_start(bool fenced);

/* True if the calling task is inside a section. */
bool hp_task_in_section(void);
/* The same, if it is a thread and no fiber. */
bool hp_task_is_thread_in_section(void);

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
bool hp_task_ranges_have(const struct hp_task_range *ranges, size_t count,
			 uint64_t seen);

/* True if no task has a view in one of the @count ranges. */
bool hp_task_none_in(const struct hp_task_range *ranges, size_t count);

/* The oldest view of any task in a section, UINT64_MAX if there is none. */
uint64_t hp_task_oldest(void);

/* Makes the next generation. Wants the engine's lock; owes a hp_barrier(). */
void hp_view_advance(void);
/* Likewise, but nobody may enter with it: see rendezvous.c. */
void hp_view_close(void);
void hp_view_open(void);
/* Makes @generation the newest one, without letting anybody enter but as
 * hp_canary_view() says, or, where that has nothing to say, with it. */
void hp_view_offer(uint64_t generation);

/* Copies record @index; false past the last one. */
bool hp_task_look(size_t index, struct hp_task_sight *sight);

/* Moves record @index from view @from to @to on its behalf; false if it moved
 * by itself meanwhile. */
bool hp_task_adopt_for(size_t index, uint64_t from, uint64_t to);

/* Gives back record @index, which is that of a thread that is gone. Wants the
 * engine's lock: then nobody else can. */
void hp_task_reclaim(size_t index);

/* In the child of a fork: every other thread's record is given back. */
void hp_task_fork_child(void);

size_t hp_task_count(void);

/* For debuggers. */
void hp_task_describe(void);

#endif
