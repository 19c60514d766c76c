/* SPDX-License-Identifier: MIT */
/*
 * Task records: who has a view, and which. Owns what is in them, the slow paths
 * of enter, leave and safe point. Knows generations, not patches. scan.h looks
 * at all of them.
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

/* Before any other function of this module; false if no key could be had. */
bool hp_task_start(bool fenced);

/* True if the calling task is inside a section. */
bool hp_task_in_section(void);
/* The same, if it is a thread and no fiber. */
bool hp_task_is_thread_in_section(void);

/* Makes the next generation. Wants the engine's lock; owes a hp_barrier(). */
void hp_view_advance(void);
/* Likewise, but nobody may enter with it: see rendezvous.c. */
void hp_view_close(void);
void hp_view_open(void);
/* Makes @generation the newest one, without letting anybody enter but as
 * hp_canary_view() says, or, where that has nothing to say, with it. */
void hp_view_offer(uint64_t generation);

/* Gives back record @index, which is that of a thread that is gone. Wants the
 * engine's lock: then nobody else can. */
void hp_task_reclaim(size_t index);

/* In the child of a fork: every other thread's record is given back. */
void hp_task_fork_child(void);

/* For debuggers. */
void hp_task_describe(void);

#endif
