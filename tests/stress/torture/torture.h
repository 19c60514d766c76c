/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the torture share. A thread of each kind is a function
 * that runs until is_over(); each has a generator of its own, so a seed makes
 * every thread decide alike again.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include "../../../lib/atomic.h"
#include "../../../lib/step.h"
#include "../../sanitized.h"
#include "header.h"

#include <hotpatch/hotpatch.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define HAS_CRASHES (!SANITIZED)

/* Versions 1 to VERSIONS are bundles, 0 is the program itself. */
#define CHANGERS 3
#define EACH 2 /* bundles of a changer, which lie on each other */
#define QUIET_VERSION (CHANGERS * EACH + 1)
#define CHILD_VERSION (CHANGERS * EACH + 2)
#define CALLBACK_VERSION (CHANGERS * EACH + 3)
#define MEETING_VERSION (CHANGERS * EACH + 4)
#define VERSIONS MEETING_VERSION

/* Of a task's depth: HP_DEPTH_FENCED, in lib/task.h. */
#define ALWAYS_SLOW 0x80000000u

/* For whom tasks work, so many. */
#define TASK_KEYS 8

/* ---- What can be patched (torture.c) ---- */

int first_answer(void);
int second_answer(int hurry);
int third_answer(int depth);

/* ---- Chance and delays (chance.c) ---- */

struct options {
	unsigned long seed;
	double seconds;
	double patience_s;    /* without any progress: a hang */
	bool focus[HP_STEPS]; /* steps that are delayed most */
	const char *only;     /* kinds of readers, or NULL for all */
	const char *bundles;  /* their folder */
};

extern struct options options;

uint32_t roll(uint64_t *state, uint32_t sides);
/* Gives the calling thread the decisions of number @index. */
void chance_start(unsigned int index);
/* Delays the caller now and then; called by bundles, too. */
void linger(void);
/* The calling thread's next delay there is one of milliseconds. */
void linger_long_once(void);
void nap(uint64_t *state, uint32_t longest_us);
uint64_t now_ns(void);
/* From now on waiters do not look by themselves, until it is false again. */
void stretch_pauses(bool stretch);

/* ---- Failing (torture.c) ---- */

bool is_over(void);
_Noreturn void fail(const char *what, int a, int b);
void must(enum hotpatch_status status, const struct hotpatch_error *err);
void count_change(void);

/* ---- What may be seen (oracle.c) ---- */

/* What is known of the patches at one moment. */
struct sight {
	uint64_t word[VERSIONS + 1];
	uint64_t coming[VERSIONS + 1];
	uint64_t on[VERSIONS + 1];
};

struct section {
	struct sight before; /* when enter or a safe point was called */
	struct sight after;  /* when it had returned */
	uint64_t mark;	     /* of adoptions, before both */
	uint64_t tries;	     /* to meet, that were over before both */
	uint64_t meeting;    /* after both */
	bool is_handler;     /* does not wait for a meeting */
	bool is_fresh;	     /* chose its view between before and after */
	int version;	     /* that was seen, or -1 */
};

enum phase {
	OFF,
	COMING,
	ON,
	GOING,
	/* Of a canary, which strangers never see: */
	SHARED,	 /* for some tasks */
	STOPPED, /* for none from now on, but sections go on */
	WHOLE	 /* for each from now on, but sections go on */
};

/* Told by the changers: COMING, SHARED and GOING before the call, OFF and ON
 * when the transition is over, STOPPED and WHOLE after the call. */
void oracle_tell(int version, enum phase phase);
/* Around an apply that moves sleepers without their doing. */
void oracle_adopting(bool begins);
uint64_t oracle_mark(void);
bool oracle_is_strict(uint64_t mark);
void oracle_look(struct sight *sight);
void oracle_begin(struct section *section);
void oracle_check(struct section *section, int version);
/* A call in no section gave @version; @before is from before the call. */
void oracle_check_stranger(const struct sight *before, int version);

/* From now on the thread is trusted to be in no patchable function when it is
 * at rest: nobody has to catch it asleep. */
static inline void become_task(void)
{
	hotpatch_enter();
	hotpatch_leave();
}

/* ---- Callbacks and meetings (meetings.c) ---- */

uint64_t meeting_now(void);
uint64_t meeting_tries(bool ended);
void meetings_forget(void); /* in a child */
void *change_with_callbacks(void *index);
void *change_by_meeting(void *index);

/* @deep: how many enters it is in if it is about to choose a view. */
static inline void section_prepare(struct section *section, uint32_t deep)
{
	section->is_handler = false;
	/* Without the flags of lib/task.h; an enter that is half done counts
	 * for the safe point of a handler, not for its enter. */
	section->is_fresh = (hotpatch_self->depth & 0x3fffffff &
			     (deep ? ~0u : ~1u)) == deep * HOTPATCH_NESTING;
	section->mark = oracle_mark();
	section->tries = meeting_tries(true);
	oracle_look(&section->before);
}

/* Inlined, so that the frame that is recorded outlives the section. */
static inline __attribute__((always_inline)) void
section_enter(struct section *section)
{
	section_prepare(section, 0);
	hotpatch_enter();
	oracle_begin(section);
}

static inline __attribute__((always_inline)) void
section_safe_point(struct section *section)
{
	section_prepare(section, 1);
	hotpatch_safe_point();
	oracle_begin(section);
}

/* Asks all functions and checks that they agree and may answer so. */
void look(struct section *section);

/* The last look of a section, and its end. */
static inline __attribute__((always_inline)) void
section_leave(struct section *section)
{
	HP_ORDER(LEAVE_RELEASE, look(section), hotpatch_leave());
}

/* ---- Quiet (quiet.c) ---- */

/* Each reader's loop comes by; while it is quiet it stays, in a section that
 * passes safe points or at rest. */
void quiet_point(bool in_section);
void quiet_expect(unsigned int readers);
uint64_t quiet_waits_since(void); /* ns; 0: nobody waits for a wake-up */
void *keep_quiet(void *index);
/* Around what a changer does. */
void quiet_begin_change(void);
void quiet_end_change(void);
/* Held for writing: no change is under way. */
extern pthread_rwlock_t quiet_changes_lock;
/* Around making threads and their ends (forks.c). */
void crew_begin_change(void);
void crew_end_change(void);

/* ---- A store buffer that drains late (buffer.c) ---- */

void *work_buffered(void *index);
void buffer_fence(void);   /* every thread passes one */
void buffer_abandon(void); /* in a child */
bool buffer_is_in_use(void);
void buffer_wait(uint64_t *state);

/* ---- Threads (readers.c, fibers.c, forks.c, changers.c) ---- */

void catch_storms(void);
void short_sections(uint64_t *state);
void *work(void *index);
void *work_always_slow(void *index);
void *work_shortly(void *index);
void *doze(void *index);
void *come_and_go(void *index);
void *call_as_stranger(void *index);
void *work_in_a_storm(void *index);
void *run_fibers(void *index);
void abandon_fibers(void);
void *fork_children(void *index);
void *change(void *index);

struct hotpatch_patch *open_version(int version);
void expect_unmapped(const struct hotpatch_patch *patch);
/* Waits until it is gone, and closes the handle. */
void close_unmapped(struct hotpatch_patch *patch, int version);
extern const struct hotpatch_apply_options patient;

#endif
