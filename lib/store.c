/* SPDX-License-Identifier: MIT */
/*
 * Reads bundles and keeps the private copies that the loader maps. The
 * directory is chosen at the first write, and again if it is not ours any
 * more: it was removed, or this is a forked child. A copy belongs to the
 * process that wrote it; a child never removes its parent's.
 */
#include "store.h"

#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DIRECTORY_LIMIT (PATH_MAX - 64)
#define SUFFIX_LIMIT 10000
#define PATTERN "hotpatch-XXXXXX"

/* A file that was written and not yet removed. */
struct copy {
	struct copy *next;
	pid_t writer;
	char path[];
};

/* Guards everything below it. Nothing else is locked while it is held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct copy *copies;
static char configured[PATH_MAX];
static char directory[PATH_MAX];
static pid_t chooser; /* who chose the directory; 0 before */
static bool made;     /* and made it, too */
static bool written;

static enum hotpatch_status no_memory(struct hotpatch_error *err,
				      const char *object)
{
	return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM, object,
			"no memory to hold %s", object);
}

static uint64_t digest_of(const unsigned char *bytes, size_t size)
{
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

static enum hotpatch_status open_error(const char *path,
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
	return hp_error(err, status, cause, path, "%s cannot be opened: %s",
			path,
			cause == ELOOP ? "it is a link" : strerror(cause));
}

static enum hotpatch_status check_regular(int fd, const char *object,
					  size_t *size,
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
	if ((uint64_t)found.st_size > HP_BUNDLE_LIMIT)
		return hp_error(err, HOTPATCH_E_TOO_LARGE, 0, object,
				"%s has more than %zu MiB", object,
				HP_BUNDLE_LIMIT >> 20);
	*size = (size_t)found.st_size;
	return HOTPATCH_OK;
}

enum hotpatch_status hp_file_read_fd(int fd, const char *object,
				     struct hp_file *file,
				     struct hotpatch_error *err)
{
	enum hotpatch_status status;
	unsigned char *bytes;
	size_t size = 0;

	status = check_regular(fd, object, &size, err);
	if (status != HOTPATCH_OK)
		return status;
	/* One byte more shows that the file has grown. */
	bytes = malloc(size + 1);
	if (!bytes)
		return no_memory(err, object);
	status = check_read(read_up_to(fd, bytes, size + 1), size, object, err);
	if (status != HOTPATCH_OK) {
		free(bytes);
		return status;
	}
	file->bytes = bytes;
	file->size = size;
	file->digest = digest_of(bytes, size);
	return HOTPATCH_OK;
}

enum hotpatch_status hp_file_read(const char *path, struct hp_file *file,
				  struct hotpatch_error *err)
{
	enum hotpatch_status status;
	int fd;

	/* Without O_NONBLOCK a pipe of that name would hold us up. */
	fd = open(path,
		  O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return open_error(path, err);
	status = hp_file_read_fd(fd, path, file, err);
	close(fd);
	return status;
}

void hp_file_release(struct hp_file *file)
{
	free(file->bytes);
	memset(file, 0, sizeof(*file));
}

/* A child finds the lock free, and what it guards complete. */
static void lock_before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

bool hp_store_start(void)
{
	return pthread_atfork(lock_before_fork, unlock_after_fork,
			      unlock_after_fork) == 0;
}

static enum hotpatch_status store_error(struct hotpatch_error *err,
					const char *object, const char *what)
{
	int cause = errno;

	return hp_error(err, HOTPATCH_E_STORE, cause, object, "%s %s: %s",
			object, what, strerror(cause));
}

static enum hotpatch_status noexec_error(struct hotpatch_error *err,
					 const char *object)
{
	return hp_error(err, HOTPATCH_E_NOEXEC, 0, object,
			"%s is mounted noexec, so nothing in it can be loaded",
			object);
}

static bool is_noexec(const char *path)
{
	struct statvfs found;

	return !statvfs(path, &found) && (found.f_flag & ST_NOEXEC);
}

/* Only we may read, write and search it: what lies there is executed. */
static bool is_private(const char *path)
{
	struct stat found;

	return !lstat(path, &found) && S_ISDIR(found.st_mode) &&
	       found.st_uid == geteuid() && (found.st_mode & 0777) == 0700;
}

static void forget_directory(void)
{
	chooser = 0;
	made = false;
	directory[0] = '\0';
}

static void remember_directory(const char *path, bool made_here)
{
	strcpy(directory, path);
	made = made_here;
	chooser = getpid();
}

static enum hotpatch_status use_configured(struct hotpatch_error *err)
{
	bool made_here = mkdir(configured, 0700) == 0;
	enum hotpatch_status status = HOTPATCH_OK;

	if (!made_here && errno != EEXIST)
		return store_error(err, configured, "cannot be made");
	/* The umask may have taken bits away. */
	if (made_here && chmod(configured, 0700) < 0)
		status = store_error(err, configured, "cannot be used");
	else if (!is_private(configured))
		status = hp_error(err, HOTPATCH_E_STORE, 0, configured,
				  "%s is not a directory of this user alone, "
				  "with mode 0700",
				  configured);
	else if (is_noexec(configured))
		status = noexec_error(err, configured);
	if (status == HOTPATCH_OK)
		remember_directory(configured, made_here);
	else if (made_here)
		rmdir(configured);
	return status;
}

/* Makes a directory of our own in @parent; false with errno. */
static bool use_parent(const char *parent)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/" PATTERN, parent) >=
	    DIRECTORY_LIMIT) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (!mkdtemp(path))
		return false;
	if (chmod(path, 0700) < 0 || !is_private(path)) {
		rmdir(path);
		errno = EPERM;
		return false;
	}
	remember_directory(path, true);
	return true;
}

static enum hotpatch_status use_default(struct hotpatch_error *err)
{
	const char *const parents[] = {
		secure_getenv("XDG_RUNTIME_DIR"),
		geteuid() ? NULL : "/run",
		"/var/tmp",
		"/tmp",
	};
	const char *noexec = NULL;
	int cause = 0;
	size_t i;

	for (i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		if (!parents[i] || parents[i][0] != '/')
			continue;
		if (is_noexec(parents[i]))
			noexec = parents[i];
		else if (use_parent(parents[i]))
			return HOTPATCH_OK;
		else
			cause = errno;
	}
	if (!cause && noexec)
		return noexec_error(err, noexec);
	errno = cause;
	return store_error(err, "/tmp", "takes no private directory");
}

static enum hotpatch_status choose_directory(struct hotpatch_error *err)
{
	if (chooser == getpid() && is_private(directory))
		return HOTPATCH_OK;
	forget_directory();
	return configured[0] ? use_configured(err) : use_default(err);
}

/* Nothing is left of a directory that was made in vain. */
static void drop_directory(void)
{
	if (chooser == getpid() && made && !rmdir(directory))
		forget_directory();
}

static bool write_all(int fd, const struct hp_file *file)
{
	const unsigned char *bytes = file->bytes;
	size_t done = 0;
	ssize_t put;

	while (done < file->size) {
		put = write(fd, bytes + done, file->size - done);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		done += (size_t)put;
	}
	return !fchmod(fd, 0500);
}

/*
 * Gives the written file its name by linking @from, so that a name never
 * shows a part of it, and never one that something else has.
 */
static bool link_free_name(const char *from, int flags, uint64_t digest,
			   char path[PATH_MAX])
{
	unsigned int i;

	for (i = 0; i < SUFFIX_LIMIT; i++) {
		if (i)
			snprintf(path, PATH_MAX, "%.*s/%016llx-%u.so",
				 DIRECTORY_LIMIT, directory,
				 (unsigned long long)digest, i);
		else
			snprintf(path, PATH_MAX, "%.*s/%016llx.so",
				 DIRECTORY_LIMIT, directory,
				 (unsigned long long)digest);
		if (!linkat(AT_FDCWD, from, AT_FDCWD, path, flags))
			return true;
		if (errno != EEXIST)
			return false;
	}
	return false;
}

static bool write_anonymous(const struct hp_file *file, char path[PATH_MAX])
{
	char from[64];
	bool done;
	int cause;
	int fd;

	fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	snprintf(from, sizeof(from), "/proc/thread-self/fd/%d", fd);
	done = write_all(fd, file) &&
	       link_free_name(from, AT_SYMLINK_FOLLOW, file->digest, path);
	cause = errno;
	close(fd);
	errno = cause;
	return done;
}

/* For file systems without O_TMPFILE, and where /proc is missing. */
static bool write_named(const struct hp_file *file, char path[PATH_MAX])
{
	char from[PATH_MAX];
	bool done;
	int cause;
	int fd;

	snprintf(from, sizeof(from), "%.*s/part-XXXXXX", DIRECTORY_LIMIT,
		 directory);
	fd = mkostemp(from, O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write_all(fd, file) &&
	       link_free_name(from, 0, file->digest, path);
	cause = errno;
	unlink(from);
	close(fd);
	errno = cause;
	return done;
}

/* Errors that would meet the second way to write a file just so. */
static bool is_final(int cause)
{
	return cause == ENOSPC || cause == EDQUOT || cause == EIO ||
	       cause == EROFS || cause == EFBIG;
}

/* Called with the lock held. */
static enum hotpatch_status write_copy(const struct hp_file *file,
				       char path[PATH_MAX],
				       struct hotpatch_error *err)
{
	enum hotpatch_status status;
	char found[PATH_MAX];
	struct copy *copy;

	/* Before the file, so that nothing can fail once it has its name. */
	copy = malloc(sizeof(*copy) + PATH_MAX);
	if (!copy)
		return no_memory(err, "the private copy");
	status = choose_directory(err);
	if (status != HOTPATCH_OK)
		goto out;
	if (!write_anonymous(file, found) &&
	    (is_final(errno) || !write_named(file, found))) {
		status = store_error(err, directory, "takes no private copy");
		drop_directory();
		goto out;
	}
	strcpy(copy->path, found);
	strcpy(path, found);
	copy->writer = getpid();
	copy->next = copies;
	copies = copy;
	written = true;
	return HOTPATCH_OK;
out:
	free(copy);
	return status;
}

enum hotpatch_status hp_store_configure(const char *path,
					struct hotpatch_error *err)
{
	enum hotpatch_status status = HOTPATCH_OK;

	if (path && (path[0] != '/' || strlen(path) > DIRECTORY_LIMIT))
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, path,
				"%s is not absolute, or too long", path);
	pthread_mutex_lock(&lock);
	if (written) {
		status = hp_error(err, HOTPATCH_E_STATE, 0, directory,
				  "bundles are already kept in %s", directory);
	} else {
		forget_directory();
		hp_text_copy(configured, sizeof(configured), path);
	}
	pthread_mutex_unlock(&lock);
	return status;
}

enum hotpatch_status hp_store_write(const struct hp_file *file,
				    char path[PATH_MAX],
				    struct hotpatch_error *err)
{
	enum hotpatch_status status;

	pthread_mutex_lock(&lock);
	status = write_copy(file, path, err);
	pthread_mutex_unlock(&lock);
	return status;
}

void hp_store_remove(const char *path)
{
	struct copy **place;
	struct copy *copy;

	pthread_mutex_lock(&lock);
	for (place = &copies; *place; place = &(*place)->next)
		if (!strcmp((*place)->path, path))
			break;
	copy = *place;
	if (copy) {
		*place = copy->next;
		if (copy->writer == getpid())
			unlink(path);
		free(copy);
		/* Left empty, it would outlive a process that is killed. */
		drop_directory();
	}
	pthread_mutex_unlock(&lock);
}

void hp_store_finish(void)
{
	pthread_mutex_lock(&lock);
	drop_directory();
	pthread_mutex_unlock(&lock);
}
