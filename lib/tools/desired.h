/* SPDX-License-Identifier: MIT */
/*
 * What is desired of a process, as status and converge show it.
 */
#ifndef HP_TOOL_DESIRED_H
#define HP_TOOL_DESIRED_H

#include "tool.h"

/* Asks the process, and adds to the result of its status what it answered.
 * Nothing is added if it does not say, or keeps no such list. */
void hp_desired_add_to(struct hp_session *session, json_t *result);

/* For people; nothing if nothing is known. */
void hp_desired_print(const json_t *result);

#endif
