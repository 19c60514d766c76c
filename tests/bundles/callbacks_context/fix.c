/* SPDX-License-Identifier: MIT */
#include "../callbacks/fix.c"
