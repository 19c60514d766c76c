/* SPDX-License-Identifier: MIT */
/*
 * Version 4.
 */
#define NAME "d"
#define VERSION 4
#include "body.h"
