/* SPDX-License-Identifier: MIT */
/*
 * Where control sockets lie, and how one is made and reached. Shared by the
 * server and the command.
 */
#ifndef HP_CONTROL_SOCKET_H
#define HP_CONTROL_SOCKET_H

#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#define HP_SOCKET_PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)
#define HP_SOCKET_SUFFIX ".sock"

struct hp_listener {
	int fd;
	char path[HP_SOCKET_PATH_SIZE];
	dev_t device; /* of the socket's file, so that no other is removed */
	ino_t inode;
};

/* The directory of sockets that no path was given for: see control.h. */
enum hotpatch_status hp_socket_directory(char path[HP_SOCKET_PATH_SIZE],
					 struct hotpatch_error *err);

/* DIRECTORY/PROGRAM.PID.sock of this process; E_ARGUMENT if too long. */
enum hotpatch_status hp_socket_default_path(char path[HP_SOCKET_PATH_SIZE],
					    struct hotpatch_error *err);

/* Base name of the file that this process runs. */
void hp_socket_program(char *name, size_t size);

/*
 * Listens at @path, making its directory if that is missing and replacing a
 * socket that nobody listens on. @group is that of the file, (gid_t)-1 for
 * the process's. With @strict the directory must not belong to, nor be
 * writable by, others. On success the caller owes hp_socket_remove().
 */
enum hotpatch_status hp_socket_listen(const char *path, gid_t group,
				      bool strict, struct hp_listener *listener,
				      struct hotpatch_error *err);

/* Removes the file, if it is still the one that was made; leaves the
 * descriptor. */
void hp_socket_remove(const struct hp_listener *listener);

/* E_UNREACHABLE with the errno; E_ARGUMENT for a path that does not fit. */
enum hotpatch_status hp_socket_connect(const char *path, int *fd,
				       struct hotpatch_error *err);

#endif
