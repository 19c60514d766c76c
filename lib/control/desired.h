/* SPDX-License-Identifier: MIT */
/*
 * Requests about what is desired, and whether it is what runs. They read and
 * write files and may take long, so the worker carries them out like changes.
 */
#ifndef HP_CONTROL_DESIRED_H
#define HP_CONTROL_DESIRED_H

#include "change.h"

/* Never E_BUSY for "not yet" but while a transition runs that forbids it. */
enum hotpatch_status hp_change_try_desired(struct hp_change *change);

#endif
