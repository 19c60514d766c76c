/* SPDX-License-Identifier: MIT */
/*
 * For the program, and for a library that comes later.
 */
#include "../redirect_bundles/late.c"
