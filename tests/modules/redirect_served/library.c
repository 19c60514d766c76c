/* SPDX-License-Identifier: MIT */
/*
 * A library without any patchable function.
 */
#include "../redirect_bundles/library.c"
