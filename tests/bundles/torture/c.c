/* SPDX-License-Identifier: MIT */
/*
 * Version 3.
 */
#define NAME "c"
#define VERSION 3
#include "body.h"
