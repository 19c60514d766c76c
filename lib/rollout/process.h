/* SPDX-License-Identifier: MIT */
/*
 * Processes of a simulated rollout: those that stay until they are ended, and
 * commands of which the words and the exit status are wanted. All are children,
 * are waited for, and are killed if the thread that started them ends.
 */
#ifndef HP_ROLLOUT_PROCESS_H
#define HP_ROLLOUT_PROCESS_H

#include <hotpatch/rollout.h>
#include <stdbool.h>

/* What a command wrote, in all, as far as it fits, and how it ended. */
struct hp_output {
	int exit_status; /* -1 for one that was killed */
	bool in_time;
	char text[4096];
};

/* Milliseconds of a clock that only goes forward. */
long hp_clock_ms(void);
void hp_pause_ms(long pause_ms);

/*
 * Starts @argv, or @entry if that is NULL, with @directory as its
 * $HOTPATCH_RUNTIME_DIR; 0 with errno if the system refuses. A program that
 * cannot be run ends with 127.
 */
pid_t hp_process_start(const char *const *argv,
		       int (*entry)(const struct hotpatch_rollout_instance *),
		       const struct hotpatch_rollout_instance *instance);

/* Has it ended? Then it is waited for, and *@exit_status is as of a shell. */
bool hp_process_has_ended(pid_t pid, int *exit_status);
void hp_process_kill(pid_t pid);

/* Returns when none of its threads runs any more. */
void hp_process_stop(pid_t pid);

/* Runs @argv to its end, or kills it; false with errno if it was not
 * started. */
bool hp_command_run(const char *const *argv, const char *directory,
		    long limit_ms, struct hp_output *output);

#endif
