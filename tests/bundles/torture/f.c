/* SPDX-License-Identifier: MIT */
/*
 * Version 6.
 */
#define NAME "f"
#define VERSION 6
#include "body.h"
