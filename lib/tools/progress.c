/* SPDX-License-Identifier: MIT */
/*
 * The one line on standard error that says, while the command waits, what is
 * in the way. Only on a terminal that can erase it.
 */
#include "tool.h"

#include "../status.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ERASE "\r\033[K"
#define DEFAULT_WIDTH 80

static bool shown;
static char heading[64];

void hp_progress_name(const char *text)
{
	hp_text_copy(heading, sizeof(heading), text);
}

bool hp_progress_wanted(void)
{
	return isatty(STDERR_FILENO) && hp_terminal_obeys();
}

/* A line that wrapped could not be erased. */
static size_t terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 2)
		return DEFAULT_WIDTH;
	return size.ws_col;
}

static void show(char *line, size_t size)
{
	size_t width = terminal_width();
	size_t i;

	if (width < size)
		line[width - 1] = '\0';
	for (i = 0; line[i]; i++) {
		if (iscntrl((unsigned char)line[i]))
			line[i] = '?';
	}
	fprintf(stderr, ERASE "%s", line);
	fflush(stderr);
	shown = true;
}

static int print_blocker(char *place, size_t size, const json_t *blocker)
{
	const char *function = hp_json_text(blocker, "function");
	const char *name = hp_json_text(blocker, "name");
	double seconds = (double)hp_json_number(blocker, "age_ms") / 1000;
	json_int_t thread = hp_json_number(blocker, "thread");

	return snprintf(place, size, ", %s (tid %d) %.1f s%s%s",
			*name ? name : "a task", (int)thread, seconds,
			*function ? " in " : "", function);
}

/* How long the probation lasts that ends last, 0 if there is none. */
static json_int_t probation_left_ms(const json_t *status)
{
	json_int_t longest_ms = 0;
	json_int_t left_ms;
	json_t *patch;
	size_t i;

	json_array_foreach(json_object_get(status, "patches"), i, patch)
	{
		left_ms = hp_json_number(patch, "probation_ms");
		longest_ms = left_ms > longest_ms ? left_ms : longest_ms;
	}
	return longest_ms;
}

void hp_progress_show(const json_t *status)
{
	json_int_t probation_ms = probation_left_ms(status);
	const json_t *process = json_object_get(status, "process");
	const json_t *blockers = json_object_get(status, "blockers");
	json_int_t left = hp_json_number(status, "blocker_count");
	char line[512];
	int length;

	if (left)
		length = snprintf(line, sizeof(line),
				  "%sdraining: %d of %d tasks left", heading,
				  (int)left,
				  (int)hp_json_number(process, "tasks"));
	else if (json_is_true(json_object_get(process, "transition")))
		length = snprintf(line, sizeof(line), "%sdraining", heading);
	else if (probation_ms)
		length = snprintf(line, sizeof(line),
				  "%son probation for another %d s", heading,
				  (int)((probation_ms + 999) / 1000));
	else
		length = snprintf(line, sizeof(line),
				  "%sunmapping: old code may still be in use",
				  heading);
	if (left && json_array_size(blockers))
		print_blocker(line + length, sizeof(line) - (size_t)length,
			      json_array_get(blockers, 0));
	show(line, sizeof(line));
}

void hp_progress_clear(void)
{
	if (shown)
		fputs(ERASE, stderr);
	shown = false;
}
