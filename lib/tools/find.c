/* SPDX-License-Identifier: MIT */
/*
 * Which processes are meant when no socket was named: the directory of sockets
 * is searched for those that somebody listens on.
 */
#include "tool.h"

#include "../status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CGROUP_SIZE 4096

/*
 * @named:  only sockets whose names have the wanted process's number; else
 *          only others, where one is wanted
 * @hidden: processes of other namespaces, which have no number here
 */
struct search {
	const struct hp_options *options;
	const char *directory;
	bool named;
	struct hp_found *found;
	size_t count;
	size_t hidden;
	bool short_of_memory;
};

/* PROGRAM.PID.sock, the program's name with any dots of its own. */
static bool read_name(const char *name, struct hp_found *found)
{
	size_t length = strlen(name);
	const size_t suffix = strlen(HP_SOCKET_SUFFIX);
	const char *dot;
	char *end;
	long pid;

	if (length <= suffix || length - suffix >= sizeof(found->program) ||
	    strcmp(name + length - suffix, HP_SOCKET_SUFFIX) != 0)
		return false;
	memcpy(found->program, name, length - suffix);
	found->program[length - suffix] = '\0';
	dot = strrchr(found->program, '.');
	if (!dot)
		return true;
	pid = strtol(dot + 1, &end, 10);
	if (end == dot + 1 || *end || pid < 1 || pid > INT_MAX)
		return true;
	found->pid = (pid_t)pid;
	found->program[dot - found->program] = '\0';
	return true;
}

/*
 * A stale socket, left by a process that died, is as good as none. The kernel
 * knows by which number this command can reach who listens, which is another
 * than the name's when that process lives in a container, and 0 when this
 * command does. @listener stays as it is where the kernel was not asked.
 */
static bool is_live(const char *path, pid_t *listener)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);
	struct hotpatch_error err;
	int fd;

	if (hp_socket_connect(path, &fd, &err))
		return err.os_error != ECONNREFUSED && err.os_error != ENOENT;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		*listener = peer.pid;
	close(fd);
	return true;
}

/* Is a part of this path the unit? ".service" need not be said. */
static bool has_unit(const char *path, size_t length, const char *unit)
{
	const size_t wanted = strlen(unit);
	const char *end = path + length;
	const char *part = path;
	const char *stop;

	for (; part < end; part = stop + 1) {
		stop = memchr(part, '/', (size_t)(end - part));
		stop = stop ? stop : end;
		if (!wanted || (size_t)(stop - part) < wanted ||
		    memcmp(part, unit, wanted) != 0)
			continue;
		part += wanted;
		if (part == stop ||
		    (!memchr(unit, '.', wanted) && (size_t)(stop - part) == 8 &&
		     !memcmp(part, ".service", 8)))
			return true;
	}
	return false;
}

/*
 * Each line of /proc/PID/cgroup is NUMBER:CONTROLLERS:PATH. Units are told by
 * the unified hierarchy, which has no controllers, or by systemd's own.
 */
bool hp_cgroup_has_unit(const char *text, const char *unit)
{
	const char *line;
	const char *end;
	const char *path;

	for (line = text; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		path = memchr(line, ':', (size_t)(end - line));
		if (!path)
			continue;
		path++;
		if (strncmp(path, "name=systemd:", 13) == 0)
			path += 13;
		else if (*path == ':')
			path++;
		else
			continue;
		if (has_unit(path, (size_t)(end - path), unit))
			return true;
	}
	return false;
}

static bool is_in_unit(pid_t pid, const char *unit)
{
	char path[64];
	char text[CGROUP_SIZE];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	return hp_cgroup_has_unit(text, unit);
}

static void add(struct search *search, const struct hp_found *found)
{
	struct hp_found *more =
		realloc(search->found, (search->count + 1) * sizeof(*more));

	if (!more) {
		search->short_of_memory = true;
		return;
	}
	search->found = more;
	more[search->count++] = *found;
}

/* Of all that @search is for, by its number here. */
static bool is_wanted(struct search *search, const struct hp_found *found,
		      pid_t listener)
{
	const struct hp_options *options = search->options;

	if (options->pid)
		return options->pid == found->pid;
	if (!options->unit)
		return true;
	search->hidden += !listener;
	return listener && is_in_unit(listener, options->unit);
}

static void consider(struct search *search, const char *name)
{
	const struct hp_options *options = search->options;
	struct hp_found found = {.pid = 0};
	pid_t listener;
	int size;

	if (!read_name(name, &found) ||
	    (options->pid && (options->pid == found.pid) != search->named) ||
	    (options->program && strcmp(options->program, found.program) != 0))
		return;
	size = snprintf(found.path, sizeof(found.path), "%s/%s",
			search->directory, name);
	listener = found.pid;
	if (size < 0 || (size_t)size >= sizeof(found.path) ||
	    !is_live(found.path, &listener))
		return;
	if (listener)
		found.pid = listener;
	if (is_wanted(search, &found, listener))
		add(search, &found);
}

/* Differ what this command and the process see at the same path? */
static bool is_elsewhere(pid_t pid, const char *here, const char *what)
{
	char path[64];
	struct stat ours;
	struct stat its;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	return !stat(here, &ours) && !stat(path, &its) &&
	       (ours.st_ino != its.st_ino || ours.st_dev != its.st_dev);
}

static enum hotpatch_status no_such_pid(pid_t pid, const char *directory,
					struct hotpatch_error *err)
{
	if (is_elsewhere(pid, "/proc/self/ns/mnt", "ns/mnt") ||
	    is_elsewhere(pid, "/", "root"))
		return hp_error(err, HOTPATCH_E_NO_PROCESS, 0, directory,
				"Process %d has no socket in %s, but other "
				"mounts or another root than this command: "
				"--socket may name one below /proc/%d/root.",
				(int)pid, directory, (int)pid);
	return hp_error(err, HOTPATCH_E_NO_PROCESS, 0, directory,
			"Process %d has no socket in %s.", (int)pid, directory);
}

static enum hotpatch_status no_process(const struct search *search,
				       struct hotpatch_error *err)
{
	const struct hp_options *options = search->options;
	const char *directory = search->directory;
	char hidden[96] = "";

	if (options->pid)
		return no_such_pid(options->pid, directory, err);
	if (search->hidden)
		snprintf(hidden, sizeof(hidden),
			 "; of %zu there it cannot be told, because this "
			 "command's namespace has no number for them",
			 search->hidden);
	if (options->program || options->unit)
		return hp_error(err, HOTPATCH_E_NO_PROCESS, 0, directory,
				"No process of the %s %s has a socket in %s%s.",
				options->program ? "program" : "unit",
				options->program ? options->program :
						   options->unit,
				directory, hidden);
	return hp_error(err, HOTPATCH_E_NO_PROCESS, 0, directory,
			"No process has a socket in %s.", directory);
}

/* Others are only asked for their numbers if the names have none: one of them
 * may not answer. */
static void read_names(struct search *search, DIR *directory)
{
	const struct dirent *entry;

	search->named = search->options->pid != 0;
	while ((entry = readdir(directory)))
		consider(search, entry->d_name);
	if (!search->named || search->count)
		return;
	search->named = false;
	rewinddir(directory);
	while ((entry = readdir(directory)))
		consider(search, entry->d_name);
}

static enum hotpatch_status walk(struct search *search,
				 struct hotpatch_error *err)
{
	DIR *directory = opendir(search->directory);

	if (!directory && errno == ENOENT)
		return no_process(search, err);
	if (!directory) {
		int os_error = errno;

		return hp_error(err, HOTPATCH_E_UNREACHABLE, os_error,
				search->directory, "Cannot search %s: %m.",
				search->directory);
	}
	read_names(search, directory);
	closedir(directory);
	if (search->short_of_memory)
		return hp_error(err, HOTPATCH_E_NO_MEMORY, 0, "",
				"There is no memory for all processes.");
	return search->count ? HOTPATCH_OK : no_process(search, err);
}

static int by_program_and_pid(const void *left, const void *right)
{
	const struct hp_found *a = left;
	const struct hp_found *b = right;
	int order = strcmp(a->program, b->program);

	return order ? order : (a->pid > b->pid) - (a->pid < b->pid);
}

enum hotpatch_status hp_find_processes(const struct hp_options *options,
				       struct hp_found **found, size_t *count,
				       struct hotpatch_error *err)
{
	char directory[HP_SOCKET_PATH_SIZE];
	struct search search = {.options = options, .directory = directory};
	enum hotpatch_status status = hp_socket_directory(directory, err);

	if (!status)
		status = walk(&search, err);
	if (status) {
		free(search.found);
		return status;
	}
	if (search.count)
		qsort(search.found, search.count, sizeof(*search.found),
		      by_program_and_pid);
	*found = search.found;
	*count = search.count;
	return HOTPATCH_OK;
}

static enum hotpatch_status several(const struct hp_found *found, size_t count,
				    struct hotpatch_error *err)
{
	char names[160] = "";
	size_t length;
	size_t i;

	for (i = 0; i < count; i++) {
		length = strlen(names);
		snprintf(names + length, sizeof(names) - length, "%s%s %d",
			 i ? ", " : "", found[i].program, (int)found[i].pid);
	}
	return hp_error(err, HOTPATCH_E_SEVERAL, 0, "",
			"%zu processes match, and one is wanted here: %s.",
			count, names);
}

enum hotpatch_status hp_find_socket(const struct hp_options *options,
				    char *path, struct hotpatch_error *err)
{
	struct hp_found *found;
	size_t count;
	enum hotpatch_status status =
		hp_find_processes(options, &found, &count, err);

	if (status)
		return status;
	if (count > 1)
		status = several(found, count, err);
	else if (count == 1)
		memcpy(path, found->path, HP_SOCKET_PATH_SIZE);
	free(found);
	return status;
}
