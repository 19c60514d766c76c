/* SPDX-License-Identifier: MIT */
/*
 * Says that its fix needs a restart.
 */
#include <hotpatch/bundle.h>

HOTPATCH_RESTART("restart", 11);
