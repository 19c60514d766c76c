/* SPDX-License-Identifier: MIT */
/*
 * Version 8.
 */
#define NAME "h"
#define VERSION 8
#include "body.h"
