/* SPDX-License-Identifier: MIT */
/*
 * Values of the command line. Each is E_USAGE if the text is none.
 */
#ifndef HP_TOOLS_VALUE_H
#define HP_TOOLS_VALUE_H

#include "tool.h"

/* E_USAGE: @object @what. */
enum hotpatch_status hp_usage_error(struct hotpatch_error *err,
				    const char *object, const char *what);

/* Seconds, up to a day, as milliseconds. */
enum hotpatch_status hp_value_seconds(const char *text, long *timeout_ms,
				      struct hotpatch_error *err);

/* From 1 to @limit. */
enum hotpatch_status hp_value_number(const char *text, long limit, long *number,
				     struct hotpatch_error *err);

/* What a canary takes: a percentage, and keys. */
enum hotpatch_status hp_value_share(const char *text,
				    struct hp_options *options,
				    struct hotpatch_error *err);
enum hotpatch_status hp_value_key(const char *text, struct hp_options *options,
				  struct hotpatch_error *err);

enum hotpatch_status hp_value_pid(const char *text, pid_t *pid,
				  struct hotpatch_error *err);

/* @choices end with NULL. */
enum hotpatch_status hp_value_choice(const char *text,
				     const char *const *choices,
				     const char **value,
				     struct hotpatch_error *err);

#endif
