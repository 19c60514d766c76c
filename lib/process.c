/* SPDX-License-Identifier: MIT */
/*
 * Asks /proc.
 */
#include "process.h"

#include "file.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fields of /proc/PID/stat, counted from the name, which may have any
 * characters, ")" too. */
#define STATE 1
#define THREADS 18
#define STARTED 20

static const char *field(const char *text, unsigned int number)
{
	const char *at = strrchr(text, ')');

	while (at && number--)
		at = strchr(at + 1, ' ');
	return at ? at + 1 : "";
}

/* One that waits for its parent to ask how it ended; a main thread alone looks
 * so, too. */
static bool is_zombie(const char *text)
{
	return *field(text, STATE) == 'Z' &&
	       strtoull(field(text, THREADS), NULL, 10) <= 1;
}

/* False if it cannot be seen; 0 for one that has ended. */
static bool start_of(uint64_t number, uint64_t *started)
{
	char text[1024];
	char path[64];

	*started = 0;
	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", number);
	if (!hp_file_read_text(path, text, sizeof(text)))
		return false;
	if (!is_zombie(text))
		*started = strtoull(field(text, STARTED), NULL, 10);
	return true;
}

/* "pid:[4026531836]" */
static uint64_t own_space(void)
{
	char text[64];
	ssize_t length = readlink("/proc/self/ns/pid", text, sizeof(text) - 1);
	const char *bracket;

	if (length <= 0)
		return 0;
	text[length] = '\0';
	bracket = strchr(text, '[');
	return bracket ? strtoull(bracket + 1, NULL, 10) : 0;
}

void hp_process_self(struct hp_process *process)
{
	char *boot = process->boot;

	process->number = (uint64_t)getpid();
	start_of(process->number, &process->started);
	process->space = own_space();
	if (!hp_file_read_text("/proc/sys/kernel/random/boot_id", boot,
			       HP_BOOT_SIZE))
		strcpy(boot, "-");
	boot[strcspn(boot, "\n")] = '\0';
}

static bool differs(const char *boot, const char *other)
{
	return strcmp(boot, "-") != 0 && strcmp(other, "-") != 0 &&
	       strcmp(boot, other) != 0;
}

enum hp_process_fate hp_process_look(const struct hp_process *process)
{
	struct hp_process self;
	uint64_t started;

	hp_process_self(&self);
	if (differs(self.boot, process->boot))
		return HP_PROCESS_GONE_WITH_BOOT;
	if (!self.space || self.space != process->space)
		return HP_PROCESS_UNKNOWN;
	if (self.number == process->number)
		return self.started == process->started ? HP_PROCESS_SELF :
							  HP_PROCESS_GONE;
	if (kill((pid_t)process->number, 0) < 0 && errno == ESRCH)
		return HP_PROCESS_GONE;
	if (!process->started || !start_of(process->number, &started))
		return HP_PROCESS_UNKNOWN;
	return started == process->started ? HP_PROCESS_HERE : HP_PROCESS_GONE;
}
