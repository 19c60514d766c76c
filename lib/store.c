/* SPDX-License-Identifier: MIT */
/*
 * Owns the private directory. It is chosen at the first write, and again if it
 * is not ours any more: it was removed, or this is a forked child. A copy
 * belongs to the process that wrote it; a child never removes its parent's.
 *
 * A directory that the host configured may be shared by processes; who removes
 * anything in it or replaces a file holds an exclusive flock() on it. One of
 * the library's own choice belongs to one process, which holds a shared flock()
 * on it for as long as it is used, so that others see when nobody does.
 */
#include "store.h"

#include "copy.h"
#include "path.h"
#include "status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORY_LIMIT (PATH_MAX - 64)
#define STEM "hotpatch-"
#define PATTERN STEM "XXXXXX"

/* How often to begin again because another process took the directory away. */
#define TRIES 16

/* How long another process may keep the directory, and between two looks. */
#define LOCK_PATIENCE_MS 5000
#define LOCK_STEP_NS 1000000

/* A file that was written and not yet removed. */
struct copy {
	struct copy *next;
	pid_t writer;
	struct hp_kept lock; /* marks it as used */
	char path[];
};

/* Guards everything below it. Nothing else is locked while it is held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct copy *copies;
static char configured[PATH_MAX];
static char directory[PATH_MAX];
static struct hp_kept chosen = {.fd = -1}; /* while it is chosen */
static pid_t chooser; /* who chose the directory; 0 before */
static bool made;     /* and made it, too */
static bool written;

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

/* True if what is open is not known to be what the path leads to; then errno
 * is the cause, ENOENT if another one has that name now. */
static bool is_gone(int fd, const char *path)
{
	struct stat open_one;
	struct stat named;

	if (fstat(fd, &open_one) < 0 || lstat(path, &named) < 0)
		return true;
	errno = ENOENT;
	return open_one.st_ino != named.st_ino ||
	       open_one.st_dev != named.st_dev;
}

/* False with errno if another process keeps it all the time. */
static bool lock_directory(int fd)
{
	const struct timespec step = {.tv_nsec = LOCK_STEP_NS};
	unsigned int waited_ms;

	for (waited_ms = 0; waited_ms < LOCK_PATIENCE_MS; waited_ms++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		nanosleep(&step, NULL);
	}
	errno = ETIMEDOUT;
	return false;
}

static void forget_directory(void)
{
	hp_file_let_go(&chosen);
	chooser = 0;
	made = false;
	directory[0] = '\0';
}

static void remember_directory(const char *path, const struct hp_kept *held,
			       bool made_here)
{
	strcpy(directory, path);
	chosen = *held;
	made = made_here;
	chooser = getpid();
}

/* What processes left that were killed. Another one that is at it will do. */
static void sweep(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	hp_copy_sweep(fd);
	flock(fd, LOCK_UN);
}

/* What is wrong with the directory as such, and with storing in general. */
static enum hotpatch_status walk_to(const char *path, int *fd,
				    struct hotpatch_error *err)
{
	enum hotpatch_status status = hp_path_open_directory(path, fd, err);

	if (status != HOTPATCH_E_IO && status != HOTPATCH_E_PERMISSION)
		return status;
	if (err)
		err->status = HOTPATCH_E_STORE;
	return HOTPATCH_E_STORE;
}

static enum hotpatch_status open_private(const char *path, struct hp_kept *held,
					 struct hotpatch_error *err)
{
	enum hotpatch_status status;
	bool is_private;
	int fd;

	status = walk_to(path, &fd, err);
	if (status != HOTPATCH_OK)
		return status;
	errno = 0;
	is_private = hp_file_keep(fd, held) && hp_copy_is_private(fd);
	if (!is_private && errno)
		status = store_error(err, path, "cannot be looked at");
	else if (!is_private)
		status = hp_error(err, HOTPATCH_E_UNSAFE_PATH, 0, path,
				  "%s is not a directory of this user alone, "
				  "with mode 0700",
				  path);
	else if (is_noexec(path))
		status = noexec_error(err, path);
	if (status != HOTPATCH_OK)
		close(fd);
	return status;
}

static enum hotpatch_status use_configured(struct hotpatch_error *err)
{
	bool made_here = mkdir(configured, 0700) == 0;
	enum hotpatch_status status;
	struct hp_kept held;

	if (!made_here && errno != EEXIST)
		return store_error(err, configured, "cannot be made");
	/* The umask may have taken bits away. */
	if (made_here && chmod(configured, 0700) < 0)
		status = store_error(err, configured, "cannot be used");
	else
		status = open_private(configured, &held, err);
	if (status == HOTPATCH_OK) {
		remember_directory(configured, &held, made_here);
		if (!made_here)
			sweep(held.fd);
	} else if (made_here) {
		rmdir(configured);
	}
	return status;
}

/* The directories in @parent that were chosen like ours and have no user. */
static void sweep_sibling(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (hp_copy_is_private(fd) && !flock(fd, LOCK_EX | LOCK_NB)) {
		hp_copy_sweep(fd);
		unlinkat(parent_fd, name, AT_REMOVEDIR);
	}
	close(fd);
}

static void sweep_siblings(const char *parent)
{
	DIR *list = opendir(parent);
	const struct dirent *entry;

	if (!list)
		return;
	while ((entry = readdir(list)))
		if (!strncmp(entry->d_name, STEM, strlen(STEM)) &&
		    strlen(entry->d_name) == strlen(PATTERN))
			sweep_sibling(dirfd(list), entry->d_name);
	closedir(list);
}

/* Makes a directory of our own in @parent; false with errno. */
static bool use_parent(const char *parent)
{
	char path[PATH_MAX];
	char real[PATH_MAX];
	struct hp_kept held;
	int cause;

	/* Candidates are what the system offers, links and all; what they
	 * lead to is then judged like any path. */
	if (!realpath(parent, real))
		return false;
	if (snprintf(path, sizeof(path), "%s/" PATTERN, real) >=
	    DIRECTORY_LIMIT) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (!mkdtemp(path))
		return false;
	if (chmod(path, 0700) < 0 || open_private(path, &held, NULL)) {
		rmdir(path);
		errno = EPERM;
		return false;
	}
	/* Whoever sweeps may have been faster than the lock. */
	if (flock(held.fd, LOCK_SH | LOCK_NB) < 0 || is_gone(held.fd, path)) {
		cause = errno;
		close(held.fd);
		rmdir(path);
		errno = cause;
		return false;
	}
	remember_directory(path, &held, true);
	sweep_siblings(real);
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
	enum hotpatch_status status;
	unsigned int tries = 0;

	if (chooser == getpid() && hp_copy_is_private(chosen.fd) &&
	    !is_gone(chosen.fd, directory))
		return HOTPATCH_OK;
	forget_directory();
	if (!configured[0])
		return use_default(err);
	/* Not found, although it was there: who made it took it away. */
	do {
		status = use_configured(err);
	} while (status == HOTPATCH_E_NOT_FOUND && ++tries < TRIES);
	return status;
}

static bool has_copies(void)
{
	const struct copy *copy;

	for (copy = copies; copy; copy = copy->next)
		if (copy->writer == getpid())
			return true;
	return false;
}

/*
 * Nothing is left of a directory that was made in vain, and no descriptor of
 * one that is not used. It stays if others use it or it has what stays.
 */
static void drop_directory(void)
{
	if (chooser != getpid() || has_copies())
		return;
	if (made && (!configured[0] || !flock(chosen.fd, LOCK_EX | LOCK_NB)))
		rmdir(directory);
	forget_directory();
}

/* Errors that would meet the second way to write a file just so. */
static bool is_final(int cause)
{
	return cause == ENOSPC || cause == EDQUOT || cause == EIO ||
	       cause == EROFS || cause == EFBIG;
}

static bool write_named(const struct hp_file *file,
			char name[HP_COPY_NAME_SIZE], int *lock_fd)
{
	bool shared = configured[0] != '\0';
	bool done;
	int cause;

	if (shared && !lock_directory(chosen.fd))
		return false;
	done = hp_copy_write_named(chosen.fd, file, name, lock_fd);
	cause = errno;
	if (shared)
		flock(chosen.fd, LOCK_UN);
	errno = cause;
	return done;
}

static enum hotpatch_status write_into(const struct hp_file *file,
				       struct copy *copy,
				       struct hotpatch_error *err)
{
	char name[HP_COPY_NAME_SIZE];
	enum hotpatch_status status;
	int lock_fd;
	int cause;

	if (hp_copy_write_anonymous(chosen.fd, file, name, &lock_fd) ||
	    (!is_final(errno) && write_named(file, name, &lock_fd))) {
		snprintf(copy->path, PATH_MAX, "%.*s/%s", DIRECTORY_LIMIT,
			 directory, name);
		if (hp_file_keep(lock_fd, &copy->lock))
			return HOTPATCH_OK;
		status = store_error(err, copy->path, "cannot be looked at");
		unlink(copy->path);
		close(lock_fd);
		return status;
	}
	cause = errno;
	if (is_gone(chosen.fd, directory))
		return HOTPATCH_E_NOT_FOUND;
	errno = cause;
	return store_error(err, directory, "takes no private copy");
}

/* What is_gone() found each time; @cause is its errno. */
static enum hotpatch_status gone_error(struct hotpatch_error *err, int cause)
{
	errno = cause;
	return store_error(err, configured,
			   cause == ENOENT ? "is taken away again and again" :
					     "cannot be looked at");
}

/* Called with the lock held. */
static enum hotpatch_status write_copy(const struct hp_file *file,
				       char path[PATH_MAX],
				       struct hotpatch_error *err)
{
	enum hotpatch_status status;
	unsigned int tries = 0;
	int cause = ENOENT;
	struct copy *copy;

	/* Before the file, so that nothing can fail once it has its name. */
	copy = malloc(sizeof(*copy) + PATH_MAX);
	if (!copy)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, ENOMEM,
				"the private copy",
				"no memory to hold the private copy");
	do {
		status = choose_directory(err);
		if (status == HOTPATCH_OK) {
			status = write_into(file, copy, err);
			cause = errno;
		}
	} while (status == HOTPATCH_E_NOT_FOUND && ++tries < TRIES);
	if (status == HOTPATCH_E_NOT_FOUND)
		status = gone_error(err, cause);
	if (status != HOTPATCH_OK) {
		drop_directory();
		free(copy);
		return status;
	}
	strcpy(path, copy->path);
	copy->writer = getpid();
	copy->next = copies;
	copies = copy;
	written = true;
	return HOTPATCH_OK;
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

bool hp_store_configured(char path[PATH_MAX])
{
	pthread_mutex_lock(&lock);
	strcpy(path, configured);
	pthread_mutex_unlock(&lock);
	return path[0];
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
		/* First the name, then the lock: see hp_copy_sweep(). */
		if (copy->writer == getpid())
			unlink(path);
		hp_file_let_go(&copy->lock);
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

/* Called with the lock held, which stays so on success. */
static enum hotpatch_status lock_chosen(int *fd, struct hotpatch_error *err)
{
	enum hotpatch_status status;
	unsigned int tries = 0;

	do {
		status = choose_directory(err);
		if (status != HOTPATCH_OK)
			return status;
		if (!lock_directory(chosen.fd))
			return store_error(err, directory, "is kept locked");
		if (!is_gone(chosen.fd, directory)) {
			*fd = chosen.fd;
			return HOTPATCH_OK;
		}
	} while (++tries < TRIES);
	return gone_error(err, errno);
}

enum hotpatch_status hp_store_lock(int *fd, struct hotpatch_error *err)
{
	enum hotpatch_status status;

	pthread_mutex_lock(&lock);
	if (configured[0])
		status = lock_chosen(fd, err);
	else
		status = hp_error(err, HOTPATCH_E_STATE, 0, "directory",
				  "no directory is configured");
	if (status == HOTPATCH_OK)
		return status;
	drop_directory();
	pthread_mutex_unlock(&lock);
	return status;
}

void hp_store_unlock(void)
{
	flock(chosen.fd, LOCK_UN);
	drop_directory();
	pthread_mutex_unlock(&lock);
}
