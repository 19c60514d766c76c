/* SPDX-License-Identifier: MIT */
/*
 * Version 5.
 */
#define NAME "e"
#define VERSION 5
#include "body.h"
