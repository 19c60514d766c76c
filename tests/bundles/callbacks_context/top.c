/* SPDX-License-Identifier: MIT */
#include "../callbacks/top.c"
