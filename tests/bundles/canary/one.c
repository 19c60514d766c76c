/* SPDX-License-Identifier: MIT */
/*
 * The bundle of the same name in the folder beside this one.
 */
#include "../tasks/one.c"
