/* SPDX-License-Identifier: MIT */
/*
 * The identity of peers. A number of a user or group that the kernel also
 * shows for whoever has none in this process's user namespace is nobody's: a
 * server that runs as "nobody" in a container would else take all strangers
 * for itself.
 */
#include "guard.h"

#include <sys/socket.h>
#include <unistd.h>

#define GROUP_LIMIT 1024

void hp_guard_set(struct hp_guard *guard, gid_t group)
{
	guard->owner = geteuid();
	guard->group = group == (gid_t)-1 ? getegid() : group;
	hp_outside_users(&guard->users);
	hp_outside_groups(&guard->groups);
}

static bool is_certain(const struct hp_outside *outside, unsigned int number)
{
	return !outside->any || number != outside->number;
}

/* The credentials carry the primary group only. */
static bool in_group(int fd, gid_t group)
{
	gid_t groups[GROUP_LIMIT];
	socklen_t size = sizeof(groups);
	size_t i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return false;
	for (i = 0; i < size / sizeof(*groups); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

enum hp_access hp_guard_access(const struct hp_guard *guard, int fd,
			       const char **why)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	*why = "This user may not connect.";
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return HP_ACCESS_NONE;
	if (!is_certain(&guard->users, peer.uid))
		*why = "This user may not connect: the process, in its user "
		       "namespace, cannot tell who it is.";
	else if (peer.uid == guard->owner || peer.uid == 0)
		return HP_ACCESS_ADMIN;
	if (is_certain(&guard->groups, guard->group) &&
	    (peer.gid == guard->group || in_group(fd, guard->group)))
		return HP_ACCESS_READ;
	return HP_ACCESS_NONE;
}
