/* SPDX-License-Identifier: MIT */
/*
 * Private copies as files of one open directory: writing one under a name that
 * nothing else has, and sweeping out those that nobody uses. A copy is in use
 * as long as somebody holds a shared flock() on it. The writer takes it before
 * the copy has a name and keeps it while the copy is mapped; children that
 * inherit the mapping inherit it, too, and the kernel drops it with the last
 * of them, however they end.
 */
#ifndef HP_COPY_H
#define HP_COPY_H

#include "file.h"

#include <hotpatch/status.h>
#include <stdbool.h>

#define HP_COPY_NAME_SIZE 32

/*
 * Writes @file into @directory_fd as a read-only, executable file. On success
 * @name is what it is called there, and the caller closes @lock_fd once it is
 * unlinked. On failure nothing is left, and errno tells why.
 *
 * The first way shows no unfinished file to anybody. The second is for file
 * systems without O_TMPFILE and where /proc is missing: nobody may sweep
 * meanwhile.
 */
bool hp_copy_write_anonymous(int directory_fd, const struct hp_file *file,
			     char name[HP_COPY_NAME_SIZE], int *lock_fd);
bool hp_copy_write_named(int directory_fd, const struct hp_file *file,
			 char name[HP_COPY_NAME_SIZE], int *lock_fd);

/* Removes the copies of @directory_fd that nobody holds. One at a time for
 * each directory: the caller holds an exclusive flock() on it. */
void hp_copy_sweep(int directory_fd);

/* The directory open in @fd: only we may read, write and search it. */
bool hp_copy_is_private(int fd);

/*
 * A folder of @directory_fd that is private, too; the caller closes
 * @folder_fd. The first gives E_NOT_FOUND, without an error, if it is not
 * there, and the second makes it. E_STORE, E_UNSAFE_PATH.
 */
enum hotpatch_status hp_folder_open(int directory_fd, const char *name,
				    int *folder_fd, struct hotpatch_error *err);
enum hotpatch_status hp_folder_make(int directory_fd, const char *name,
				    int *folder_fd, struct hotpatch_error *err);

#endif
