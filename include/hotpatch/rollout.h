/* SPDX-License-Identifier: MIT */
/*
 * A kit for tests: how a fleet of a program takes a bundle. It starts copies
 * of the program as processes, applies the bundle in waves with the hotpatch
 * command, asks after each wave how they are, makes some of them fail where
 * the test says so, and tells what became of each. A library of its own,
 * hotpatch::rollout, that the program itself does not need.
 */
#ifndef HOTPATCH_ROLLOUT_H
#define HOTPATCH_ROLLOUT_H

#include <hotpatch/api.h>
#include <hotpatch/status.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

HOTPATCH_BEGIN_DECLS

/**
 * struct hotpatch_rollout_instance - one of the processes
 * @number:    from 0 on; waves take them in this order
 * @pid:       of the process; its own in @main
 * @directory: a directory of its own, its $HOTPATCH_RUNTIME_DIR, which is
 *             removed at the end
 * @argument:  that of the options
 */
struct hotpatch_rollout_instance {
	unsigned int number;
	pid_t pid;
	const char *directory;
	void *argument;
};

/**
 * enum hotpatch_rollout_step - when an injected failure happens
 * @HOTPATCH_ROLLOUT_AT_START:  as soon as the process listens
 * @HOTPATCH_ROLLOUT_AT_APPLY:  before the bundle is applied in it
 * @HOTPATCH_ROLLOUT_AT_HEALTH: after that, before its health is asked for
 * @HOTPATCH_ROLLOUT_AT_REVERT: before the patch is taken back
 */
enum hotpatch_rollout_step {
	HOTPATCH_ROLLOUT_AT_START,
	HOTPATCH_ROLLOUT_AT_APPLY,
	HOTPATCH_ROLLOUT_AT_HEALTH,
	HOTPATCH_ROLLOUT_AT_REVERT,
};

/**
 * enum hotpatch_rollout_failure - what happens to an instance
 * @HOTPATCH_ROLLOUT_NOT_STARTED: it ends before it does anything; no step
 * @HOTPATCH_ROLLOUT_DIES:        it is killed
 * @HOTPATCH_ROLLOUT_HANGS:       it is stopped, and answers nobody
 * @HOTPATCH_ROLLOUT_CUT_OFF:     its control socket is gone
 * @HOTPATCH_ROLLOUT_UNHEALTHY:   its health counts as bad from after_ms after
 *                                its patch on, whatever it says; no step
 */
enum hotpatch_rollout_failure {
	HOTPATCH_ROLLOUT_NOT_STARTED,
	HOTPATCH_ROLLOUT_DIES,
	HOTPATCH_ROLLOUT_HANGS,
	HOTPATCH_ROLLOUT_CUT_OFF,
	HOTPATCH_ROLLOUT_UNHEALTHY,
};

/** struct hotpatch_rollout_injection - a failure that the test asks for */
struct hotpatch_rollout_injection {
	unsigned int number;
	enum hotpatch_rollout_failure failure;
	enum hotpatch_rollout_step step;
	unsigned int after_ms;
};

/**
 * enum hotpatch_rollout_policy - what follows a wave in which one failed
 * @HOTPATCH_ROLLOUT_STOP:        nothing
 * @HOTPATCH_ROLLOUT_REVERT_WAVE: its hosts go back, nothing else follows
 * @HOTPATCH_ROLLOUT_REVERT_ALL:  all go back, the last one first
 */
enum hotpatch_rollout_policy {
	HOTPATCH_ROLLOUT_STOP,
	HOTPATCH_ROLLOUT_REVERT_WAVE,
	HOTPATCH_ROLLOUT_REVERT_ALL,
};

/**
 * struct hotpatch_rollout_options - a fleet, a bundle and how it is rolled out
 * @size:            sizeof(struct hotpatch_rollout_options)
 * @command:         path of the hotpatch command; NULL looks for "hotpatch" in
 *                   $PATH
 * @program:         NULL-terminated arguments of the host, the first one its
 *                   path; NULL if there is @main
 * @main:            runs in the child of a fork instead of a program; what it
 *                   returns is the exit status
 * @argument:        for @main, @is_healthy and @at_end
 * @count:           how many instances
 * @bundle:          path of the bundle
 * @waves:           sizes, such as "1 10% 50%", of all instances if it says
 *                   so, rounded up; the last one is repeated; NULL for "100%"
 * @policy:          after a failed wave
 * @is_healthy:      called in the test's process for each instance of a wave;
 *                   0 means bad. NULL if there is none
 * @health:          NULL-terminated arguments of a command that is run for
 *                   each, with its $HOTPATCH_RUNTIME_DIR, and has to exit
 *                   with 0; NULL if there is none
 * @watch_ms:        how long a wave is asked again and again; 0 for once
 * @injections:      failures, or NULL
 * @injection_count: how many
 * @start_ms:        how long an instance may take until it listens; 0 for
 *                   10000
 * @command_ms:      how long a command, also @health, may take for one; 0 for
 *                   10000
 * @at_end:          called for each that answers before it is ended, or NULL
 */
struct hotpatch_rollout_options {
	size_t size;
	const char *command;
	const char *const *program;
	int (*main)(const struct hotpatch_rollout_instance *instance);
	void *argument;
	unsigned int count;
	const char *bundle;
	const char *waves;
	enum hotpatch_rollout_policy policy;
	int (*is_healthy)(const struct hotpatch_rollout_instance *instance);
	const char *const *health;
	unsigned int watch_ms;
	const struct hotpatch_rollout_injection *injections;
	size_t injection_count;
	unsigned int start_ms;
	unsigned int command_ms;
	void (*at_end)(const struct hotpatch_rollout_instance *instance);
};

/**
 * enum hotpatch_rollout_outcome - what became of an instance
 * @HOTPATCH_ROLLOUT_UNTOUCHED:   it runs as it was started
 * @HOTPATCH_ROLLOUT_PATCHED:     it runs the patch
 * @HOTPATCH_ROLLOUT_REVERTED:    it ran the patch and does no longer
 * @HOTPATCH_ROLLOUT_REFUSED:     it did not take the patch, and runs as before
 * @HOTPATCH_ROLLOUT_DEAD:        it has ended, or never listened
 * @HOTPATCH_ROLLOUT_UNREACHABLE: it lives and does not answer
 *
 * Each instance is asked at the end; nothing of this is inferred.
 */
enum hotpatch_rollout_outcome {
	HOTPATCH_ROLLOUT_UNTOUCHED,
	HOTPATCH_ROLLOUT_PATCHED,
	HOTPATCH_ROLLOUT_REVERTED,
	HOTPATCH_ROLLOUT_REFUSED,
	HOTPATCH_ROLLOUT_DEAD,
	HOTPATCH_ROLLOUT_UNREACHABLE,
};

/**
 * struct hotpatch_rollout_result - of one instance
 * @outcome:  at the end
 * @wave:     from 1 on; 0 if none came to it
 * @failed:   it is why its wave failed
 * @status:   HOTPATCH_OK, or what the command that failed said;
 *            HOTPATCH_E_TIMEOUT for one that did not end in time
 * @sentence: the same in words, or that its health is bad; else empty
 */
struct hotpatch_rollout_result {
	enum hotpatch_rollout_outcome outcome;
	unsigned int wave;
	int failed;
	enum hotpatch_status status;
	char sentence[256];
};

/**
 * struct hotpatch_rollout_report - of all
 * @count:     of @results
 * @results:   by the instances' numbers
 * @waves:     how many were begun
 * @completed: how many of them went well
 */
struct hotpatch_rollout_report {
	unsigned int count;
	struct hotpatch_rollout_result *results;
	unsigned int waves;
	unsigned int completed;
};

/**
 * hotpatch_rollout_run() - start, roll out, ask, end
 * @options: what to do
 * @report:  receives what became of each; the caller releases it
 * @err:     or NULL
 *
 * Whatever fails, all processes that it started have ended and are waited for
 * when it returns, and its directory is gone. They are also killed when the
 * calling thread ends. A rollout that stops is no failure of this function: the
 * report tells.
 *
 * An instance that does not start in time fails its wave like one that does
 * not take the patch.
 *
 * Context: one call at a time in a process; the calls in between wait for the
 *          instances, for no longer than the limits together. With @main,
 *          whatever fork() demands of a process with threads.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ARGUMENT for options that are not
 *          understood; HOTPATCH_E_NOT_FOUND if the command or the bundle cannot
 *          be read; HOTPATCH_E_LIMIT if the system refuses processes or
 *          descriptors; HOTPATCH_E_IO for the directory; HOTPATCH_E_NO_MEMORY.
 */
HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_rollout_run(const struct hotpatch_rollout_options *options,
		     struct hotpatch_rollout_report **report,
		     struct hotpatch_error *err);

/** hotpatch_rollout_release() - give the report back; NULL does nothing */
void hotpatch_rollout_release(struct hotpatch_rollout_report *report);

/** hotpatch_rollout_count() - how many instances have this outcome */
unsigned int
hotpatch_rollout_count(const struct hotpatch_rollout_report *report,
		       enum hotpatch_rollout_outcome outcome);

/**
 * hotpatch_rollout_outcome_name() - "patched" for HOTPATCH_ROLLOUT_PATCHED
 *
 * Return: a static string; "unknown" for a value that is not in the list.
 */
const char *
hotpatch_rollout_outcome_name(enum hotpatch_rollout_outcome outcome);

/**
 * hotpatch_rollout_print() - a line for each wave with what became of it, and
 * one for each reason, with the first and the last instance that gave it
 */
void hotpatch_rollout_print(const struct hotpatch_rollout_report *report,
			    FILE *stream);

HOTPATCH_END_DECLS

#endif
