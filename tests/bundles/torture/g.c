/* SPDX-License-Identifier: MIT */
/*
 * Version 7.
 */
#define NAME "g"
#define VERSION 7
#include "body.h"
