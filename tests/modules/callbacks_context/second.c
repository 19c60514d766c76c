/* SPDX-License-Identifier: MIT */
#include "../callbacks/second.c"
