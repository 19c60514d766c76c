/* SPDX-License-Identifier: MIT */
/*
 * The walk along a path, one directory after the other.
 */
#include "path.h"

#include "outside.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS (S_IWGRP | S_IWOTH)

/*
 * Nobody from outside of the user namespace runs in here, and what they own
 * nobody in here can change; a container's root directory is often of that
 * kind. Where somebody in here has their number, it may as well be his.
 */
static bool is_from_outside(uid_t owner)
{
	struct hp_outside users;

	hp_outside_users(&users);
	return users.any && !users.shared && owner == users.number;
}

static enum hotpatch_status unsafe(const char *object, const char *what,
				   struct hotpatch_error *err)
{
	return hp_error(err, HOTPATCH_E_UNSAFE_PATH, 0, object, "%s %s", object,
			what);
}

static enum hotpatch_status check_owner(const struct stat *found,
					const char *object,
					struct hotpatch_error *err)
{
	if (!found->st_uid || found->st_uid == geteuid() ||
	    is_from_outside(found->st_uid))
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_UNSAFE_PATH, 0, object,
			"%s belongs to user %u, neither to root nor to user "
			"%u, who runs this",
			object, (unsigned int)found->st_uid,
			(unsigned int)geteuid());
}

/* @last: others may not even add to it. */
static enum hotpatch_status check_directory(const struct stat *found,
					    const char *object, bool last,
					    struct hotpatch_error *err)
{
	if (S_ISLNK(found->st_mode))
		return unsafe(object, "is a link, which is not followed", err);
	if (!S_ISDIR(found->st_mode))
		return unsafe(object, "is not a directory", err);
	if ((found->st_mode & OTHERS) && (last || !(found->st_mode & S_ISVTX)))
		return unsafe(object, "may be written by others", err);
	return check_owner(found, object, err);
}

enum hotpatch_status hp_path_check_file(int fd, const char *object,
					struct hotpatch_error *err)
{
	struct stat found;

	if (fstat(fd, &found) < 0)
		return hp_error(err, HOTPATCH_E_IO, errno, object,
				"%s cannot be looked at: %s", object,
				strerror(errno));
	if (found.st_mode & OTHERS)
		return unsafe(object, "may be written by others", err);
	return check_owner(&found, object, err);
}

static enum hotpatch_status open_error(const char *object,
				       struct hotpatch_error *err)
{
	int cause = errno;
	enum hotpatch_status status = HOTPATCH_E_IO;

	if (cause == ENOENT)
		status = HOTPATCH_E_NOT_FOUND;
	else if (cause == EACCES || cause == EPERM)
		status = HOTPATCH_E_PERMISSION;
	return hp_error(err, status, cause, object, "%s cannot be opened: %s",
			object, strerror(cause));
}

/* Moves *@fd on to @name in it, which @object calls by its whole path. */
static enum hotpatch_status step(int *fd, const char *name, const char *object,
				 bool last, struct hotpatch_error *err)
{
	enum hotpatch_status status;
	struct stat found;
	/* O_PATH opens a link itself, and asks for no right to read. */
	int next = openat(*fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (next < 0)
		return open_error(object, err);
	close(*fd);
	*fd = next;
	if (fstat(next, &found) < 0)
		return open_error(object, err);
	status = check_directory(&found, object, last, err);
	return status;
}

/* Steps through the parts of @path; *@fd is the root to begin with. */
static enum hotpatch_status walk(const char *path, int *fd,
				 struct hotpatch_error *err)
{
	enum hotpatch_status status = step(fd, "/", "/", !path[1], err);
	char object[PATH_MAX];
	const char *from = path;
	const char *to;
	size_t size;

	while (status == HOTPATCH_OK) {
		from += strspn(from, "/");
		if (!*from)
			break;
		to = from + strcspn(from, "/");
		size = (size_t)(to - path);
		if (size >= sizeof(object) || (size_t)(to - from) > NAME_MAX) {
			errno = ENAMETOOLONG;
			return open_error(path, err);
		}
		memcpy(object, path, size);
		object[size] = '\0';
		status = step(fd, object + (from - path), object,
			      !to[strspn(to, "/")], err);
		from = to;
	}
	return status;
}

enum hotpatch_status hp_path_open_directory(const char *path, int *fd,
					    struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int at;

	*fd = -1;
	if (path[0] != '/')
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, path,
				"%s is not absolute", path);
	at = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return open_error("/", err);
	status = walk(path, &at, err);
	if (status == HOTPATCH_OK) {
		*fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (*fd < 0)
			status = open_error(path, err);
	}
	close(at);
	return status;
}
