/* SPDX-License-Identifier: MIT */
/*
 * Reads files whole and tells why one cannot be read.
 */
#include "file.h"

#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t hp_file_digest(const void *from, size_t size)
{
	const unsigned char *bytes = from;
	uint64_t digest = 0xcbf29ce484222325; /* FNV-1a */
	size_t i;

	for (i = 0; i < size; i++)
		digest = (digest ^ bytes[i]) * 0x100000001b3;
	return digest;
}

/* Reads up to @size bytes from the start; fewer only at the file's end. */
static ssize_t read_up_to(int fd, unsigned char *bytes, size_t size)
{
	size_t done = 0;
	ssize_t got;

	while (done < size) {
		got = pread(fd, bytes + done, size - done, (off_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* Judges what was read: @got bytes where @size and no more were expected. */
static enum hotpatch_status check_read(ssize_t got, size_t size,
				       const char *object,
				       struct hotpatch_error *err)
{
	if (got < 0)
		return hp_error(err, HOTPATCH_E_IO, errno, object,
				"reading %s failed: %s", object,
				strerror(errno));
	if ((size_t)got < size)
		return hp_error(err, HOTPATCH_E_TRUNCATED, 0, object,
				"%s became shorter while it was read", object);
	if ((size_t)got > size)
		return hp_error(err, HOTPATCH_E_IO, 0, object,
				"%s became longer while it was read", object);
	return HOTPATCH_OK;
}

static enum hotpatch_status open_error(const char *object,
				       struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_E_IO;
	int cause = errno;

	switch (cause) {
	case ENOENT:
	case ENOTDIR:
		status = HOTPATCH_E_NOT_FOUND;
		break;
	case EACCES:
	case EPERM:
		status = HOTPATCH_E_PERMISSION;
		break;
	case ELOOP:
	case ENXIO:
	case ENODEV:
		status = HOTPATCH_E_NOT_REGULAR;
		break;
	case ENOMEM:
		status = HOTPATCH_E_NO_MEMORY;
		break;
	}
	return hp_error(err, status, cause, object, "%s cannot be opened: %s",
			object,
			cause == ELOOP ? "it is a link" : strerror(cause));
}

static enum hotpatch_status too_large(const char *object, size_t limit,
				      struct hotpatch_error *err)
{
	bool big = limit >= (size_t)1 << 20;

	return hp_error(err, HOTPATCH_E_TOO_LARGE, 0, object,
			"%s has more than %zu %s", object,
			big ? limit >> 20 : limit >> 10, big ? "MiB" : "KiB");
}

static enum hotpatch_status check_regular(int fd, size_t limit,
					  const char *object, size_t *size,
					  struct hotpatch_error *err)
{
	struct stat found;

	if (fstat(fd, &found) < 0)
		return hp_error(err, HOTPATCH_E_IO, errno, object,
				"%s cannot be looked at: %s", object,
				strerror(errno));
	if (!S_ISREG(found.st_mode))
		return hp_error(err, HOTPATCH_E_NOT_REGULAR, 0, object,
				"%s is not a regular file", object);
	if ((uint64_t)found.st_size > limit)
		return too_large(object, limit, err);
	*size = (size_t)found.st_size;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_file_read_bounded(int fd, size_t limit,
					  const char *object,
					  struct hp_file *file,
					  struct hotpatch_error *err)
{
	enum hotpatch_status status;
	unsigned char *bytes;
	size_t size = 0;

	status = check_regular(fd, limit, object, &size, err);
	if (status != HOTPATCH_OK)
		return status;
	/* One byte more shows that the file has grown. */
	bytes = malloc(size + 1);
	if (!bytes)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, object,
				"no memory to hold %s", object);
	status = check_read(read_up_to(fd, bytes, size + 1), size, object, err);
	if (status != HOTPATCH_OK) {
		free(bytes);
		return status;
	}
	file->bytes = bytes;
	file->size = size;
	file->digest = hp_file_digest(bytes, size);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_file_open(int directory_fd, const char *name,
				  const char *object, int *fd,
				  struct hotpatch_error *err)
{
	/* Without O_NONBLOCK a pipe of that name would hold us up. */
	*fd = openat(directory_fd, name,
		     O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return *fd < 0 ? open_error(object, err) : HOTPATCH_OK;
}

enum hotpatch_status hp_file_read_fd(int fd, const char *object,
				     struct hp_file *file,
				     struct hotpatch_error *err)
{
	return hp_file_read_bounded(fd, HP_BUNDLE_LIMIT, object, file, err);
}

enum hotpatch_status hp_file_read(const char *path, struct hp_file *file,
				  struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int fd;

	status = hp_file_open(AT_FDCWD, path, path, &fd, err);
	if (status != HOTPATCH_OK)
		return status;
	status = hp_file_read_fd(fd, path, file, err);
	close(fd);
	return status;
}

void hp_file_release(struct hp_file *file)
{
	free(file->bytes);
	memset(file, 0, sizeof(*file));
}

bool hp_file_write(int fd, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	ssize_t put;

	while (size) {
		put = write(fd, at, size);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		at += put;
		size -= (size_t)put;
	}
	return true;
}

bool hp_file_keep(int fd, struct hp_kept *kept)
{
	struct stat found;

	if (fstat(fd, &found) < 0)
		return false;
	*kept = (struct hp_kept){fd, found.st_dev, found.st_ino};
	return true;
}

bool hp_file_is_kept(const struct hp_kept *kept)
{
	struct stat found = {.st_dev = kept->device, .st_ino = kept->inode};

	return kept->fd >= 0 && (!fstat(kept->fd, &found) || errno != EBADF) &&
	       found.st_dev == kept->device && found.st_ino == kept->inode;
}

void hp_file_let_go(struct hp_kept *kept)
{
	if (hp_file_is_kept(kept))
		close(kept->fd);
	kept->fd = -1;
}

bool hp_file_read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return true;
}

bool hp_file_replace(int directory_fd, const char *name, const char *part,
		     const struct hp_file_contents *contents)
{
	bool done;
	int cause;
	int fd;

	unlinkat(directory_fd, part, 0); /* of somebody who was killed */
	fd = openat(directory_fd, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return false;
	done = hp_file_write(fd, contents->bytes, contents->size) &&
	       !fchmod(fd, contents->mode) && !fsync(fd) &&
	       !renameat(directory_fd, part, directory_fd, name);
	cause = errno;
	close(fd);
	if (!done)
		unlinkat(directory_fd, part, 0);
	errno = cause;
	return done;
}
