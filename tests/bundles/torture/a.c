/* SPDX-License-Identifier: MIT */
/*
 * Version 1.
 */
#define NAME "a"
#define VERSION 1
#include "body.h"
