/* SPDX-License-Identifier: MIT */
/*
 * Who may change what lies at a path: every directory on the way belongs to
 * this user or to root, none is open to others unless it is sticky, and
 * nothing is a link. Walks by descriptors, so that what was checked is what is
 * opened.
 */
#ifndef HP_PATH_H
#define HP_PATH_H

#include <hotpatch/status.h>

/*
 * Opens the directory at the absolute @path for reading; the caller closes
 * @fd. E_UNSAFE_PATH names the part of the path that is at fault; E_NOT_FOUND,
 * E_PERMISSION, E_IO.
 */
enum hotpatch_status hp_path_open_directory(const char *path, int *fd,
					    struct hotpatch_error *err);

/* The open file itself: owned by this user or root, closed to others. */
enum hotpatch_status hp_path_check_file(int fd, const char *object,
					struct hotpatch_error *err);

#endif
