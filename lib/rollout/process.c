/* SPDX-License-Identifier: MIT */
/*
 * Starting, watching and ending children. Between fork() and execve() nothing
 * is allocated, since the test may have threads.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CANNOT_RUN 127

/* What a child is made of. */
struct child {
	const char *const *argv;
	int (*entry)(const struct hotpatch_rollout_instance *instance);
	const struct hotpatch_rollout_instance *instance;
	int output_fd; /* for all that it says; -1 leaves it where it goes */
	char **environment;
};

long hp_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

void hp_pause_ms(long pause_ms)
{
	struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000};

	while (nanosleep(&pause, &pause) && errno == EINTR)
		;
}

/* The variables that name a directory of the instance's own: of sockets, and of
 * what the library keeps, which one that is killed leaves behind. */
static const char *const own[] = {"HOTPATCH_RUNTIME_DIR=", "XDG_RUNTIME_DIR="};

#define OWN_COUNT (sizeof(own) / sizeof(*own))

static bool is_own(const char *variable)
{
	size_t i;

	for (i = 0; i < OWN_COUNT; i++)
		if (!strncmp(variable, own[i], strlen(own[i])))
			return true;
	return false;
}

/* This process's environment with @directory in it; one block. */
static char **make_environment(const char *directory)
{
	size_t count = 0, used = 0, size = 0, i;
	char **list;
	char *text;

	while (environ[count])
		count++;
	for (i = 0; i < OWN_COUNT; i++)
		size += strlen(own[i]) + strlen(directory) + 1;
	list = malloc((count + OWN_COUNT + 1) * sizeof(*list) + size);
	if (!list)
		return NULL;
	text = (char *)(list + count + OWN_COUNT + 1);
	for (i = 0; i < OWN_COUNT; i++) {
		list[used++] = text;
		text = stpcpy(stpcpy(text, own[i]), directory) + 1;
	}
	for (i = 0; i < count; i++)
		if (!is_own(environ[i]))
			list[used++] = environ[i];
	list[used] = NULL;
	return list;
}

static void become(const struct child *child, pid_t parent)
{
	struct hotpatch_rollout_instance instance;
	int input = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* The parent may have ended before it was asked for. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent ||
	    input < 0 || dup2(input, STDIN_FILENO) < 0)
		_exit(CANNOT_RUN);
	if (child->output_fd >= 0 &&
	    (dup2(child->output_fd, STDOUT_FILENO) < 0 ||
	     dup2(child->output_fd, STDERR_FILENO) < 0))
		_exit(CANNOT_RUN);
	environ = child->environment;
	if (child->entry) {
		instance = *child->instance;
		instance.pid = getpid();
		_exit(child->entry(&instance));
	}
	execvp(child->argv[0], (char *const *)child->argv);
	_exit(CANNOT_RUN);
}

static pid_t start(struct child *child, const char *directory)
{
	const pid_t parent = getpid();
	int saved;
	pid_t pid;

	child->environment = make_environment(directory);
	if (!child->environment)
		return 0;
	pid = fork();
	if (!pid)
		become(child, parent);
	saved = errno;
	free(child->environment);
	errno = saved;
	return pid < 0 ? 0 : pid;
}

pid_t hp_process_start(const char *const *argv,
		       int (*entry)(const struct hotpatch_rollout_instance *),
		       const struct hotpatch_rollout_instance *instance)
{
	struct child child = {
		.argv = argv,
		.entry = entry,
		.instance = instance,
		.output_fd = -1,
	};

	return start(&child, instance->directory);
}

static int shell_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool hp_process_has_ended(pid_t pid, int *exit_status)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return false;
	*exit_status = shell_status(status);
	return true;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return shell_status(status);
}

void hp_process_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	wait_for(pid);
}

void hp_process_stop(pid_t pid)
{
	siginfo_t info;

	kill(pid, SIGSTOP);
	/* Whether it stopped or ended is left for whoever asks next. */
	while (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT) &&
	       errno == EINTR)
		;
}

/* Reads until nobody can write any more; false if the time is over before. */
static bool read_all(int fd, long end_ms, struct hp_output *output)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char rest[256];
	size_t used = 0, room;
	long left_ms;
	ssize_t got;

	for (;;) {
		left_ms = end_ms - hp_clock_ms();
		if (left_ms <= 0)
			return false;
		if (poll(&ready, 1, (int)left_ms) <= 0)
			continue;
		room = sizeof(output->text) - 1 - used;
		got = read(fd, room ? output->text + used : rest,
			   room ? room : sizeof(rest));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return true;
		used += room ? (size_t)got : 0;
		output->text[used] = '\0';
	}
}

bool hp_command_run(const char *const *argv, const char *directory,
		    long limit_ms, struct hp_output *output)
{
	struct child child = {.argv = argv};
	int fds[2], saved;
	pid_t pid;

	*output = (struct hp_output){.exit_status = -1};
	if (pipe2(fds, O_CLOEXEC))
		return false;
	child.output_fd = fds[1];
	pid = start(&child, directory);
	saved = errno;
	close(fds[1]);
	if (pid) {
		output->in_time =
			read_all(fds[0], hp_clock_ms() + limit_ms, output);
		if (!output->in_time)
			kill(pid, SIGKILL);
		output->exit_status = wait_for(pid);
	}
	close(fds[0]);
	errno = saved;
	return pid != 0;
}
