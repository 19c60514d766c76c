/* SPDX-License-Identifier: MIT */
/*
 * What options and operands are followed by, from text.
 */
#include "value.h"

#include "../status.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_S (24 * 3600)

enum hotpatch_status hp_usage_error(struct hotpatch_error *err,
				    const char *object, const char *what)
{
	return hp_error(err, HOTPATCH_E_USAGE, 0, object,
			"%s%s%s; see hotpatch --help.", object,
			*object ? " " : "", what);
}

enum hotpatch_status hp_value_seconds(const char *text, long *timeout_ms,
				      struct hotpatch_error *err)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0 && seconds <= LONGEST_S))
		return hp_usage_error(err, text, "is no number of seconds");
	*timeout_ms = (long)(seconds * 1000);
	/* Zero stands for no limit, and must be meant. */
	if (!*timeout_ms && seconds > 0)
		*timeout_ms = 1;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_value_number(const char *text, long limit, long *number,
				     struct hotpatch_error *err)
{
	char *end;

	*number = strtol(text, &end, 10);
	if (end == text || *end || *number < 1 || *number > limit)
		return hp_usage_error(err, text, "is not a number that fits");
	return HOTPATCH_OK;
}

/* A percentage, to the hundredth. */
enum hotpatch_status hp_value_share(const char *text,
				    struct hp_options *options,
				    struct hotpatch_error *err)
{
	char *end;
	double percent = strtod(text, &end);

	if (end == text || strcmp(end, "%") != 0 ||
	    !(percent >= 0 && percent <= 100))
		return hp_usage_error(err, text,
				      "is no percentage, such as 2.5%");
	options->canary = true;
	options->canary_share = (unsigned int)(percent * 100 + 0.5);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_value_key(const char *text, struct hp_options *options,
				  struct hotpatch_error *err)
{
	uint64_t key;
	char *end;

	errno = 0;
	key = strtoull(text, &end, 0);
	if (end == text || *end || errno || strchr(text, '-'))
		return hp_usage_error(err, text,
				      "is no key, which is a number");
	if (options->canary_key_count == HOTPATCH_CANARY_KEYS)
		return hp_usage_error(err, text, "is one key too many");
	options->canary = true;
	options->canary_keys[options->canary_key_count++] = key;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_value_pid(const char *text, pid_t *pid,
				  struct hotpatch_error *err)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end || number < 1 || number > INT_MAX)
		return hp_usage_error(err, text, "is no process id");
	*pid = (pid_t)number;
	return HOTPATCH_OK;
}

/* @choices end with NULL. */
enum hotpatch_status hp_value_choice(const char *text,
				     const char *const *choices,
				     const char **value,
				     struct hotpatch_error *err)
{
	for (; *choices; choices++) {
		if (!strcmp(text, *choices)) {
			*value = *choices;
			return HOTPATCH_OK;
		}
	}
	return hp_usage_error(err, text, "is not among the choices");
}
