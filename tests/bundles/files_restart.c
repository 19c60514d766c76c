/* SPDX-License-Identifier: MIT */
/*
 * A bundle that only says that its fix needs a restart.
 */
#include <hotpatch/bundle.h>

HOTPATCH_RESTART("restart", 2);
HOTPATCH_TARGET("", "0123456789abcdef");
