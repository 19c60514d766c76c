/* SPDX-License-Identifier: MIT */
/*
 * Version 9, with callbacks.
 */
#define NAME "i"
#define VERSION 9
#include "body.h"
#include "callbacks.h"
