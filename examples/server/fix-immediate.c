/* SPDX-License-Identifier: MIT */
/*
 * The control experiment: fix-two again, but visible call by call. Applied
 * under load it makes requests that see both versions, which shows that the
 * load client would notice them.
 */
#define FIX_IMMEDIATE 1
#include "fix-two.c"
