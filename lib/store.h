/* SPDX-License-Identifier: MIT */
/*
 * The private directory: which one it is, the copies that this process has in
 * it, and what keeps processes that share it apart.
 */
#ifndef HP_STORE_H
#define HP_STORE_H

#include "file.h"

#include <hotpatch/status.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Before any other function here; false without memory. */
bool hp_store_start(void);

/* Absolute path, at most PATH_MAX - 64 bytes; before the first
 * hp_store_write(). */
enum hotpatch_status hp_store_configure(const char *directory,
					struct hotpatch_error *err);

/* The directory that was configured; false and "" if none was. */
bool hp_store_configured(char path[PATH_MAX]);

/*
 * Writes @file as a private, read-only, executable file and gives its path.
 * The path is never used for other contents while it exists. E_STORE,
 * E_UNSAFE_PATH, E_NOEXEC. On success the caller owes hp_store_remove().
 */
enum hotpatch_status hp_store_write(const struct hp_file *file,
				    char path[PATH_MAX],
				    struct hotpatch_error *err);
void hp_store_remove(const char *path);

/* Removes the directory if this process made it and it is empty. */
void hp_store_finish(void);

/*
 * Opens the configured directory, made if it is missing, and keeps other
 * threads, other processes and forks out of it until hp_store_unlock(), which
 * is owed on success. E_STORE, also if another process keeps it for seconds;
 * E_STATE if none is configured.
 */
enum hotpatch_status hp_store_lock(int *directory_fd,
				   struct hotpatch_error *err);
void hp_store_unlock(void);

#endif
