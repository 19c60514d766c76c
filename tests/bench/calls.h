/* SPDX-License-Identifier: MIT */
/*
 * One body, reached in every way there is, in the program and in a shared
 * library: the sources are compiled for each, with WHERE as its name.
 */
#ifndef HOTPATCH_BENCH_CALLS_H
#define HOTPATCH_BENCH_CALLS_H

#include <hotpatch/hotpatch.h>

#include <stdbool.h>

#define JOIN_(where, name) where##_##name
#define JOIN(where, name) JOIN_(where, name)
#define HERE(name) JOIN(WHERE, name)

/* What the parameter is called is expanded first. */
#define FUNCTION(type, name, parameters)                                       \
	HOTPATCH_FUNCTION(type, name, parameters)
#define DECLARE(type, name, parameters) HOTPATCH_DECLARE(type, name, parameters)
#define CALL(name) HOTPATCH_CALL(name)

/* Runs loop @what @count times; false if there is none of that name. */
bool program_run(const char *what, unsigned long count);
bool library_run(const char *what, unsigned long count);

/* Reached through the linkage table from both: it could be another one's. */
int library_exported(int number);

#endif
