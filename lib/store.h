/* SPDX-License-Identifier: MIT */
/*
 * Bundles as files: reading one whole without following links, and the private
 * copy of the verified bytes that the loader maps. Owns the private directory.
 */
#ifndef HP_STORE_H
#define HP_STORE_H

#include <hotpatch/status.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HP_BUNDLE_LIMIT ((size_t)256 << 20)

/* The bytes of a file, in memory of their own. */
struct hp_file {
	void *bytes;
	size_t size;
	uint64_t digest; /* of the bytes; tells files apart, proves nothing */
};

/* Before any other function of the private directory; false without memory. */
bool hp_store_start(void);

/* E_NOT_FOUND, E_PERMISSION, E_NOT_REGULAR (also a link), E_TOO_LARGE, E_IO,
 * E_TRUNCATED if it shrinks meanwhile, E_NO_MEMORY. */
enum hotpatch_status hp_file_read(const char *path, struct hp_file *file,
				  struct hotpatch_error *err);
enum hotpatch_status hp_file_read_fd(int fd, const char *object,
				     struct hp_file *file,
				     struct hotpatch_error *err);
void hp_file_release(struct hp_file *file);

/* Absolute path, at most PATH_MAX - 64 bytes; before the first
 * hp_store_write(). */
enum hotpatch_status hp_store_configure(const char *directory,
					struct hotpatch_error *err);

/*
 * Writes @file as a private, read-only, executable file and gives its path.
 * The path is never used for other contents while it exists. E_STORE,
 * E_NOEXEC. On success the caller owes hp_store_remove().
 */
enum hotpatch_status hp_store_write(const struct hp_file *file,
				    char path[PATH_MAX],
				    struct hotpatch_error *err);
void hp_store_remove(const char *path);

/* Removes the directory if this process made it and it is empty. */
void hp_store_finish(void);

#endif
