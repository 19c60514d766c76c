/* SPDX-License-Identifier: MIT */
/*
 * What the command shares with the library: a file of figures is replaced in
 * one step.
 */
#ifndef HP_OBSERVE_METRICS_H
#define HP_OBSERVE_METRICS_H

#include <hotpatch/observe.h>
#include <stddef.h>

/* Like hotpatch_metrics_write(), to memory that the caller frees; NULL without
 * any. */
char *hp_metrics_text(const struct hotpatch_metrics_options *options,
		      size_t *length);

/* E_ARGUMENT, E_IO, E_PERMISSION, E_NOT_FOUND; the file is as it was then. */
enum hotpatch_status hp_metrics_replace(const char *path, const char *bytes,
					size_t length,
					struct hotpatch_error *err);

#endif
