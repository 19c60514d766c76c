/* SPDX-License-Identifier: MIT */
/*
 * Control sockets in the file system.
 */
#include "socket.h"

#include "../status.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define DIRECTORY_MODE 0750
#define SOCKET_MODE 0660
#define BACKLOG 32
#define CONNECT_TIMEOUT_S 5
#define LOCK_TRIES 100
#define LOCK_PAUSE_MS 10

__attribute__((format(printf, 3, 4))) static enum hotpatch_status
print_path(char path[HP_SOCKET_PATH_SIZE], struct hotpatch_error *err,
	   const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(path, HP_SOCKET_PATH_SIZE, format, arguments);
	va_end(arguments);
	if (length >= 0 && (size_t)length < HP_SOCKET_PATH_SIZE)
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_ARGUMENT, 0, path,
			"The socket's path would be longer than %zu bytes.",
			HP_SOCKET_PATH_SIZE - 1);
}

enum hotpatch_status hp_socket_directory(char path[HP_SOCKET_PATH_SIZE],
					 struct hotpatch_error *err)
{
	const char *given = secure_getenv("HOTPATCH_RUNTIME_DIR");
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");

	if (given && *given)
		return print_path(path, err, "%s", given);
	if (geteuid() == 0)
		return print_path(path, err, "/run/hotpatch");
	if (runtime && *runtime)
		return print_path(path, err, "%s/hotpatch", runtime);
	return print_path(path, err, "/tmp/hotpatch-%u", geteuid());
}

void hp_socket_program(char *name, size_t size)
{
	static const char deleted[] = " (deleted)";
	char file[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", file, sizeof(file) - 1);
	const char *base;
	char *cut;

	if (length <= 0) {
		hp_text_copy(name, size, program_invocation_short_name);
		return;
	}
	file[length] = '\0';
	cut = strstr(file, deleted);
	if (cut && !cut[sizeof(deleted) - 1])
		*cut = '\0';
	base = strrchr(file, '/');
	hp_text_copy(name, size, base ? base + 1 : file);
}

enum hotpatch_status hp_socket_default_path(char path[HP_SOCKET_PATH_SIZE],
					    struct hotpatch_error *err)
{
	char directory[HP_SOCKET_PATH_SIZE];
	char program[NAME_MAX + 1];
	enum hotpatch_status status = hp_socket_directory(directory, err);

	if (status)
		return status;
	hp_socket_program(program, sizeof(program));
	return print_path(path, err, "%s/%s.%d" HP_SOCKET_SUFFIX, directory,
			  program, (int)getpid());
}

static enum hotpatch_status fill_address(const char *path,
					 struct sockaddr_un *address,
					 struct hotpatch_error *err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!*path)
		return hp_error(err, HOTPATCH_E_ARGUMENT, 0, path,
				"The socket's path is empty.");
	return print_path(address->sun_path, err, "%s", path);
}

/* For what the file system and the socket calls refuse; reads errno. */
static enum hotpatch_status system_error(struct hotpatch_error *err,
					 const char *object, const char *step)
{
	int os_error = errno;
	enum hotpatch_status status = HOTPATCH_E_IO;

	if (os_error == EACCES || os_error == EPERM || os_error == EROFS)
		status = HOTPATCH_E_PERMISSION;
	if (os_error == ENOMEM || os_error == ENOBUFS)
		status = HOTPATCH_E_NO_MEMORY;
	if (os_error == EMFILE || os_error == ENFILE)
		status = HOTPATCH_E_LIMIT;
	return hp_error(err, status, os_error, object, "Cannot %s %s: %m.",
			step, object);
}

/* In a user namespace others may be shown with this user's number; the mode
 * can be set by the owner alone. */
static bool is_own(const char *directory, const struct stat *facts)
{
	bool own;
	int fd;

	if (facts->st_uid != geteuid())
		return false;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	own = fd >= 0 && !fchmod(fd, facts->st_mode & ~(mode_t)S_IFMT);
	if (fd >= 0)
		close(fd);
	return own;
}

/* Others may not own it nor write to it, or they could put their own socket
 * in the place of ours. */
static enum hotpatch_status judge_directory(const char *directory,
					    struct hotpatch_error *err)
{
	struct stat facts;

	if (lstat(directory, &facts))
		return system_error(err, directory, "look at");
	if (S_ISDIR(facts.st_mode) && !(facts.st_mode & S_IWOTH) &&
	    (facts.st_uid == 0 || is_own(directory, &facts)))
		return HOTPATCH_OK;
	return hp_error(err, HOTPATCH_E_PERMISSION, 0, directory,
			"%s is not a directory that only this user controls.",
			directory);
}

static enum hotpatch_status make_directory(const char *directory, gid_t group,
					   struct hotpatch_error *err)
{
	if (mkdir(directory, DIRECTORY_MODE)) {
		if (errno == EEXIST)
			return HOTPATCH_OK;
		return system_error(err, directory, "make the directory");
	}
	if (group != (gid_t)-1 && lchown(directory, (uid_t)-1, group))
		return system_error(err, directory, "give the group to");
	if (chmod(directory, DIRECTORY_MODE))
		return system_error(err, directory, "set the mode of");
	return HOTPATCH_OK;
}

/*
 * Keeps two processes from replacing the same stale socket at once. Whoever
 * may read the directory can hold this lock, so after a second it is done
 * without: then only the race is back.
 */
static int lock_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int tries;

	for (tries = 0; fd >= 0 && tries < LOCK_TRIES; tries++) {
		if (!flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
			break;
		poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return fd;
}

/* Whether a socket's file is there, and nobody listens on it. */
static bool is_stale(const struct sockaddr_un *address)
{
	struct stat facts;
	bool refused;
	int fd;

	if (lstat(address->sun_path, &facts) || !S_ISSOCK(facts.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)address,
			  sizeof(*address)) &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static enum hotpatch_status bind_replacing(int fd,
					   const struct sockaddr_un *address,
					   struct hotpatch_error *err)
{
	const struct sockaddr *any = (const struct sockaddr *)address;

	if (!bind(fd, any, sizeof(*address)))
		return HOTPATCH_OK;
	if (errno != EADDRINUSE)
		return system_error(err, address->sun_path, "listen at");
	if (!is_stale(address))
		return hp_error(err, HOTPATCH_E_ALREADY, EADDRINUSE,
				address->sun_path,
				"%s is there and not a stale socket.",
				address->sun_path);
	if (unlink(address->sun_path) || bind(fd, any, sizeof(*address)))
		return system_error(err, address->sun_path, "replace");
	return HOTPATCH_OK;
}

static enum hotpatch_status publish(struct hp_listener *listener, gid_t group,
				    struct hotpatch_error *err)
{
	struct stat facts;

	if (group != (gid_t)-1 && lchown(listener->path, (uid_t)-1, group))
		return system_error(err, listener->path, "give the group to");
	if (chmod(listener->path, SOCKET_MODE))
		return system_error(err, listener->path, "set the mode of");
	if (listen(listener->fd, BACKLOG) || lstat(listener->path, &facts))
		return system_error(err, listener->path, "listen at");
	listener->device = facts.st_dev;
	listener->inode = facts.st_ino;
	return HOTPATCH_OK;
}

/* The directory's lock is held. */
static enum hotpatch_status open_listener(const struct sockaddr_un *address,
					  gid_t group,
					  struct hp_listener *listener,
					  struct hotpatch_error *err)
{
	enum hotpatch_status status;

	listener->fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return system_error(err, address->sun_path, "make a socket at");
	memcpy(listener->path, address->sun_path, sizeof(listener->path));
	/* The file takes this mode, less the umask, so that it is never open
	 * to others. */
	if (fchmod(listener->fd, SOCKET_MODE))
		status = system_error(err, listener->path, "set the mode of");
	else
		status = bind_replacing(listener->fd, address, err);
	if (status)
		goto out;
	status = publish(listener, group, err);
	if (status)
		unlink(listener->path);
out:
	if (status)
		close(listener->fd);
	return status;
}

enum hotpatch_status hp_socket_listen(const char *path, gid_t group,
				      bool strict, struct hp_listener *listener,
				      struct hotpatch_error *err)
{
	struct sockaddr_un address;
	char copy[HP_SOCKET_PATH_SIZE];
	const char *directory;
	enum hotpatch_status status = fill_address(path, &address, err);
	int lock;

	if (status)
		return status;
	memcpy(copy, address.sun_path, sizeof(copy));
	directory = dirname(copy);
	status = make_directory(directory, group, err);
	if (!status && strict)
		status = judge_directory(directory, err);
	if (status)
		return status;
	lock = lock_directory(directory);
	status = open_listener(&address, group, listener, err);
	if (lock >= 0)
		close(lock);
	return status;
}

void hp_socket_remove(const struct hp_listener *listener)
{
	struct stat facts;

	if (!lstat(listener->path, &facts) &&
	    facts.st_dev == listener->device && facts.st_ino == listener->inode)
		unlink(listener->path);
}

enum hotpatch_status hp_socket_connect(const char *path, int *fd,
				       struct hotpatch_error *err)
{
	const struct timeval limit = {.tv_sec = CONNECT_TIMEOUT_S};
	struct sockaddr_un address;
	enum hotpatch_status status = fill_address(path, &address, err);
	int os_error;

	if (status)
		return status;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return system_error(err, path, "make a socket for");
	setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(*fd, (struct sockaddr *)&address, sizeof(address)))
		return HOTPATCH_OK;
	os_error = errno;
	close(*fd);
	*fd = -1;
	errno = os_error;
	return hp_error(err, HOTPATCH_E_UNREACHABLE, os_error, path,
			"Cannot reach a process at %s: %m.", path);
}
