/* SPDX-License-Identifier: MIT */
/*
 * Clients of every bad kind, in a process of their own.
 */
#ifndef CONTROL_HOSTILE_ATTACK_H
#define CONTROL_HOSTILE_ATTACK_H

#include <hotpatch/control.h>
#include <stdbool.h>
#include <sys/types.h>

/* A server at @path to whose group the attackers belong; NULL if it fails. */
struct hotpatch_control *attack_serve(const char *path);

/* Returns when each of @count clients has begun. @as_reader: as a user who may
 * only read, which takes root. */
pid_t attack_start(const char *path, int count, bool as_reader);
void attack_stop(pid_t pid);

#endif
