/* SPDX-License-Identifier: MIT */
/*
 * For tests: processes that are killed between any two steps. A child is
 * traced, and killed when it is about to make a certain system call, or when
 * that has been made.
 */
#ifndef CRASH_H
#define CRASH_H

#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define CRASH_UNUSED __attribute__((unused))

enum crash {
	CRASHED,
	CRASH_CAME_TOO_LATE,
	CRASH_IS_IMPOSSIBLE
};

/* Runs @work in a child that ends well, or the test fails. */
CRASH_UNUSED static void run_child(void (*work)(void))
{
	pid_t child = fork();
	int status;

	if (!child) {
		work();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

/* Lets the child go on to its next stop; false if it ended. */
static bool go_on(pid_t child, int *status)
{
	int signal_number = WSTOPSIG(*status);

	if (signal_number == SIGSTOP || signal_number == (SIGTRAP | 0x80))
		signal_number = 0;
	ck_assert_int_eq(ptrace(PTRACE_SYSCALL, child, 0, signal_number), 0);
	ck_assert_int_eq(waitpid(child, status, 0), child);
	return WIFSTOPPED(*status);
}

/*
 * Runs @work in a child that is killed at the @step-th stop: each system call
 * has two, before and after.
 */
CRASH_UNUSED static enum crash crash_at(unsigned int step, void (*work)(void))
{
	pid_t child = fork();
	unsigned int stops = 0;
	int status;

	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
			_exit(77);
		raise(SIGSTOP);
		work();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return CRASH_IS_IMPOSSIBLE;
	ck_assert(WIFSTOPPED(status));
	if (ptrace(PTRACE_SETOPTIONS, child, 0,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		return CRASH_IS_IMPOSSIBLE;
	}
	while (go_on(child, &status)) {
		if (stops++ < step)
			continue;
		kill(child, SIGKILL);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		return CRASHED;
	}
	ck_assert_int_eq(status, 0);
	return CRASH_CAME_TOO_LATE;
}

#endif
