/* SPDX-License-Identifier: MIT */
/*
 * Running the operator's command. It is in a process group of its own, so that
 * whatever it started ends with it; what it prints goes to standard error.
 */
#include "verify.h"

#include "../status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 100
#define SHELL "/bin/sh"
#define NO_SHELL 127

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS (sizeof(signals) / sizeof(*signals))

static volatile sig_atomic_t interrupted;
static struct sigaction before[SIGNALS];

static void note_signal(int number)
{
	interrupted = number;
}

void hp_verify_begin(void)
{
	struct sigaction action = {.sa_handler = note_signal};
	size_t i;

	sigemptyset(&action.sa_mask);
	interrupted = 0;
	for (i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &action, &before[i]);
}

void hp_verify_end(void)
{
	size_t i;

	for (i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
}

bool hp_verify_is_interrupted(void)
{
	return interrupted != 0;
}

static void set_number(const char *name, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	setenv(name, text, 1);
}

/* In the child. Its end is the parent's, too. */
_Noreturn static void become(const char *command, pid_t parent,
			     const struct hp_verify_subject *subject)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(NO_SHELL);
	signal(SIGPIPE, SIG_DFL);
	hp_verify_end();
	dup2(nothing, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	set_number("HOTPATCH_PID", subject->pid);
	setenv("HOTPATCH_SOCKET", subject->socket, 1);
	setenv("HOTPATCH_PATCH", subject->name, 1);
	execl(SHELL, "sh", "-c", command, (char *)NULL);
	_exit(NO_SHELL);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A descriptor that can be read when the child has ended, or -1. */
static int watch_child(pid_t child)
{
	return (int)syscall(SYS_pidfd_open, child, 0);
}

/* False if it goes on at @end_ms, negative for never, or this command was
 * interrupted. */
static bool await_child(pid_t child, long end_ms, int *how)
{
	struct pollfd ended = {.fd = watch_child(child), .events = POLLIN};
	bool over = false;

	while (!over && !interrupted && (end_ms < 0 || now_ms() < end_ms)) {
		poll(&ended, 1, LOOK_MS);
		over = waitpid(child, how, WNOHANG) == child;
	}
	if (ended.fd >= 0)
		close(ended.fd);
	return over;
}

static void end_child(pid_t child)
{
	int how;

	kill(-child, SIGKILL);
	kill(child, SIGKILL);
	while (waitpid(child, &how, 0) < 0 && errno == EINTR)
		;
}

static enum hotpatch_status unhealthy(const char *command, const char *format,
				      int number, struct hotpatch_error *err)
{
	char what[64];

	snprintf(what, sizeof(what), format, number);
	return hp_error(err, HOTPATCH_E_UNHEALTHY, 0, command, "'%.120s' %s",
			command, what);
}

static enum hotpatch_status judge(const char *command, int how,
				  struct hotpatch_error *err)
{
	if (WIFSIGNALED(how))
		return unhealthy(command, "was killed by signal %d",
				 WTERMSIG(how), err);
	if (WEXITSTATUS(how))
		return unhealthy(command, "exited with %d", WEXITSTATUS(how),
				 err);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_verify_run(const struct hp_options *options,
				   const struct hp_verify_subject *subject,
				   struct hotpatch_error *err)
{
	const char *command = options->verify;
	long end_ms = options->timeout_ms ? now_ms() + options->timeout_ms : -1;
	pid_t parent = getpid();
	pid_t child;
	int how = 0;

	if (!command)
		return HOTPATCH_OK;
	fflush(NULL);
	child = fork();
	if (child < 0)
		return hp_error(err, HOTPATCH_E_UNHEALTHY, errno, command,
				"'%.120s' cannot be run: %m", command);
	if (child == 0)
		become(command, parent, subject);
	setpgid(child, child);
	if (await_child(child, end_ms, &how)) {
		kill(-child, SIGKILL);
		return judge(command, how, err);
	}
	end_child(child);
	if (interrupted)
		return HOTPATCH_E_INTERRUPTED;
	return unhealthy(command, "did not end in %d s",
			 (int)((options->timeout_ms + 999) / 1000), err);
}
