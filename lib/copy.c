/* SPDX-License-Identifier: MIT */
/*
 * Writes copies and sweeps out those of processes that ended without doing it
 * themselves.
 */
#include "copy.h"

#include "status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX_LIMIT 10000
#define PART_LIMIT 100
#define PART "part-"

static void close_quietly(int fd)
{
	int cause = errno;

	if (fd >= 0)
		close(fd);
	errno = cause;
}

/*
 * Gives the written file its name by linking @from, so that a name never
 * shows a part of it, and never one that something else has.
 */
static bool link_free_name(int from_fd, const char *from, int flags,
			   int directory_fd, uint64_t digest,
			   char name[HP_COPY_NAME_SIZE])
{
	unsigned int i;

	for (i = 0; i < SUFFIX_LIMIT; i++) {
		if (i)
			snprintf(name, HP_COPY_NAME_SIZE, "%016llx-%u.so",
				 (unsigned long long)digest, i);
		else
			snprintf(name, HP_COPY_NAME_SIZE, "%016llx.so",
				 (unsigned long long)digest);
		if (!linkat(from_fd, from, directory_fd, name, flags))
			return true;
		if (errno != EEXIST)
			return false;
	}
	return false;
}

/* The mark of being used, on a descriptor that nobody can write through.
 * Where there are no such locks, nobody can sweep either. */
static int open_mark(int from_fd, const char *from, int flags)
{
	int fd = openat(from_fd, from, O_RDONLY | O_CLOEXEC | flags);

	if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0)
		errno = 0;
	return fd;
}

static bool fill(int fd, const struct hp_file *file)
{
	return hp_file_write(fd, file->bytes, file->size) && !fchmod(fd, 0500);
}

bool hp_copy_write_anonymous(int directory_fd, const struct hp_file *file,
			     char name[HP_COPY_NAME_SIZE], int *lock_fd)
{
	char from[64];
	int mark = -1;
	bool done;
	int fd;

	fd = openat(directory_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	snprintf(from, sizeof(from), "/proc/thread-self/fd/%d", fd);
	done = fill(fd, file);
	if (done)
		mark = open_mark(AT_FDCWD, from, 0);
	done = mark >= 0 && link_free_name(AT_FDCWD, from, AT_SYMLINK_FOLLOW,
					   directory_fd, file->digest, name);
	close_quietly(fd);
	if (done)
		*lock_fd = mark;
	else
		close_quietly(mark);
	return done;
}

/* Like mkostemp(), in an open directory. */
static int make_part(int directory_fd, char part[HP_COPY_NAME_SIZE])
{
	unsigned int i;
	int fd = -1;

	for (i = 0; i < PART_LIMIT; i++) {
		snprintf(part, HP_COPY_NAME_SIZE, PART "%d-%u", (int)getpid(),
			 i);
		fd = openat(directory_fd, part,
			    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			break;
	}
	return fd;
}

bool hp_copy_write_named(int directory_fd, const struct hp_file *file,
			 char name[HP_COPY_NAME_SIZE], int *lock_fd)
{
	char part[HP_COPY_NAME_SIZE];
	int mark = -1;
	bool done;
	int cause;
	int fd = make_part(directory_fd, part);

	if (fd < 0)
		return false;
	done = fill(fd, file);
	if (done)
		mark = open_mark(directory_fd, part, O_NOFOLLOW);
	done = mark >= 0 && link_free_name(directory_fd, part, 0, directory_fd,
					   file->digest, name);
	cause = errno;
	unlinkat(directory_fd, part, 0);
	errno = cause;
	close_quietly(fd);
	if (done)
		*lock_fd = mark;
	else
		close_quietly(mark);
	return done;
}

bool hp_copy_is_private(int fd)
{
	struct stat found;

	return !fstat(fd, &found) && S_ISDIR(found.st_mode) &&
	       found.st_uid == geteuid() && (found.st_mode & 0777) == 0700;
}

/* "0123456789abcdef.so", "0123456789abcdef-7.so", or an unfinished one. */
static bool is_ours(const char *name)
{
	size_t digits = strspn(name, "0123456789abcdef");
	const char *rest = name + digits;

	if (!strncmp(name, PART, strlen(PART)))
		return true;
	if (digits != 16)
		return false;
	if (*rest == '-')
		rest += 1 + strspn(rest + 1, "0123456789");
	return !strcmp(rest, ".so");
}

/*
 * Owners unlink before they let go, so what is not locked and still has its
 * name belongs to nobody, and the name cannot have gone to another file.
 */
static void sweep_one(int directory_fd, const char *name)
{
	struct stat found;
	int fd = openat(directory_fd, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &found) &&
	    S_ISREG(found.st_mode) && found.st_uid == geteuid() &&
	    found.st_nlink)
		unlinkat(directory_fd, name, 0);
	close(fd);
}

void hp_copy_sweep(int directory_fd)
{
	/* A descriptor of its own, because its place in the list moves. */
	int fd = openat(directory_fd, "./", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list) {
		close_quietly(fd);
		return;
	}
	while ((entry = readdir(list)))
		if (is_ours(entry->d_name))
			sweep_one(directory_fd, entry->d_name);
	closedir(list);
}

static enum hotpatch_status folder_error(struct hotpatch_error *err,
					 const char *name, const char *what)
{
	int cause = errno;

	return hp_error(err, HOTPATCH_E_STORE, cause, name, "%s %s: %s", name,
			what, strerror(cause));
}

enum hotpatch_status hp_folder_open(int directory_fd, const char *name,
				    int *folder_fd, struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;

	*folder_fd = openat(directory_fd, name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*folder_fd < 0 && errno == ENOENT)
		return HOTPATCH_E_NOT_FOUND;
	if (*folder_fd < 0)
		return folder_error(err, name, "cannot be opened");
	errno = 0;
	if (!hp_copy_is_private(*folder_fd))
		status =
			errno ? folder_error(err, name, "cannot be looked at") :
				hp_error(err, HOTPATCH_E_UNSAFE_PATH, 0, name,
					 "%s is not a directory of this user "
					 "alone, with mode 0700",
					 name);
	if (status != HOTPATCH_OK)
		close(*folder_fd);
	return status;
}

enum hotpatch_status hp_folder_make(int directory_fd, const char *name,
				    int *folder_fd, struct hotpatch_error *err)
{
	bool made = mkdirat(directory_fd, name, 0700) == 0;
	enum hotpatch_status status;

	if (!made && errno != EEXIST)
		return folder_error(err, name, "cannot be made");
	status = hp_folder_open(directory_fd, name, folder_fd, err);
	if (status == HOTPATCH_E_NOT_FOUND)
		return folder_error(err, name, "was taken away");
	if (status != HOTPATCH_OK || !made)
		return status;
	/* The umask may have taken bits away. */
	if (!fchmod(*folder_fd, 0700) && !fsync(directory_fd))
		return HOTPATCH_OK;
	status = folder_error(err, name, "cannot be used");
	close(*folder_fd);
	return status;
}
