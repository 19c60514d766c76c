/* SPDX-License-Identifier: MIT */
#include "../callbacks/plugin.c"
