/* SPDX-License-Identifier: MIT */
/*
 * Version 2.
 */
#define NAME "b"
#define VERSION 2
#include "body.h"
