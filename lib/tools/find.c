/* SPDX-License-Identifier: MIT */
/*
 * Which socket is meant when none was named: the directory of sockets is
 * searched for those that somebody listens on.
 */
#include "tool.h"

#include "../status.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct search {
	const char *directory;
	pid_t pid; /* 0 for any */
	size_t count;
	char path[HP_SOCKET_PATH_SIZE]; /* of the first */
	char names[160];		/* of all, for the error */
};

/* Whether a file's name is PROGRAM.PID.sock, with @pid unless that is 0. */
static bool is_candidate(const char *name, pid_t pid)
{
	char ending[32];
	size_t length = strlen(name);
	size_t ending_length;

	snprintf(ending, sizeof(ending), HP_SOCKET_SUFFIX);
	if (pid)
		snprintf(ending, sizeof(ending), ".%d" HP_SOCKET_SUFFIX,
			 (int)pid);
	ending_length = strlen(ending);
	return length > ending_length &&
	       !strcmp(name + length - ending_length, ending);
}

/* A stale socket, left by a process that died, is as good as none. */
static bool is_live(const char *path)
{
	struct hotpatch_error err;
	int fd;

	if (hp_socket_connect(path, &fd, &err))
		return err.os_error != ECONNREFUSED && err.os_error != ENOENT;
	close(fd);
	return true;
}

static void consider(struct search *search, const char *name)
{
	char path[HP_SOCKET_PATH_SIZE];
	size_t length = strlen(search->names);
	int size =
		snprintf(path, sizeof(path), "%s/%s", search->directory, name);

	if (size < 0 || (size_t)size >= sizeof(path) || !is_live(path))
		return;
	if (!search->count++)
		memcpy(search->path, path, sizeof(path));
	snprintf(search->names + length, sizeof(search->names) - length, "%s%s",
		 length ? ", " : "", name);
}

static enum hotpatch_status no_process(const struct search *search,
				       struct hotpatch_error *err)
{
	if (search->pid)
		return hp_error(err, HOTPATCH_E_NO_PROCESS, 0,
				search->directory,
				"Process %d has no socket in %s.",
				(int)search->pid, search->directory);
	return hp_error(err, HOTPATCH_E_NO_PROCESS, 0, search->directory,
			"No process has a socket in %s.", search->directory);
}

static enum hotpatch_status walk(struct search *search,
				 struct hotpatch_error *err)
{
	DIR *directory = opendir(search->directory);
	const struct dirent *entry;

	if (!directory && errno == ENOENT)
		return no_process(search, err);
	if (!directory) {
		int os_error = errno;

		return hp_error(err, HOTPATCH_E_UNREACHABLE, os_error,
				search->directory, "Cannot search %s: %m.",
				search->directory);
	}
	while ((entry = readdir(directory))) {
		if (is_candidate(entry->d_name, search->pid))
			consider(search, entry->d_name);
	}
	closedir(directory);
	return search->count ? HOTPATCH_OK : no_process(search, err);
}

enum hotpatch_status hp_find_socket(const struct hp_options *options,
				    char *path, struct hotpatch_error *err)
{
	char directory[HP_SOCKET_PATH_SIZE];
	struct search search = {.directory = directory, .pid = options->pid};
	enum hotpatch_status status = hp_socket_directory(directory, err);

	if (!status)
		status = walk(&search, err);
	if (status)
		return status;
	if (search.count > 1)
		return hp_error(err, HOTPATCH_E_USAGE, 0, directory,
				"Several processes have a socket in %s, choose "
				"one with --pid or --socket: %s.",
				directory, search.names);
	memcpy(path, search.path, HP_SOCKET_PATH_SIZE);
	return HOTPATCH_OK;
}
