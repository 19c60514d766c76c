/* SPDX-License-Identifier: MIT */
/*
 * Runs a scenario once to count its calls, and then once for each call that
 * can fail, in a fresh child each time, so that no cache is warm and a crash
 * is told from a refusal. What the step in which the fault came must answer
 * is in the test's table; that nothing else changed is checked by the
 * scenario.
 */
#ifndef FAULTS_RUNNER_H
#define FAULTS_RUNNER_H

#include "inject.h"

#include <hotpatch/hotpatch.h>

/*
 * One row: what a step answers when a call of @fault about @object (a part of
 * its text; NULL for any) fails in @step; the first row that fits counts.
 *
 * @once, @lasting: answer if the call fails once, and if all fail from then on
 * @why:            needed where that is HOTPATCH_OK: why it is right to go on
 */
struct expectation {
	enum fault fault;
	const char *object;
	enum step step;
	enum hotpatch_status once;
	enum hotpatch_status lasting;
	const char *why;
};

/*
 * @run:      in the child; calls expect_step() for each step
 * @table:    ends with a row of FAULT_NONE; NULL if the scenario itself tells
 *            a right answer from a wrong one
 * @required: functions that it has to call; ends with FAULT_NONE
 * @once:     no fault lasts
 */
struct scenario {
	const char *name;
	void (*run)(void);
	const struct expectation *table;
	const enum fault *required;
	bool once;
};

#define OK HOTPATCH_OK

/* An answer of the table: whether it comes in time is left to chance. */
#define OK_OR_TIMEOUT ((enum hotpatch_status)1)

#define REFUSED(fault, object, step, status)                                   \
	{                                                                      \
		FAULT_##fault, object, step, status, status, NULL              \
	}
#define TOLERATED(fault, object, step, why)                                    \
	{                                                                      \
		FAULT_##fault, object, step, OK, OK, why                       \
	}
#define TABLE_END                                                              \
	{                                                                      \
		FAULT_NONE, NULL, STEP_START, OK, OK, NULL                     \
	}

/* Fails the test unless each fault of the scenario meets its row. */
void exhaust(const struct scenario *scenario);

/* ---- For the scenario, in the child ---- */

/* Ends the child, and the test, with a sentence. */
__attribute__((format(printf, 1, 2), noreturn)) void give_up(const char *format,
							     ...);

#define demand(condition, ...)                                                 \
	do {                                                                   \
		if (!(condition))                                              \
			give_up("not " #condition ": " __VA_ARGS__);           \
	} while (0)

/*
 * The end of an armed step. If the fault came in it, its answer is kept for
 * the table and nothing fails any more. True if this was the step.
 */
bool end_step(enum hotpatch_status status, const struct hotpatch_error *err);

/* @call may use &err; gives back whether the fault came in this step. */
#define armed_step(step, status, call)                                         \
	__extension__({                                                        \
		struct hotpatch_error err = {HOTPATCH_OK, 0, "", ""};          \
		faults_arm(step);                                              \
		(status) = (call);                                             \
		end_step(status, &err);                                        \
	})

/* What a failure must leave as it was. */
struct facts {
	int version;
	unsigned int mappings;
	unsigned int descriptors;
	unsigned int files;
	size_t patches;
	size_t tasks;
	bool transition;
	long blocks;
};

/* The private directory of this run; removed with all in it by the parent. */
extern char private_directory[64];

/* 1, and twice as much each time that the chosen call did not come: how much
 * longer to do what is limited by time. */
extern unsigned int patience;

void use_private_directory(void);

/* What version() of the host and this process have now. */
struct facts facts_now(int version);

/* @spare more blocks may be in use: caches that a comment explains. */
void demand_same(const struct facts *before, const struct facts *now,
		 long spare);

/* The child keeps this many blocks for good; equal for all faults that leave
 * nothing behind. */
void report_blocks(void);

/* Something was retained, as the answer said: what it keeps is not compared. */
void report_retained(void);

#endif
