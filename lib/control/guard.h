/* SPDX-License-Identifier: MIT */
/*
 * Who may do what at a control socket, by what the kernel tells of a peer.
 */
#ifndef HP_CONTROL_GUARD_H
#define HP_CONTROL_GUARD_H

#include "../outside.h"

#include <sys/types.h>

enum hp_access {
	HP_ACCESS_NONE,
	HP_ACCESS_READ,
	HP_ACCESS_ADMIN,
};

/*
 * @owner:  may do everything, as root may
 * @group:  its members may look
 * @users:  in whose number nobody is recognised
 * @groups: likewise
 */
struct hp_guard {
	uid_t owner;
	gid_t group;
	struct hp_outside users;
	struct hp_outside groups;
};

/* Of this process and @group; (gid_t)-1 stands for the process's. */
void hp_guard_set(struct hp_guard *guard, gid_t group);

/* What the peer of @fd may do; where that is nothing, @why has a sentence. */
enum hp_access hp_guard_access(const struct hp_guard *guard, int fd,
			       const char **why);

#endif
